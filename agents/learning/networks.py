"""Which networks a training learns: the project's own, or modules of the user's."""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from agents.policies.encoder import Encoder, MemoryKind, zero_start
from agents.policies.recommendation import RecommendationActor, SlateNetwork
from agents.policies.replenishment import OrderNetwork, ReplenishmentActor
from agents.policies.single import Head, SingleActor
from jaxsim.views import View

CHANCE_COLUMNS = 10
"""Columns of `agents.learning.critic.chance_columns`."""


class Critic(nn.Module):
    """Differential value of each product (their sum is the store's), and how the period's chance
    moves that product's temporal difference once it is decided what to show and to order: one
    coefficient per column of chance."""

    width: int
    chance_columns: int = CHANCE_COLUMNS

    @nn.compact
    def __call__(
        self, view: View, decision: Float[Array, "N D"]
    ) -> tuple[Float[Array, " N"], Float[Array, "N E"]]:
        """Values in units of `money_scale`, and responses to chance."""
        hidden, _ = Encoder(self.width)(view, None)
        value = nn.Dense(1, kernel_init=zero_start)(hidden)[:, 0]
        decided = nn.tanh(nn.Dense(self.width)(jnp.concatenate([hidden, decision], -1)))
        both = jnp.concatenate([hidden, decided], -1)
        response = nn.Dense(self.chance_columns, kernel_init=zero_start)(both)
        return value, response


class Value(nn.Module):
    """Differential value of a store, for the end of a path: the sum of a part of each product and a
    mean part of each segment."""

    width: int

    @nn.compact
    def __call__(self, view: View, share: Float[Array, " K"]) -> Float[Array, ""]:
        """`share`: customers of each segment over their mean."""
        hidden, context = Encoder(self.width)(view, None)
        products = nn.Dense(1, kernel_init=zero_start)(hidden).sum()
        crowd = jnp.broadcast_to(context, (view.segment.shape[0], context.shape[0]))
        known = jnp.concatenate([view.segment, crowd], -1)
        bent = nn.Dense(1, kernel_init=zero_start)(nn.tanh(nn.Dense(self.width)(known)))
        straight = nn.Dense(1, kernel_init=zero_start)(known)
        return products + (share * (bent + straight)[:, 0]).mean()


@dataclass(frozen=True)
class Networks:
    """The networks of a training; each can be a flax module of your own.

    critic: `apply(weights, view, decision)` as `Critic` has it (score). value: `apply(weights,
    view, share)` as `Value` has it (path).
    """

    orders: OrderNetwork
    slates: SlateNetwork
    critic: Any
    value: Any


def default_networks(
    width: int, replenishment_memory: MemoryKind, recommendation_memory: MemoryKind, single: bool
) -> Networks:
    """The project's own networks; `single`: one network with a head for each decision."""
    if single:
        both = SingleActor(width, replenishment_memory)
        orders, slates = Head(both, "orders"), Head(both, "slates")
    else:
        orders = ReplenishmentActor(width, replenishment_memory)
        slates = RecommendationActor(width, recommendation_memory)
    # flax types what `apply` takes by its variables alone.
    return Networks(orders, slates, Critic(width), Value(width))  # pyright: ignore[reportArgumentType]
