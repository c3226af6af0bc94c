"""Both learned departments side by side, as they decide in use: without exploration or critic."""

from typing import Any, Protocol, Self

from flax import struct
from jaxtyping import Array, Float, Int, PRNGKeyArray

from agents.policies.encoder import Carried
from agents.policies.recommendation import Recommendation
from agents.policies.replenishment import Replenishment
from jaxsim import choice
from jaxsim.params import Params
from jaxsim.records import Action, State


class Orders(Protocol):
    """A replenishment department; `agents.policies.replenishment.Replenishment` is one."""

    def start(self, params: Params) -> Any: ...

    def order(
        self, memory: Any, state: State, params: Params, attention: Float[Array, " N"]
    ) -> tuple[Float[Array, " N"], Any]:
        """Units to order, and the memory after it; `attention` is what the day's slates give."""
        ...


class Slates(Protocol):
    """A recommendation department; `agents.policies.recommendation.Recommendation` is one."""

    def start(self, params: Params) -> Any: ...

    def slate(self, memory: Any, state: State, params: Params) -> tuple[Int[Array, "K S"], Any]:
        """The slate of each segment, and the memory after it."""
        ...


class Departments(struct.PyTreeNode):
    """Slates first, then orders that know them: a `jaxsim.Policy`."""

    replenishment: Replenishment
    recommendation: Recommendation

    @property
    def weights(self) -> dict[str, Any]:
        """What was learned, by department."""
        return {
            "replenishment": self.replenishment.weights,
            "recommendation": self.recommendation.weights,
        }

    def with_weights(self, weights: dict[str, Any]) -> Self:
        """The same departments with other weights."""
        return self.replace(
            replenishment=self.replenishment.replace(weights=weights["replenishment"]),
            recommendation=self.recommendation.replace(weights=weights["recommendation"]),
        )

    def start(self, params: Params) -> tuple[Carried, Carried]:
        """The memories of a store not yet seen."""
        return self.replenishment.start(params), self.recommendation.start(params)

    def act(
        self, key: PRNGKeyArray, memory: tuple[Carried, Carried], state: State, params: Params
    ) -> tuple[Action, tuple[Carried, Carried]]:
        """Orders and slates of one store; `key` is not needed."""
        return decided(self.replenishment, self.recommendation, memory, state, params)


def decided(
    replenishment: Orders,
    recommendation: Slates,
    memory: tuple[Any, Any],
    state: State,
    params: Params,
) -> tuple[Action, tuple[Any, Any]]:
    """Slates first, then orders that know them, of one store; and both memories."""
    slate, slates_memory = recommendation.slate(memory[1], state, params)
    attention = choice.mean_attention(slate, params)
    order, orders_memory = replenishment.order(memory[0], state, params, attention)
    return Action(order=order, slate=slate), (orders_memory, slates_memory)
