"""What coordination is worth, exactly: the joint optimum against departments that decide apart.

Every number is a profit per period of one small store, by dynamic programming on the store itself
(`jaxsim.exact.optimum`).
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from agents.learning.rewards import recommendation_kpi, replenishment_kpi
from jaxsim.exact import truncation
from jaxsim.exact.grid import Grid
from jaxsim.exact.optimum import (
    Allowed,
    Optimum,
    Restriction,
    Tables,
    anything,
    average_worth,
    optimum,
    sales_profit,
)
from jaxsim.exact.period_tables import Day
from jaxsim.exact.solver import FREE
from jaxsim.exact.stationary import Rule
from jaxsim.params import Params
from jaxsim.records import Flows

MOST_EXCHANGES = 10
NOTHING = 1e-3  # money per period


@dataclass(frozen=True)
class Benchmarks:
    """Average profit per period of one store, by who coordinates how."""

    joint: float  # orders and slates together
    myopic: float  # slates for today's sales from stock, and the best orders for them
    stock_blind: float  # the best slates that ignore stock, and the best orders for them
    silo: float  # each department best for its own KPI, given the other

    def gaps(self) -> dict[str, float | None]:
        """How far each falls short of the joint optimum, in percent of it; none where the best a
        store can do is to earn nothing."""
        short = lambda profit: (  # noqa: E731
            100 * (self.joint - profit) / self.joint if self.joint > NOTHING else None
        )
        return {
            "silo_gap": short(self.silo),
            "stock_blind_gap": short(self.stock_blind),
            "myopic_gap": short(self.myopic),
        }


def benchmarks_of(store: Params | Tables, tolerance: float = 1e-3) -> Benchmarks:
    """All four on one store. Raises `ExactError` for a store beyond the exact model."""
    tables = store if isinstance(store, Tables) else Tables(store)
    return Benchmarks(
        joint=optimum(tables, anything, tolerance).profit,
        myopic=optimum(tables, myopic, tolerance).profit,
        stock_blind=best_stock_blind(tables, tolerance).profit,
        silo=average_worth(siloed(tables, tolerance)),
    )


def myopic(tables: Tables, day: Day, grid: Grid) -> Allowed:
    """The slates that are best for today alone, with stock carried at cost, and free orders."""
    carried = jnp.maximum(jnp.asarray(grid.stocks), 0.0) @ tables.params.cost
    today = sales_profit(day.flows, tables.params) + day.leaves @ carried
    best = today >= today.max(1, keepdims=True) - 1e-5 * jnp.abs(today).max()
    return Allowed(best, jnp.full(grid.products, FREE))


def blind(following: tuple[int, ...]) -> Restriction:
    """Slates that ignore stock, and free orders: the joint slate `following[m]` where customers
    remember joint slate m, one for all where they do not tire."""

    def restriction(tables: Tables, day: Day, grid: Grid) -> Allowed:
        slates = jnp.arange(len(tables.slates))[:, None] == jnp.asarray(following)[:, None, None]
        return Allowed(
            jnp.broadcast_to(slates, day.leaves.shape[:3]), jnp.full(grid.products, FREE)
        )

    return restriction


def up_to(levels: tuple[int, ...]) -> Restriction:
    """Every slate, and orders up to a base-stock level of each product."""

    def restriction(tables: Tables, day: Day, grid: Grid) -> Allowed:
        return Allowed(anything(tables, day, grid).slates, jnp.asarray(levels, jnp.float32))

    return restriction


def best_stock_blind(store: Params | Tables, tolerance: float = 1e-3) -> Optimum:
    """The best slates that ignore stock, with the best orders for them."""
    tables = store if isinstance(store, Tables) else Tables(store)
    found = (optimum(tables, blind(each), tolerance) for each in _stock_blind(tables))
    return max(found, key=lambda each: each.profit)


def best_base_stock(
    store: Params | Tables, tolerance: float = 1e-3
) -> tuple[float, tuple[int, ...]]:
    """Best base-stock levels with the best slates for them: average profit and levels.

    Searched from the optimum's own mean positions, two units around, until no level moves.
    """
    tables = store if isinstance(store, Tables) else Tables(store)
    levels = _mean_position(optimum(tables, anything, tolerance))
    profit, moved = -np.inf, True
    while moved:
        moved = False
        ranges = (range(max(level - 2, 0), level + 3) for level in levels)
        for tried in itertools.product(*ranges):
            better = optimum(tables, up_to(tried), tolerance).profit
            if better > profit + tolerance:
                profit, levels, moved = better, tried, True
    return profit, levels


def siloed(store: Params | Tables, tolerance: float = 1e-3) -> Optimum:
    """Each department best for its own KPI, given what the other does, once neither moves any more
    (`average_worth` of it is the store's profit).

    Recommendation fixes the slates with most gross margin of what is asked for, over the stock-outs
    it meets, at first none; replenishment orders at least cost for the demand these slates bring.
    There may be other fixed points from other slates at first.
    """
    tables = store if isinstance(store, Tables) else Tables(store)
    free = jnp.zeros(tables.params.products)
    slates = _most_wanted(tables, truncation.first_grid(tables.params, tables.slates), None)
    for _ in range(MOST_EXCHANGES):
        orders = optimum(tables, blind(slates), tolerance, _replenishment_worth, free)
        following = _most_wanted(tables, orders.grid, orders.rule)
        if following == slates:
            break
        slates = following
    return orders


def _stock_blind(tables: Tables) -> Iterable[tuple[int, ...]]:
    """Every way to choose a joint slate without looking at stock (see `blind`) that comes to the
    same cycle of slates from everywhere: else there is no one average."""
    slates = range(len(tables.slates))
    remembered = len(slates) if truncation.has_fatigue(tables.params) else 1
    return filter(_has_one_cycle, itertools.product(slates, repeat=remembered))


def _has_one_cycle(following: tuple[int, ...]) -> bool:
    count = len(following)
    ends = list(range(count))
    for _ in range(count):
        ends = [following[remembered] % count for remembered in ends]
    cycle, remembered = set(), ends[0]
    while remembered not in cycle:
        cycle.add(remembered)
        remembered = following[remembered] % count
    return cycle == set(ends)


def _most_wanted(tables: Tables, grid: Grid, rule: Rule | None) -> tuple[int, ...]:
    """The stock-blind slates with most gross margin of demand where stock is as this rule leaves
    it; without a rule, on full shelves."""
    wanted = np.asarray(_recommendation_worth(tables.day(grid).flows, tables.params), float)
    if rule is None:
        wanted = wanted[..., -1]
    else:
        wanted = wanted[..., rule.met_by_demand(rule.long_run.states)] @ rule.long_run.share
    return max(_stock_blind(tables), key=lambda following: _on_its_cycle(wanted, following))


def _on_its_cycle(wanted: Float[np.ndarray, "M A"], following: tuple[int, ...]) -> float:
    """Mean of `wanted` over the joint slates that follow each other in the long run."""
    remembered, total = 0, 0.0
    for _ in following:
        remembered = following[remembered] % len(following)
    whole_cycles = math.lcm(*range(1, len(following) + 1))
    for _ in range(whole_cycles):
        total += wanted[remembered, following[remembered]]
        remembered = following[remembered] % len(following)
    return total / whole_cycles


def _mean_position(found: Optimum) -> tuple[int, ...]:
    """Each product's mean inventory position after ordering, in whole units."""
    grid, over = found.grid, found.long_run
    at = np.stack(np.unravel_index(over.states, grid.shape), -1)
    means = []
    for product in range(grid.products):
        first = grid.first_row(product)
        position = at[:, grid.stock_axis(product)] - grid.owed[product]
        position = position + at[:, first : first + grid.rows[product]].sum(-1)
        means.append(round(float(over.share @ (position + found.rule.order[over.states, product]))))
    return tuple(means)


def _replenishment_worth(flows: Flows, params: Params) -> Float[Array, "..."]:
    """Who waits counts when asking, as in `sales_profit`."""
    waiting_margin = (params.price - params.cost) * flows.waiting
    return (replenishment_kpi(flows, params) + waiting_margin).sum(-1)


def _recommendation_worth(flows: Flows, params: Params) -> Float[Array, "..."]:
    return recommendation_kpi(flows, params).sum(-1)
