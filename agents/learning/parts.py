"""What a training is made of: networks, critics, optimizers and departments, by static settings."""

from typing import Any, Literal

import optax
from flax import struct

from agents.learning import critic, timescales
from agents.learning.train_state import Learner, Rates, Shape
from agents.policies.departments import Recommendation, Replenishment
from agents.policies.heuristics import Knobs
from agents.policies.networks import (
    Critic,
    Head,
    RecommendationActor,
    ReplenishmentActor,
    SingleActor,
)
from jaxsim import views
from jaxsim.params import Params
from jaxsim.records import State


@struct.dataclass
class Parts:
    """Who learns what, with which network, on which clock."""

    rates: Rates
    knobs: Knobs
    shape: Shape = struct.field(pytree_node=False)

    def departments(self, learner: Learner) -> tuple[Replenishment, Recommendation]:
        """Both departments as they now are, ready to decide."""
        orders, slates = learner.replenishment, learner.recommendation
        if self.shape.regime.one_network:
            orders = slates
        return self._replenishment(orders), self._recommendation(slates)

    @property
    def _critic(self) -> Critic:
        return Critic(self.shape.width, critic.CHANCE_COLUMNS)

    @property
    def learners(self) -> dict[str, str]:
        """Who learns on each clock."""
        return {"critic": "critic", "fast": self._fast_name, "slow": self._slow_name}

    @property
    def _fast_name(self) -> str:
        return "recommendation" if self.shape.regime.one_network else self.shape.fast

    @property
    def _slow_name(self) -> str:
        return "recommendation" if self._fast_name == "replenishment" else "replenishment"

    def _optimizer(self, clock: str) -> optax.GradientTransformation:
        return timescales.optimizer(self.rates.clocks, clock, self.shape.max_norm)

    def _replenishment(self, weights: Any) -> Replenishment:
        network = self._head("orders") or ReplenishmentActor(
            self.shape.width, self.shape.replenishment_memory
        )
        return Replenishment(weights, self.knobs, network, self.shape.regime.shared_view)

    def _recommendation(self, weights: Any) -> Recommendation:
        network = self._head("slates") or RecommendationActor(
            self.shape.width, self.shape.recommendation_memory
        )
        return Recommendation(weights, self.knobs, network, self.shape.regime.shared_view)

    def _head(self, decision: Literal["orders", "slates"]) -> Head | None:
        if not self.shape.regime.one_network:
            return None
        return Head(SingleActor(self.shape.width, self.shape.replenishment_memory), decision)

    def _critic_views(self, state: State, params: Params) -> tuple[views.View, ...]:
        """One sight of everything, or each department's own."""
        if not self.shape.regime.own_kpi:
            return (views.critic_view(state, params),)
        shared = self.shape.regime.shared_view
        return (
            views.replenishment_view(state, params, shared),
            views.recommendation_view(state, params, shared),
        )
