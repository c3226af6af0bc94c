"""How a policy answers: to a shock, period by period, and to one more unit on a shelf.

Works for every policy of `agents.evaluation.simulation.Policy`. Shocked and unshocked stores
meet the same customers, so that a response is a paired difference.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, PRNGKeyArray

from agents.evaluation.simulation import Policy
from jaxsim import choice, store
from jaxsim.params import Params
from jaxsim.records import Chance, State

SURGE = -0.01
"""Demand of one day in a hundred, as a uniform of `jaxsim.sampling`: the upper tail is 1 %."""
NO_DELIVERY = -1.0
"""A draw below every probability of a stall."""


@struct.dataclass
class Shock:
    """What happens once, by product; all 0 is an ordinary day."""

    surge: Float[Array, " N"]  # 1: as many customers want it as on one day in a hundred
    delay: Float[Array, " N"]  # 1: its supplier moves nothing this period
    overstock: Float[Array, " N"]  # units that appear on the shelf


@struct.dataclass
class Answer:
    """Mean over stores, and its standard error."""

    mean: Array
    error: Array


@struct.dataclass
class Impulse:
    """Shocked less unshocked, by lag (0 is the period of the shock) and product."""

    attention: Answer  # (lags, N), mean over customers
    ordered: Answer  # (lags, N), units
    on_hand: Answer  # (lags, N), units, when deciding
    sold: Answer  # (lags, N), units


@struct.dataclass
class CrossResponse:
    """What one more unit of stock of product i (row) does to product j (column)."""

    attention: Answer  # (N, N), mean over customers
    order: Answer  # (N, N), units


def shock_of(params: Params, kind: str, product: int, units: float = 1.0) -> Shock:
    """A `surge`, a `delay` or an `overstock` (of `units`) of one product."""
    none = jnp.zeros(params.products)
    return Shock(none, none, none).replace(**{kind: none.at[product].set(units)})


@partial(jax.jit, static_argnames=("lags", "stores", "burn_in"))
def impulse_response(
    key: PRNGKeyArray,
    policy: Policy,
    params: Params,
    shock: Shock,
    lags: int,
    stores: int = 4096,
    burn_in: int = 60,
) -> Impulse:
    """The response over lags 0 to `lags` to a shock after `burn_in` periods.

    A delay tells from the next lag on; demand and stock from lag 0 or 1, as the policy sees them.
    """

    keys = jax.random.split(key, stores)
    shocks = jax.tree.map(lambda leaf: jnp.stack([leaf, jnp.zeros_like(leaf)]), shock)
    live = partial(_live, policy=policy, params=params, burn_in=burn_in)
    # Both lives of a store go through the same lines: a policy is compiled once.
    live = jax.vmap(jax.vmap(live, (None, 0, None, 0, 0)), (0, None, None, 0, 0))

    def one_period(carry: tuple[State, Any], period: Array) -> tuple[tuple[State, Any], dict]:
        *carry, news = live(shocks, keys, period, *carry)
        return tuple(carry), jax.tree.map(lambda lived: _answer(lived[0] - lived[1]), news)

    start = jax.vmap(lambda key: (store.reset(key, params), policy.start(params)))(keys)
    twice = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), start)
    _, answers = jax.lax.scan(one_period, twice, jnp.arange(burn_in + lags + 1))
    return Impulse(**jax.tree.map(lambda leaf: leaf[burn_in:], answers))


@partial(jax.jit, static_argnames=("stores", "burn_in"))
def cross_response(
    key: PRNGKeyArray, policy: Policy, params: Params, stores: int = 4096, burn_in: int = 60
) -> CrossResponse:
    """Finite differences over the states that `stores` are in after `burn_in` periods."""
    units = jnp.concatenate([jnp.zeros((1, params.products)), jnp.eye(params.products)])

    def one_store(key: PRNGKeyArray) -> dict[str, Array]:
        state, memory = _warm(key, policy, params, burn_in)

        def decide(more: Float[Array, " N"]) -> tuple[Array, Array]:
            fuller = state.replace(on_hand=state.on_hand + more)
            action, _ = policy.act(_acting(key, burn_in), memory, fuller, params)
            return choice.mean_attention(action.slate, params), jnp.round(action.order)

        attention, order = jax.vmap(decide)(units)
        return {"attention": attention[1:] - attention[0], "order": order[1:] - order[0]}

    answers = jax.vmap(one_store)(jax.random.split(key, stores))
    return CrossResponse(**jax.tree.map(_answer, answers))


def _warm(key: PRNGKeyArray, policy: Policy, params: Params, burn_in: int) -> tuple[State, Any]:
    """A store and the policy's memory of it after `burn_in` ordinary periods."""

    def one_period(carry: tuple[State, Any], period: Array) -> tuple[tuple[State, Any], None]:
        state, memory = carry
        action, memory = policy.act(_acting(key, period), memory, state, params)
        return (store.step(_customers(key, period), state, action, params)[0], memory), None

    start = store.reset(key, params), policy.start(params)
    return jax.lax.scan(one_period, start, jnp.arange(burn_in))[0]


def _live(
    shock: Shock,
    key: PRNGKeyArray,
    period: Array,
    state: State,
    memory: Any,
    policy: Policy,
    params: Params,
    burn_in: int,
) -> tuple[State, Any, dict[str, Float[Array, " N"]]]:
    """One period of one store, with a shock if it is the period after `burn_in`."""
    now = period == burn_in
    state = state.replace(on_hand=state.on_hand + jnp.where(now, shock.overstock, 0.0))
    action, memory = policy.act(_acting(key, period), memory, state, params)
    chance = _shocked(store.draw(_customers(key, period), params), shock, now)
    after, flows = store.advance(chance, state, action, params)
    news = {
        "attention": choice.mean_attention(action.slate, params),
        "ordered": flows.ordered,
        "on_hand": state.on_hand,
        "sold": flows.sold,
    }
    return after, memory, news


def _shocked(chance: Chance, shock: Shock, now: Array) -> Chance:
    return chance.replace(
        demand=jnp.where(now & (shock.surge > 0), SURGE, chance.demand),
        stall=jnp.where(now & (shock.delay > 0), NO_DELIVERY, chance.stall),
    )


def _acting(key: PRNGKeyArray, period: Array | int) -> PRNGKeyArray:
    return jax.random.fold_in(jax.random.fold_in(key, 1), period)


def _customers(key: PRNGKeyArray, period: Array | int) -> PRNGKeyArray:
    return jax.random.fold_in(jax.random.fold_in(key, 2), period)


def _answer(values: Float[Array, "stores ..."]) -> Answer:
    return Answer(values.mean(0), values.std(0) / jnp.sqrt(values.shape[0]))
