"""Who decides in a store that is played with: a trained department, a classical rule, or a reader
whose decisions of each day are given."""

from typing import Any, Self

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int, PRNGKeyArray

from agents.policies.departments import Departments, Orders, Slates, decided
from agents.policies.heuristics import HeuristicPair, HeuristicParams, recommend, replenish
from jaxsim.params import Params
from jaxsim.records import Action, State


class RuleOrders(struct.PyTreeNode):
    """The order rule of a classical pair."""

    heuristic: HeuristicParams

    def start(self, params: Params) -> tuple[()]:
        return ()

    def order(
        self, memory: tuple[()], state: State, params: Params, attention: Float[Array, " N"]
    ) -> tuple[Float[Array, " N"], tuple[()]]:
        """See `Orders`; classical rules do not look at what is shown."""
        return replenish(state, self.heuristic, params), memory


class RuleSlates(struct.PyTreeNode):
    """The recommender of a classical pair."""

    heuristic: HeuristicParams

    def start(self, params: Params) -> tuple[()]:
        return ()

    def slate(
        self, memory: tuple[()], state: State, params: Params
    ) -> tuple[Int[Array, "K S"], tuple[()]]:
        """See `Slates`."""
        return recommend(state, self.heuristic, params), memory


class GivenOrders(struct.PyTreeNode):
    """Orders that are known beforehand, a row for each day; its memory counts the days."""

    orders: Float[Array, "T N"]

    def start(self, params: Params) -> Int[Array, ""]:
        return jnp.int32(0)

    def order(
        self, memory: Int[Array, ""], state: State, params: Params, attention: Float[Array, " N"]
    ) -> tuple[Float[Array, " N"], Int[Array, ""]]:
        """See `Orders`."""
        return self.orders[memory], memory + 1


class GivenSlates(struct.PyTreeNode):
    """Slates that are known beforehand, a row for each day; its memory counts the days."""

    slates: Int[Array, "T K S"]

    def start(self, params: Params) -> Int[Array, ""]:
        return jnp.int32(0)

    def slate(
        self, memory: Int[Array, ""], state: State, params: Params
    ) -> tuple[Int[Array, "K S"], Int[Array, ""]]:
        """See `Slates`."""
        return self.slates[memory], memory + 1


class Seats(struct.PyTreeNode):
    """Two departments of any kind side by side, slates first: a `jaxsim.Policy`."""

    replenishment: Orders
    recommendation: Slates

    @classmethod
    def of(cls, policy: Departments | HeuristicPair) -> Self:
        """A policy's two departments, each of which can be exchanged for another."""
        if isinstance(policy, HeuristicPair):
            return cls(RuleOrders(policy.heuristic), RuleSlates(policy.heuristic))
        return cls(policy.replenishment, policy.recommendation)

    def start(self, params: Params) -> tuple[Any, Any]:
        """The memories of a store not yet seen."""
        return self.replenishment.start(params), self.recommendation.start(params)

    def act(
        self, key: PRNGKeyArray, memory: tuple[Any, Any], state: State, params: Params
    ) -> tuple[Action, tuple[Any, Any]]:
        """Orders and slates of one store; `key` is not needed."""
        return decided(self.replenishment, self.recommendation, memory, state, params)
