"""Both learned departments side by side, as they decide in use: without exploration or critic."""

from typing import Any, Self

from flax import struct
from jaxtyping import PRNGKeyArray

from agents.policies.encoder import Carried
from agents.policies.recommendation import Recommendation
from agents.policies.replenishment import Replenishment
from jaxsim import choice
from jaxsim.params import Params
from jaxsim.records import Action, State


@struct.dataclass
class Departments:
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
        slate, slates_memory = self.recommendation.slate(memory[1], state, params)
        attention = choice.mean_attention(slate, params)
        order, orders_memory = self.replenishment.order(memory[0], state, params, attention)
        return Action(order=order, slate=slate), (orders_memory, slates_memory)
