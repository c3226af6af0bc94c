"""Do both departments converge when the schedules satisfy the conditions? And when not?

Plain policy gradient on three clocks: the score function times the temporal difference, stochastic
gradient steps, no clipping: what two-timescale theory speaks about (Konda and Tsitsiklis 2000).
Two tabular departments learn in the simulator; how far they are is measured exactly.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, PRNGKeyArray

from agents.learning.timescales import rate_at
from agents.theory.tabular import Logits, Tabular, tabular
from jaxsim import scenarios, store
from jaxsim.params import Params
from jaxsim.records import Action, State

SHELF = 5  # units
BATCH = 64  # stores side by side in each run
OFFSET = 1000.0  # n0


@dataclass(frozen=True)
class Schedule:
    """Base rates and exponents of critic, fast (slates) and slow (orders) department."""

    name: str
    satisfies: bool
    exponents: tuple[float, float, float]
    # With departments ten times as fast, the noise of the first few days settles a softmax before
    # its values are known: gradients vanish all the same, but far from the best response.
    rates: tuple[float, float, float] = (2.0, 0.4, 0.4)


SCHEDULES = (
    Schedule("conditions satisfied", True, (0.55, 0.6, 0.8)),
    Schedule("constant rates", False, (0.0, 0.0, 0.0)),
    Schedule("sums finite: exponents 1.5 and 2", False, (1.5, 1.5, 2.0)),
    Schedule("order of clocks reversed", False, (0.55, 0.8, 0.6)),
)


@struct.dataclass
class Tables:
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


def convergence_rows(seeds: int, updates: int, measured: int) -> list[dict[str, Any]]:
    """One row per schedule, seed and moment of measuring: at the start, and `measured` times evenly
    on a log scale up to `updates`.

    All exact: average profit, the norms of its gradient in both departments' logits, how far the
    slates are from the best response to these orders, and both from the joint optimum (money per
    period).
    """
    small = tabular(tiny_store(), SHELF)
    best = small.optimum()
    moments = np.unique(np.geomspace(100, updates, measured).astype(int))
    keys = jnp.tile(jax.random.split(jax.random.key(0), seeds), len(SCHEDULES))
    runs = jax.vmap(lambda key: started(key, small))(keys)
    exponents, rates = (
        jnp.repeat(jnp.array([getattr(each, field) for each in SCHEDULES]), seeds, 0)
        for field in ("exponents", "rates")
    )
    one = lambda run, exponents, rates, many: learned(run, small, exponents, rates, many)  # noqa: E731
    learn = jax.jit(jax.vmap(one, (0, 0, 0, None)))
    exact = jax.jit(jax.value_and_grad(small.profit))
    rows, done = [], 0
    for moment in (0, *moments):
        runs = learn(runs, exponents, rates, moment - done)
        done = moment
        for at, (schedule, seed) in enumerate(itertools.product(SCHEDULES, range(seeds))):
            logits = jax.tree.map(lambda leaf, at=at: leaf[at], runs.logits)
            profit, gradient = exact(logits)
            rows.append(
                {"schedule": schedule.name, "satisfies": schedule.satisfies, "seed": seed}
                | {"updates": int(moment), "profit": float(profit)}
                | {
                    "slate_gradient": float(jnp.linalg.norm(gradient.slates)),
                    "order_gradient": float(jnp.linalg.norm(gradient.orders)),
                    "response_gap": small.best_slates(logits.orders) - float(profit),
                    "optimum_gap": best - float(profit),
                }
            )
    return rows


def started(key: PRNGKeyArray, small: Tabular) -> Tables:
    """Departments that do everything possible equally often."""
    key, reset_key = jax.random.split(key)
    states = jax.vmap(store.reset, (0, None))(jax.random.split(reset_key, BATCH), small.params)
    shelf = jnp.minimum(states.on_hand, small.most)
    states = states.replace(on_hand=shelf, pipeline=jnp.zeros_like(states.pipeline))
    values = jnp.zeros(small.room.shape[0])
    return Tables(small.start(), values, jnp.zeros(()), states, key, jnp.zeros(()))


def learned(
    run: Tables,
    small: Tabular,
    exponents: Float[Array, " 3"],
    rates: Float[Array, " 3"],
    many: Array,
) -> Tables:
    """`many` updates of everybody, each on one period of every store."""
    return jax.lax.fori_loop(0, many, lambda _, now: _update(now, small, exponents, rates), run)


def _update(run: Tables, small: Tabular, exponents: Array, rates: Array) -> Tables:
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

    critic, fast, slow = rate_at(rates, exponents, OFFSET, run.updates)
    gradient = jax.grad(score)(run.logits)
    return Tables(
        logits=Logits(
            run.logits.slates + fast * gradient.slates, run.logits.orders + slow * gradient.orders
        ),
        values=run.values.at[seen].add(critic * td_error / BATCH),
        average=run.average + 0.05 * critic * td_error.mean(),
        states=states,
        key=key,
        updates=run.updates + 1,
    )
