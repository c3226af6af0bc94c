"""Base-stock orders of one-product stores, capped or not, simulated: their costs."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, PRNGKeyArray

from jaxsim import store
from jaxsim.params import Params
from jaxsim.records import Action, State

BURN_IN = 100


@struct.dataclass
class OrderUpTo:
    """Base-stock on the inventory position, at most `cap` units an order."""

    level: Float[Array, ""]
    cap: Float[Array, ""]

    def act(self, state: State) -> Action:
        position = state.on_hand + state.pipeline.sum(0) - state.backlog
        order = jnp.clip(self.level - position, 0.0, self.cap)
        return Action(order=order, slate=jnp.zeros((1, 1), jnp.int32))


@partial(jax.jit, static_argnames=("stores", "periods"))
def costs(
    key: PRNGKeyArray, params: Params, policy: OrderUpTo, stores: int, periods: int
) -> Float[Array, "cells stores"]:
    """Mean cost per period of every store of every cell, burn-in dropped."""

    def one_store(params: Params, policy: OrderUpTo, key: PRNGKeyArray) -> Float[Array, ""]:
        def one_period(carry: tuple, period: Array) -> tuple[tuple, None]:
            state, total = carry
            now = jax.random.fold_in(key, period)
            state, flows = store.step(now, state, policy.act(state), params)
            return (state, total - flows.profit.sum() * (period >= BURN_IN)), None

        start = (store.reset(key, params), jnp.zeros(()))
        (_, total), _ = jax.lax.scan(one_period, start, jnp.arange(BURN_IN + periods))
        return total / periods

    over_stores = jax.vmap(one_store, (None, None, 0))
    return jax.vmap(over_stores, (0, 0, None))(params, policy, jax.random.split(key, stores))
