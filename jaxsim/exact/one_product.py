"""Exact costs of order rules in a store with one product whose unmet demand is lost.

Source: this project. Without a cap on orders the cost is convex in the level (Janakiraman and
Roundy, 2004).
"""

import math
from functools import cache

import numpy as np
from jaxtyping import Float

from jaxsim.exact import truncation
from jaxsim.exact.grid import Grid
from jaxsim.exact.optimum import sales_profit
from jaxsim.exact.period_tables import Day, day_of, joint_slates
from jaxsim.exact.stationary import Rule, average
from jaxsim.exact.tables import worth_of
from jaxsim.params import Params


def base_stock_cost(params: Params, level: int, cap: int | None = None) -> float:
    """Average cost in money per period of a base-stock level in units, with orders of at most `cap`
    units. Raises `ExactError`, as all here."""
    return _cost(params, _day(params, level), level, level if cap is None else cap)


def best_base_stock_level(params: Params) -> tuple[int, float]:
    """The best base-stock level in units, and its average cost in money per period."""
    most = _most(params)
    day = _day(params, most)
    cost = cache(lambda level: _cost(params, day, level, level))
    level = 3 * most // 4
    step = 1 if cost(level + 1) < cost(level) else -1
    while 0 <= level + step <= most and cost(level + step) < cost(level):
        level += step
    return level, cost(level)


def best_capped_base_stock(params: Params) -> tuple[int, int, float]:
    """The best base-stock level and cap on orders in units, and their average cost in money per
    period.

    A local search from the best level without a cap and a cap of mean demand: no neighbour is
    better, but a better pair far away is not ruled out.
    """
    most = 2 * _most(params)
    day = _day(params, most)
    cost = cache(lambda level, cap: _cost(params, day, level, cap))
    start, _ = best_base_stock_level(params)
    here, moved = (start, math.ceil(_mean(params))), True
    while moved:
        level, cap = here
        near = [(level + up, cap + wide) for up in (-1, 0, 1) for wide in (-1, 0, 1)]
        best = min((c for c in near if 0 < c[1] <= c[0] <= most), key=lambda c: cost(*c))
        moved = cost(*best) < cost(*here)
        here = best if moved else here
    return *here, cost(*here)


def projected_level_cost(params: Params, level: float) -> float:
    """Average cost in money per period of the projected inventory level of van Jaarsveld and Arts
    (arXiv 2101.07519): an order fills up to `level`, to the nearest unit, what is expected on hand
    when it arrives. The lead time is at least 1."""
    return _projected_level_cost(params, _day(params, _most(params)), level)


def best_projected_level(params: Params) -> tuple[float, float]:
    """The best projected inventory level in units, and its average cost in money per period.

    The cost is ragged in the level: the best whole number is found step by step, then every
    hundredth within a unit of it is tried. A better level further away is not ruled out.
    """
    day = _day(params, _most(params))
    cost = cache(lambda hundredths: _projected_level_cost(params, day, hundredths / 100))
    level, _ = best_base_stock_level(params)
    coming = int(params.lead_time[0]) * round(_mean(params))
    best, moved = 100 * max(level - coming, 1), True
    while moved:
        before, best = best, min((best, best - 100, best + 100), key=cost)
        moved = best != before
    best = min(range(best - 100, best + 101), key=cost)
    return best / 100, cost(best)


def expected_on_arrival(
    leaves: Float[np.ndarray, "stock stock"], rows: tuple[int, ...]
) -> Float[np.ndarray, "..."]:
    """Units expected on hand when an order arrives, before it does, in every state: stock, and the
    orders due before, with `rows` values each. `leaves`: probability of what is left of each stock
    after a period."""
    stock = np.arange(len(leaves))
    expected = leaves @ stock
    for orders in rows[::-1]:
        after = np.minimum(stock[:, None] + np.arange(orders), len(leaves) - 1)
        expected = np.tensordot(leaves, expected[after], 1)
    return expected


def _mean(params: Params) -> float:
    """Units per period where everybody buys."""
    return float(params.arrivals.sum() * params.batch[0])


def _most(params: Params) -> int:
    (most,) = truncation.first_grid(params, joint_slates(params)).on_hand
    return most


def _day(params: Params, most: int) -> Day:
    truncation.require_solvable(params, 1.0)
    truncation.require_single_units(params)
    grid = Grid((most,), (0,), (most,), (int(params.lead_time[0]),))
    return day_of(joint_slates(params), params, grid)


def _projected_level_cost(params: Params, day: Day, level: float) -> float:
    leaves, cap = np.asarray(day.leaves), math.ceil(level)
    grid = Grid((leaves.shape[-1] - 1,), (0,), (cap,), (int(params.lead_time[0]),))
    wanted = level - expected_on_arrival(leaves[0, 0], grid.shape[2:]).reshape(-1)
    order = np.clip(np.floor(wanted + 0.5), 0, cap).astype(int)
    rule = Rule(grid, order[:, None], np.zeros(math.prod(grid.shape), int), leaves)
    return -average(rule, worth_of(day.flows, params, sales_profit), params)


def _cost(params: Params, day: Day, level: int, cap: int) -> float:
    """Stock never exceeds the level, so that the table of `day` up to the level is enough."""
    grid = Grid((level,), (0,), (cap,), (int(params.lead_time[0]),))
    position = np.indices(grid.shape).sum(0).reshape(-1)
    rule = Rule(
        grid=grid,
        leaves=np.asarray(day.leaves)[:, :, : level + 1, : level + 1],
        order=np.clip(level - position, 0, cap)[:, None],
        slate=np.zeros(math.prod(grid.shape), int),
    )
    worth = worth_of(day.flows, params, sales_profit)[..., : level + 1]
    return -average(rule, worth, params)
