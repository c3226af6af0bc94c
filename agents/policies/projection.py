"""Stock as it is expected to be when an order placed now arrives: what projected order rules fill
up, and the units that are too old by then.

N products, L rows of the pipeline, A periods that goods keep at most. Source: the projected
inventory level of van Jaarsveld and Arts (arXiv 2101.07519); with ageing, this project.
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int
from scipy.stats import norm, qmc

from jaxsim import ageing
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.store import season_index

PATHS = 8
"""Equally likely courses of demand over which expectations are taken."""
WRITTEN_OUT = 8
"""The longest lead time whose periods are written out one after another, which runs faster; longer
ones would take minutes to compile."""


class Projected(struct.PyTreeNode):
    """What is expected of the lead time of an order placed now, in units."""

    on_arrival: Float[Array, " N"]  # on hand as it arrives, without it; negative: a backlog
    wasted: Float[Array, " N"]  # too old before it arrives


@cache
def _deviations(periods: int) -> Float[np.ndarray, "paths L"]:
    """Demand of each path and period in standard deviations: points of a Sobol sequence, which meet
    every eighth of each period's distribution once."""
    points = qmc.Sobol(periods, scramble=False).random(PATHS) + 0.5 / PATHS
    return norm.ppf(points).astype(np.float32)


def expected(state: State, params: Params) -> Projected:
    """The mean over equally likely paths of demand, each period's about the forecast with the
    spread of a Poisson law and of the product's own shocks."""
    deviations = jnp.asarray(_deviations(params.max_lead_time))
    ends = jax.vmap(partial(_along, state, _counted(state), params))(deviations)
    return jax.tree.map(lambda end: end.mean(0), ends)


def on_mean_demand(state: State, params: Params) -> Projected:
    """The same if demand were its forecast in every period."""
    return _along(state, _counted(state), params, jnp.zeros(params.max_lead_time))


def _along(
    state: State,
    counted: Float[Array, "A N"] | None,
    params: Params,
    deviation: Float[Array, " L"],
) -> Projected:
    """Stock and waste of the lead time on one path of demand. `counted`: units up to each row of
    stock by age, of which those are followed that can be too old within all lead times."""
    stock = state.on_hand - state.backlog
    if counted is None and params.max_lead_time > WRITTEN_OUT:
        return _all_at_once(state, params, deviation)
    end = Projected(on_arrival=stock, wasted=jnp.zeros_like(stock))
    for ahead in range(params.max_lead_time):
        demand = _demand(state, params, ahead, deviation[ahead])
        left = jnp.where(params.backlogged, stock - demand, jnp.maximum(stock - demand, 0.0))
        wasted = jnp.zeros_like(left)
        if counted is not None:
            oldest = (1.0 - params.fresh_share) * jnp.minimum(demand, stock)
            rows = min(params.max_lead_time - ahead, params.max_shelf_life)
            kept = ageing.kept_of(counted[:rows], oldest, left, params)
            wasted = kept[0]
            counted = jnp.concatenate([kept[1:], left[None, :]]) - wasted[None, :]
            counted = counted + _arriving(state.pipeline[ahead], rows, params)
        stock = left - wasted + state.pipeline[ahead]
        before = ahead < params.lead_time
        end = Projected(
            on_arrival=jnp.where(before, stock, end.on_arrival),
            wasted=end.wasted + jnp.where(before, wasted, 0.0),
        )
    return end


def _all_at_once(state: State, params: Params, deviation: Float[Array, " L"]) -> Projected:
    """The same for goods that keep, without a step for each period, however many there are.

    A period makes max(x - d, 0) + a of a stock x. With B the sum of a - d up to it, stock after any
    of them is B + max(x, the largest a - B so far); where customers wait, it is B + x.
    """
    stock, arriving = state.on_hand - state.backlog, state.pipeline[: params.max_lead_time]
    demands = jax.vmap(partial(_demand, state, params))
    change = jnp.cumsum(arriving - demands(jnp.arange(params.max_lead_time), deviation), 0)
    least = jax.lax.cummax(arriving - change, 0)
    kept = jnp.where(params.backlogged, stock[None], jnp.maximum(stock[None], least))
    after = jnp.concatenate([stock[None], change + kept])
    on_arrival = jnp.take_along_axis(after, params.lead_time[None], 0)[0]
    return Projected(on_arrival, wasted=jnp.zeros_like(stock))


def _counted(state: State) -> Float[Array, "A N"] | None:
    """Units on hand up to each row; none where nothing ages."""
    return None if state.expiring is None else jnp.cumsum(state.expiring, 0)


def _demand(
    state: State, params: Params, ahead: int | Int[Array, ""], deviation: Float[Array, ""]
) -> Float[Array, " N"]:
    """Units asked for so many periods ahead, this many standard deviations from the forecast."""
    season = season_index(params)[(state.period + ahead) % params.season_length]
    mean = state.forecast * season
    spread = jnp.sqrt(params.dispersion * mean + (params.demand_noise * mean) ** 2 + 1e-9)
    return jnp.maximum(mean + deviation * spread, 0.0)


def _arriving(units: Float[Array, " N"], rows: int, params: Params) -> Float[Array, "rows N"]:
    """Units that arrive, counted in the rows that include theirs."""
    own = ageing.arrival_row(params)
    return jnp.where(jnp.arange(rows)[:, None] >= own[None, :], units[None, :], 0.0)
