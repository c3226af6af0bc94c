"""The networks: equivariant over products and segments, so one set of weights fits any catalogue.

Each reads a `View` of one store (and the department's memory) and is mapped over stores by `vmap`.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsim.views import View

MEMORIES = ("none", "ewma", "gru")
EWMA_MEMORY = (0.5, 0.8, 0.95)
"""Weights of the past in the running averages that `ewma` keeps of the news."""

Carried = Float[Array, "N M"] | None
"""What a department carries from period to period; none where it has no memory."""

small_start = nn.initializers.zeros_init()


class Encoder(nn.Module):
    """Per-product weights with a pooled context of all products, the segments and the store."""

    width: int

    @nn.compact
    def __call__(
        self, view: View, memory: Carried
    ) -> tuple[Float[Array, "N W"], Float[Array, " C"]]:
        features = view.product
        if memory is not None:
            features = jnp.concatenate([features, memory], -1)
        hidden = nn.tanh(nn.Dense(self.width)(features))
        context = jnp.concatenate([hidden.mean(0), view.segment.mean(0), view.store])
        shared = nn.Dense(self.width)(context)
        hidden = nn.tanh(nn.Dense(self.width, use_bias=False)(hidden) + shared)
        return hidden, context


class Memory(nn.Module):
    """What a department carries from period to period, per product: nothing, running averages of
    the news at fixed rates, or a gated recurrent state that is learned."""

    kind: str
    width: int

    @nn.compact
    def __call__(self, view: View, carried: Carried) -> Carried:
        if carried is None:
            return None
        if self.kind == "ewma":
            rates = jnp.asarray(EWMA_MEMORY)
            past = carried.reshape(*view.news.shape, len(EWMA_MEMORY))
            return (rates * past + (1 - rates) * view.news[..., None]).reshape(carried.shape)
        carried, _ = nn.GRUCell(self.width)(carried, view.product)
        return carried

    def size(self, news: int) -> int:
        """Numbers carried per product."""
        return {"none": 0, "ewma": news * len(EWMA_MEMORY), "gru": self.width}[self.kind]


class Trunk(nn.Module):
    """Memory and encoder in one, for heads that share them."""

    width: int
    memory: str

    @nn.compact
    def __call__(
        self, view: View, carried: Carried
    ) -> tuple[Float[Array, "N W"], Float[Array, " C"], Carried]:
        return _read(self, view, carried)


class ReplenishmentActor(nn.Module):
    """Gaussian over each product's safety factor, as a correction to the heuristic one.

    Its spread has a floor: a narrower one never crosses from one whole unit to the next where
    demand is small, and then nothing more is learned.
    """

    width: int
    memory: str
    start_log_std: float = -1.0
    least_log_std: float = -1.5
    trunk: Trunk | None = None  # shared with another head

    @nn.compact
    def __call__(
        self, view: View, carried: Carried
    ) -> tuple[Float[Array, " N"], Float[Array, ""], Carried]:
        hidden, _, carried = (self.trunk or partial(_read, self))(view, carried)
        mean = nn.Dense(1, kernel_init=small_start)(hidden)[:, 0]
        log_std = self.param("log_std", nn.initializers.constant(self.start_log_std), ())
        return mean, jnp.maximum(log_std, self.least_log_std), carried


class RecommendationActor(nn.Module):
    """Scores of every product for every segment, as a correction to the heuristic prior."""

    width: int
    memory: str
    start_sharpness: float = 4.0
    trunk: Trunk | None = None  # shared with another head

    @nn.compact
    def __call__(
        self, view: View, prior: Float[Array, "K N"], carried: Carried
    ) -> tuple[Float[Array, "K N"], Carried]:
        hidden, context, carried = (self.trunk or partial(_read, self))(view, carried)
        everybody = nn.Dense(1, kernel_init=small_start)(hidden)[:, 0]
        product = nn.Dense(self.width // 2, kernel_init=small_start)(hidden)
        crowd = jnp.broadcast_to(context, (view.segment.shape[0], context.shape[0]))
        segment = nn.tanh(nn.Dense(self.width // 2)(jnp.concatenate([view.segment, crowd], -1)))
        pairs = jnp.concatenate([view.pair, prior[..., None]], -1)
        personal = nn.Dense(1, kernel_init=small_start)(pairs)[..., 0]
        log_sharpness = self.param(
            "log_sharpness", nn.initializers.constant(jnp.log(self.start_sharpness)), ()
        )
        return jnp.exp(log_sharpness) * prior + everybody + segment @ product.T + personal, carried


class SingleActor(nn.Module):
    """One network for both decisions: one memory and one encoder, a head for each."""

    width: int
    memory: str

    def setup(self) -> None:
        self.trunk = Trunk(self.width, self.memory)
        self.replenishment = ReplenishmentActor(self.width, self.memory, trunk=self.trunk)
        self.recommendation = RecommendationActor(self.width, self.memory, trunk=self.trunk)

    def orders(self, view: View, carried: Carried) -> tuple[Array, Array, Array]:
        return self.replenishment(view, carried)

    def slates(
        self, view: View, prior: Float[Array, "K N"], carried: Carried
    ) -> tuple[Array, Array]:
        return self.recommendation(view, prior, carried)

    def __call__(self, view: View, prior: Float[Array, "K N"], carried: Carried) -> Any:
        return self.orders(view, carried), self.slates(view, prior, carried)


@dataclass(frozen=True)
class Head:
    """One decision of a network that makes both, in the place of a department's own network."""

    network: SingleActor
    decision: Literal["orders", "slates"]

    @property
    def width(self) -> int:
        return self.network.width

    @property
    def memory(self) -> str:
        return self.network.memory

    def init(self, *inputs: Any) -> Any:
        return self.network.init(*inputs)

    def apply(self, weights: Any, *inputs: Any) -> Any:
        return self.network.apply(weights, *inputs, method=self.decision)


class Critic(nn.Module):
    """Differential value of each product (their sum is the store's), and how the period's chance
    moves that product's temporal difference once it is decided what to show and to order: one
    coefficient per column of chance."""

    width: int
    chance_columns: int

    @nn.compact
    def __call__(
        self, view: View, decision: Float[Array, "N D"]
    ) -> tuple[Float[Array, " N"], Float[Array, "N E"]]:
        hidden, _ = Encoder(self.width)(view, None)
        value = nn.Dense(1, kernel_init=small_start)(hidden)[:, 0]
        decided = nn.tanh(nn.Dense(self.width)(jnp.concatenate([hidden, decision], -1)))
        both = jnp.concatenate([hidden, decided], -1)
        response = nn.Dense(self.chance_columns, kernel_init=small_start)(both)
        return value, response


def _read(
    module: Any, view: View, carried: Carried
) -> tuple[Float[Array, "N W"], Float[Array, " C"], Carried]:
    """What a module makes of its view, with a memory and an encoder of its own."""
    carried = Memory(module.memory, module.width, name="memory")(view, carried)
    return *Encoder(module.width)(view, carried), carried
