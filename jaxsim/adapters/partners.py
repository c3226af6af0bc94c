"""Rules that decide for one department while a learner decides for the other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxsim import ranking, views
from jaxsim.params import Params
from jaxsim.records import State


@dataclass(frozen=True, eq=False)
class Partner:
    """A department as two functions of one store, traceable by JAX.

    Recommendation: `decide(memory, state, params)` returns slates [K, S] of distinct products and
    its memory. Replenishment: `decide(memory, state, params, attention)` returns units to order
    [N] and its memory; `attention` [N] is given by the period's slates, mean over customers. A
    learned department fits as it is: `Partner(department.start, department.order)`, or `.slate`.
    """

    start: Callable[[Params], Any]  # memory at a store's first period
    decide: Callable[..., tuple[Array, Any]]


def order_up_to_cover(state: State, params: Params) -> Float[Array, " N"]:
    """A base-stock rule: orders up to m + sqrt(m) units of inventory position, where m is forecast
    demand over lead time and review interval."""
    stock = views.stock_of(state, params)
    level = stock.protected + jnp.sqrt(stock.protected)
    return jnp.maximum(jnp.round(level) - stock.position, 0.0)


def show_favourites(state: State, params: Params) -> Int[Array, "K S"]:
    """The products with the highest base utility in each segment, whatever is in stock."""
    return ranking.top_slate(params.utility, params.slots)


def rule(decide: Callable[[State, Params], Array]) -> Partner:
    """A partner that decides by the state alone, without a memory."""
    return Partner(lambda _: (), lambda memory, state, params, *_: (decide(state, params), memory))


NEUTRAL = {"replenishment": rule(order_up_to_cover), "recommendation": rule(show_favourites)}
"""The partner of each department where none is given."""
