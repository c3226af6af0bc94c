"""Do both departments converge when the schedules satisfy the conditions? And when not?

Plain policy gradient on three clocks: the score function times the temporal difference, stochastic
gradient steps, no clipping: what two-timescale theory speaks about (Konda and Tsitsiklis 2000).
Two tabular departments learn in the simulator; how far they are is measured exactly.
"""

import itertools
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import struct
from jaxtyping import Array, Float, PRNGKeyArray

from agents.learning.timescales import rate_at
from jaxsim import scenarios, store
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
RATES = (2.0, 0.4, 0.4)
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
    """One row per schedule, seed and moment of measuring: at the start, and `measured` times evenly
    on a log scale up to `updates`. All exact: average profit, the norms of its gradient in both
    departments' logits, how far the slates are from the best response to these orders, and both
    from the joint optimum (money per period)."""
    small = tabular(tiny_store(), SHELF)
    best = small.optimum()
    which = pd.DataFrame(itertools.product(SCHEDULES, range(seeds)), columns=["schedule", "seed"])
    which.insert(1, "satisfies", which["schedule"] == SATISFIED)
    keys = jnp.tile(jax.random.split(jax.random.key(0), seeds), len(SCHEDULES))
    runs = jax.vmap(partial(started, small))(keys)
    exponents = jnp.repeat(jnp.array(list(SCHEDULES.values())), seeds, 0)
    learn = jax.jit(jax.vmap(partial(learned, small), (0, 0, None, None)))
    exact = jax.jit(jax.vmap(jax.value_and_grad(small.profit)))
    frames, done = [], 0
    for moment in (0, *np.unique(np.geomspace(100, updates, measured).astype(int))):
        runs = learn(runs, exponents, jnp.array(RATES), moment - done)
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
    run: TabularRun,
    exponents: Float[Array, " 3"],
    rates: Float[Array, " 3"],
    many: Array,
) -> TabularRun:
    """`many` updates of everybody, each on one period of every store."""
    return jax.lax.fori_loop(0, many, lambda _, now: _update(small, now, exponents, rates), run)


def _update(small: Tabular, run: TabularRun, exponents: Array, rates: Array) -> TabularRun:
    key, slate_key, order_key, chance_key = jax.random.split(run.key, 4)
    seen = jax.vmap(small.position)(run.states)
    order_logits = small.order_logits(run.logits.orders)
    slate = jax.random.categorical(slate_key, run.logits.slates[seen])
    order = jax.random.categorical(order_key, order_logits[seen])
    states, flows = jax.vmap(store.step, (0, 0, 0, None))(
        jax.random.split(chance_key, BATCH),
        run.states,
        Action(order=order.astype(jnp.float32), slate=small.slates[slate]),
        small.params,
    )
    after = jax.vmap(small.position)(states)
    td_error = flows.profit.sum(-1) - run.average + run.values[after] - run.values[seen]

    def score(logits: Logits) -> Float[Array, ""]:
        chosen = jax.nn.log_softmax(logits.slates)[seen, slate]
        ordered = jax.nn.log_softmax(small.order_logits(logits.orders))[seen]
        ordered = jnp.take_along_axis(ordered, order[..., None], -1)[..., 0].sum(-1)
        return ((chosen + ordered) * td_error).mean()

    of_each = jax.vmap(rate_at, (0, 0, None, None))
    critic, fast, slow = of_each(rates, exponents, jnp.float32(OFFSET), run.updates)
    gradient = jax.grad(score)(run.logits)
    slates, orders = run.logits.slates, run.logits.orders
    return TabularRun(
        logits=Logits(slates + fast * gradient.slates, orders + slow * gradient.orders),
        values=run.values.at[seen].add(critic * td_error / BATCH),
        average=run.average + 0.05 * critic * td_error.mean(),
        states=states,
        key=key,
        updates=run.updates + 1,
    )
