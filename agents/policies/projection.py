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
UNROLLED = 8
"""Periods written out in one turn of the loop over the lead time, where nothing ages: all of most
stores', and no more, so that long lead times are compiled as quickly as short ones."""


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
    end = Projected(on_arrival=stock, wasted=jnp.zeros_like(stock))
    if counted is None:
        ahead = jnp.arange(params.max_lead_time)
        rows = ahead, deviation, state.pipeline[: params.max_lead_time]
        along = partial(_period_of_goods_that_keep, state, params)
        return jax.lax.scan(along, (stock, end), rows, unroll=UNROLLED)[0][1]
    for ahead in range(params.max_lead_time):
        demand = _demand(state, params, ahead, deviation[ahead])
        left = _left(stock, demand, params)
        oldest = (1.0 - params.fresh_share) * jnp.minimum(demand, stock)
        rows = min(params.max_lead_time - ahead, params.max_shelf_life)
        kept = ageing.kept_of(counted[:rows], oldest, left, params)
        counted = jnp.concatenate([kept[1:], left[None, :]]) - kept[:1]
        counted = counted + _arriving(state.pipeline[ahead], rows, params)
        stock = left - kept[0] + state.pipeline[ahead]
        end = _at_end_of(ahead, stock, kept[0], end, params)
    return end


def _period_of_goods_that_keep(
    state: State,
    params: Params,
    before: tuple[Float[Array, " N"], Projected],
    row: tuple[Int[Array, ""], Float[Array, ""], Float[Array, " N"]],
) -> tuple[tuple[Float[Array, " N"], Projected], None]:
    """Stock one period later, and what is known of the lead times by then."""
    (stock, end), (ahead, deviation, arriving) = before, row
    left = _left(stock, _demand(state, params, ahead, deviation), params)
    stock = left + arriving
    return (stock, _at_end_of(ahead, stock, jnp.zeros_like(stock), end, params)), None


def _left(
    stock: Float[Array, " N"], demand: Float[Array, " N"], params: Params
) -> Float[Array, " N"]:
    return jnp.where(params.backlogged, stock - demand, jnp.maximum(stock - demand, 0.0))


def _at_end_of(
    ahead: int | Int[Array, ""],
    stock: Float[Array, " N"],
    wasted: Float[Array, " N"],
    end: Projected,
    params: Params,
) -> Projected:
    """What is expected of the lead times, with one period more of those that are not over."""
    before = ahead < params.lead_time
    return Projected(
        on_arrival=jnp.where(before, stock, end.on_arrival),
        wasted=end.wasted + jnp.where(before, wasted, 0.0),
    )


def _counted(state: State) -> Float[Array, "A N"] | None:
    """Units on hand up to each row; none where nothing ages."""
    return None if state.expiring is None else jnp.cumsum(state.expiring, 0)


def _demand(
    state: State, params: Params, ahead: int | Int[Array, ""], deviation: Float[Array, ""]
) -> Float[Array, " N"]:
    """Units asked for so many periods ahead, this many standard deviations from the forecast."""
    season = season_index(params)[(state.period + ahead) % params.season_length]
    mean = state.forecast * season
    spread = jnp.sqrt(mean + (params.demand_noise * mean) ** 2 + 1e-9)
    return jnp.maximum(mean + deviation * spread, 0.0)


def _arriving(units: Float[Array, " N"], rows: int, params: Params) -> Float[Array, "rows N"]:
    """Units that arrive, counted in the rows that include theirs."""
    own = ageing.arrival_row(params)
    return jnp.where(jnp.arange(rows)[:, None] >= own[None, :], units[None, :], 0.0)
