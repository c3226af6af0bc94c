"""Base-stock policies of a store with one product, exactly, where unmet sales are lost.

Source: this project; the cost is convex in the level (Janakiraman and Roundy, 2004).
"""

import math

import numpy as np

from jaxsim import caps
from jaxsim.day import Day, day_of, joint_slates
from jaxsim.grid import Grid
from jaxsim.longrun import Rule, average
from jaxsim.optimum import sales_profit
from jaxsim.params import Params


def base_stock_cost(params: Params, level: int) -> float:
    """Average cost per period of a base-stock level."""
    return _cost(params, _day(params, level), level)


def best_base_stock_level(params: Params) -> tuple[int, float]:
    """The best base-stock level and its average cost per period."""
    (most,) = caps.first_grid(params, joint_slates(params)).on_hand
    day, level = _day(params, most), 3 * most // 4
    cost = {each: _cost(params, day, each) for each in (level, level + 1)}
    step = 1 if cost[level + 1] < cost[level] else -1
    level += step > 0
    while 0 <= level + step <= most:
        cost[level + step] = _cost(params, day, level + step)
        if cost[level + step] >= cost[level]:
            break
        level += step
    return level, cost[level]


def _day(params: Params, most: int) -> Day:
    caps.require_solvable(params, 1.0)
    return day_of(joint_slates(params), params, _grid(params, most))


def _grid(params: Params, level: int) -> Grid:
    """Orders replace what was sold and so may be as large as the level."""
    return Grid((level,), (0,), (level,), (int(params.lead_time[0]),))


def _cost(params: Params, day: Day, level: int) -> float:
    """From a level, days only reach stocks up to it: that corner of the table is enough."""
    grid = _grid(params, level)
    position = np.indices(grid.shape).sum(0).reshape(-1)
    rule = Rule(
        grid=grid,
        leaves=np.asarray(day.leaves)[:, :, : level + 1, : level + 1],
        order=np.maximum(level - position, 0)[:, None],
        slate=np.zeros(math.prod(grid.shape), int),
    )
    worth = np.asarray(sales_profit(day.flows, params), np.float64)[..., : level + 1]
    return -average(rule, worth, params)
