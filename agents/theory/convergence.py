"""Do both departments converge when the schedules satisfy the conditions? And when not?

Plain stochastic gradient steps on three clocks, no clipping: what two-timescale theory speaks
about (Konda and Tsitsiklis 2000). Two tabular departments learn in the simulator, by the score
function times the temporal difference, or by the slope of the ledger with the critic's values at
its end; how far they are is measured exactly.
"""

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import struct
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from agents.learning.timescales import rate_at
from jaxsim import choice, scenarios, store
from jaxsim.exact.tabular import Logits, Tabular, tabular
from jaxsim.params import Params
from jaxsim.records import Action, State

SHELF = 5  # units
BATCH = 64  # stores side by side in each run
OFFSET = 1000.0  # n0


SATISFIED = "conditions satisfied"
SCHEDULES = {
    SATISFIED: (0.55, 0.6, 0.8),
    "constant rates": (0.0, 0.0, 0.0),
    "sums finite: exponents 1.5 and 2": (1.5, 1.5, 2.0),
    "order of clocks reversed": (0.55, 0.8, 0.6),
}
"""Exponents of critic, fast (slates) and slow (orders) department."""
SCORE, SLOPE = "score", "slope"
RATES = {SCORE: (2.0, 0.4, 0.4), SLOPE: (2.0, 0.4, 0.4)}
"""Base rates of the three. With departments ten times as fast, the noise of the first few days
settles a softmax before its values are known: gradients vanish all the same, but far from the best
response."""


class TabularRun(struct.PyTreeNode):
    """What one run carries: both departments, the critic, its stores."""

    logits: Logits
    values: Float[Array, " Z"]  # differential, in money
    average: Float[Array, ""]  # money per period
    states: State
    key: PRNGKeyArray
    updates: Float[Array, ""]


class Day(struct.PyTreeNode):
    """A period of every store, and what was decided in it."""

    seen: Int[Array, " B"]  # number of each store's state
    slate: Int[Array, " B"]  # of the joint slates
    order: Int[Array, "B N"]  # units
    keys: Key[Array, " B"]  # of the period's chance
    states: State


Direction = Callable[[TabularRun, Day, Float[Array, " B"]], Logits]
"""An estimate of the slope of average profit in both departments' logits, from a day and its
temporal differences."""


def tiny_store() -> Params:
    """`pair` with few customers: 36 states."""
    pair = scenarios.get("pair").params()
    return pair.replace(arrivals=jnp.full(2, 0.8), cost=jnp.full(2, 5.0), holding=jnp.full(2, 0.5))


def settings() -> dict[str, Any]:
    """Everything that is fixed here and that the rows depend on, the store included."""
    return {
        "schedules": SCHEDULES, "rates": RATES, "offset": OFFSET, "batch": BATCH, "shelf": SHELF,
        "store": {name: np.asarray(value).tolist() for name, value in vars(tiny_store()).items()},
    }  # fmt: skip


def convergence_rows(seeds: int, updates: int, measured: int) -> pd.DataFrame:
    """One row per learner, schedule, seed and moment of measuring: at the start, and `measured`
    times evenly on a log scale up to `updates`. All exact: average profit, the norms of its
    gradient in both departments' logits, how far the slates are from the best response to these
    orders, and both from the joint optimum (money per period)."""
    small = tabular(tiny_store(), SHELF)
    moments = (0, *np.unique(np.geomspace(100, updates, measured).astype(int)))
    return pd.concat([_rows_of(small, each, seeds, moments) for each in RATES], ignore_index=True)


def _rows_of(small: Tabular, learner: str, seeds: int, moments: Sequence[int]) -> pd.DataFrame:
    """The rows of one learner, its runs side by side."""
    best = small.optimum()
    which = pd.DataFrame(itertools.product(SCHEDULES, range(seeds)), columns=["schedule", "seed"])
    which.insert(0, "learner", learner)
    which.insert(2, "satisfies", which["schedule"] == SATISFIED)
    keys = jnp.tile(jax.random.split(jax.random.key(0), seeds), len(SCHEDULES))
    runs = jax.vmap(partial(started, small))(keys)
    exponents = jnp.repeat(jnp.array(list(SCHEDULES.values())), seeds, 0)
    learn = jax.jit(jax.vmap(partial(learned, small, learner), (0, 0, None, None)))
    exact = jax.jit(jax.vmap(jax.value_and_grad(small.profit)))
    frames, done = [], 0
    for moment in moments:
        runs = learn(runs, exponents, jnp.array(RATES[learner]), moment - done)
        done = moment
        profit, gradient = jax.device_get(exact(runs.logits))
        responses = np.array([small.best_slates(orders) for orders in runs.logits.orders])
        row = {
            "profit": profit.astype(float),
            "slate_gradient": np.sqrt((gradient.slates.astype(float) ** 2).sum((1, 2))),
            "order_gradient": np.sqrt((gradient.orders.astype(float) ** 2).sum((1, 2, 3))),
            "response_gap": responses - profit,
            "optimum_gap": best - profit.astype(float),
        }
        frames.append(which.assign(updates=moment, **row))
    return pd.concat(frames, ignore_index=True)


def started(small: Tabular, key: PRNGKeyArray) -> TabularRun:
    """Departments that do everything possible equally often."""
    key, reset_key = jax.random.split(key)
    states = jax.vmap(store.reset, (0, None))(jax.random.split(reset_key, BATCH), small.params)
    shelf = jnp.minimum(states.on_hand, small.most)
    states = states.replace(on_hand=shelf, pipeline=jnp.zeros_like(states.pipeline))
    values, zero = jnp.zeros(len(small.room)), jnp.zeros(())
    return TabularRun(small.start(), values, zero, states, key, zero)


def learned(
    small: Tabular,
    learner: str,
    run: TabularRun,
    exponents: Float[Array, " 3"],
    rates: Float[Array, " 3"],
    many: Array,
) -> TabularRun:
    """`many` updates of everybody, each on one period of every store."""
    direction = {SCORE: partial(by_score, small), SLOPE: partial(by_slope, small, wanted(small))}
    update = partial(_update, small, direction[learner], exponents, rates)
    return jax.lax.fori_loop(0, many, lambda _, now: update(now), run)


def _update(
    small: Tabular, direction: Direction, exponents: Array, rates: Array, run: TabularRun
) -> TabularRun:
    key, slate_key, order_key, chance_key = jax.random.split(run.key, 4)
    seen = jax.vmap(small.position)(run.states)
    order_logits = small.order_logits(run.logits.orders)
    slate = jax.random.categorical(slate_key, run.logits.slates[seen])
    order = jax.random.categorical(order_key, order_logits[seen])
    day = Day(seen, slate, order, jax.random.split(chance_key, BATCH), run.states)
    states, flows = jax.vmap(store.step, (0, 0, 0, None))(
        day.keys, run.states, _action(small, slate, order), small.params
    )
    after = jax.vmap(small.position)(states)
    td_error = flows.profit.sum(-1) - run.average + run.values[after] - run.values[seen]
    of_each = jax.vmap(rate_at, (0, 0, None, None))
    critic, fast, slow = of_each(rates, exponents, jnp.float32(OFFSET), run.updates)
    gradient = direction(run, day, td_error)
    slates, orders = run.logits.slates, run.logits.orders
    return TabularRun(
        logits=Logits(slates + fast * gradient.slates, orders + slow * gradient.orders),
        values=run.values.at[seen].add(critic * td_error / BATCH),
        average=run.average + 0.05 * critic * td_error.mean(),
        states=states,
        key=key,
        updates=run.updates + 1,
    )


def by_score(small: Tabular, run: TabularRun, day: Day, td_error: Float[Array, " B"]) -> Logits:
    """The score function of what was decided, times the temporal difference."""

    def score(logits: Logits) -> Float[Array, ""]:
        chosen = jax.nn.log_softmax(logits.slates)[day.seen, day.slate]
        ordered = jax.nn.log_softmax(small.order_logits(logits.orders))[day.seen]
        ordered = jnp.take_along_axis(ordered, day.order[..., None], -1)[..., 0].sum(-1)
        return ((chosen + ordered) * td_error).mean()

    return jax.grad(score)(run.logits)


def by_slope(
    small: Tabular,
    rates: Float[Array, "A Z N"],
    run: TabularRun,
    day: Day,
    td_error: Float[Array, " B"],
) -> Logits:
    """What was decided does not matter: the slope of the mean over all slates, each worth what its
    customers are at the ledger's marginal values of demand, and over all order sizes of each
    product, each worth what the critic says of the morning that it leads to. `rates`: `wanted`."""
    del td_error
    of_demand, of_sizes = jax.vmap(partial(_worth, small, run.values))(
        day.keys, day.states, _action(small, day.slate, day.order)
    )
    of_slates = jnp.einsum("abn,bn->ba", rates[:, day.seen], of_demand)

    def expected(logits: Logits) -> Float[Array, ""]:
        slates = jax.nn.softmax(logits.slates)[day.seen]
        orders = jax.nn.softmax(small.order_logits(logits.orders))[day.seen]
        return ((slates * of_slates).sum(-1) + (orders * of_sizes).sum((-1, -2))).mean()

    return jax.grad(expected)(run.logits)


def wanted(small: Tabular) -> Float[Array, "A Z N"]:
    """Mean first-choice demand under each joint slate, in each state."""
    sizes = (small.most + 1,) * small.params.products
    stocks = jnp.stack(jnp.unravel_index(jnp.arange(len(small.room)), sizes), -1)

    def of(slate: Array, on_hand: Array) -> Float[Array, " N"]:
        attention = choice.attention_of(slate, small.params)
        weights = choice.weights_of(attention, jnp.zeros_like(attention), small.params)
        available = jnp.where(small.params.hide_stockouts & (on_hand <= 0), 0.0, 1.0)
        return small.params.arrivals @ choice.choice_shares(weights, available, small.params.needs)

    return jax.vmap(jax.vmap(of, (None, 0)), (0, None))(small.slates, stocks)


def _worth(
    small: Tabular, values: Float[Array, " Z"], key: PRNGKeyArray, state: State, action: Action
) -> tuple[Float[Array, " N"], Float[Array, "N Q"]]:
    """In one store: of one more customer's unit of each product, and of each order size of each
    product beside the other's order, in money up to a constant."""
    chance = store.draw(key, small.params)

    def ledger(more: Float[Array, " N"]) -> tuple[Float[Array, ""], Float[Array, " N"]]:
        after, flows = store.advance(chance.replace(more=more), state, action, small.params)
        return flows.profit.sum() + _value(small, values, after.on_hand), after.on_hand

    of_demand, morning = jax.grad(ledger, has_aux=True)(jnp.zeros(small.params.products))
    units = jnp.arange(small.most + 1.0)

    def of_size(product: Array, size: Array) -> Float[Array, ""]:
        then = morning.at[product].add(size - action.order[product])
        return _at(small, values, then) - small.params.cost[product] * size

    products = jnp.arange(small.params.products)
    return of_demand, jax.vmap(jax.vmap(of_size, (None, 0)), (0, None))(products, units)


def _value(small: Tabular, values: Float[Array, " Z"], stock: Float[Array, " N"]) -> Array:
    """The critic's value of a morning; its slope is the mean of one unit more and one less."""
    units = jnp.eye(len(stock))
    here = jax.lax.stop_gradient(stock)
    at = jax.vmap(partial(_at, small, values))
    slope = (at(here[None] + units) - at(here[None] - units)) / 2
    return _at(small, values, here) + jax.lax.stop_gradient(slope) @ (stock - here)


def _at(small: Tabular, values: Float[Array, " Z"], stock: Float[Array, " N"]) -> Array:
    """The critic's value of a morning's stock, at most what the shelves hold."""
    sizes = (small.most + 1,) * small.params.products
    return values[jnp.ravel_multi_index(tuple(stock.astype(jnp.int32)), sizes, mode="clip")]


def _action(small: Tabular, slate: Int[Array, " B"], order: Int[Array, "B N"]) -> Action:
    return Action(order=order.astype(jnp.float32), slate=small.slates[slate])
