"""One network that decides both orders and slates: what a store without departments would use."""

from dataclasses import dataclass
from typing import Any, Literal

import flax.linen as nn
from jaxtyping import Array

from agents.policies.encoder import Carried, MemoryKind, Trunk, empty_memory
from agents.policies.recommendation import RecommendationActor
from agents.policies.replenishment import ReplenishmentActor
from jaxsim.views import View


class SingleActor(nn.Module):
    """One memory and one encoder, with a head for each decision."""

    width: int
    memory: MemoryKind

    def setup(self) -> None:
        self.trunk = Trunk(self.width, self.memory)
        self.replenishment = ReplenishmentActor(self.width, self.memory, trunk=self.trunk)
        self.recommendation = RecommendationActor(self.width, self.memory, trunk=self.trunk)

    def orders(self, view: View, carried: Carried) -> tuple[Array, Array, Carried]:
        """See `agents.policies.replenishment.OrderNetwork.apply`."""
        return self.replenishment(view, carried)

    def slates(self, view: View, carried: Carried) -> tuple[Array, Carried]:
        """See `agents.policies.recommendation.SlateNetwork.apply`."""
        return self.recommendation(view, carried)

    def __call__(self, view: View, carried: Carried) -> Any:
        """Both decisions: for making the weights of both heads."""
        return self.orders(view, carried), self.slates(view, carried)


@dataclass(frozen=True)
class Head:
    """One decision of a network that makes both, in the place of a department's own network."""

    network: SingleActor
    decision: Literal["orders", "slates"]

    @property
    def memory(self) -> MemoryKind:
        return self.network.memory

    def init(self, *inputs: Any) -> Any:
        """The weights of both heads."""
        return self.network.init(*inputs)

    def apply(self, weights: Any, *inputs: Any) -> Any:
        """This head's decision."""
        return self.network.apply(weights, *inputs, method=self.decision)

    def start(self, news: int, products: int) -> Carried:
        """The memory of a store not yet seen."""
        return empty_memory(self.network.memory, self.network.width, news, products)
