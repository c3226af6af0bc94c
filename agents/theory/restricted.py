"""What coordination is worth, exactly: the joint optimum against departments that decide apart.

Every number is a profit per period of one small store, by dynamic programming on the store itself
(`jaxsim.exact.optimum`).
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from agents.learning.rewards import recommendation_kpi, replenishment_kpi
from jaxsim.exact import optimum as exact
from jaxsim.exact import truncation
from jaxsim.exact.grid import Grid
from jaxsim.exact.optimum import Optimum, Restriction, anything, optimum
from jaxsim.exact.solver import FREE
from jaxsim.exact.stationary import Decisions
from jaxsim.exact.structure import position_after_ordering
from jaxsim.exact.tables import Allowed, Tables
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
        best = self.joint
        profits = {"silo": self.silo, "stock_blind": self.stock_blind, "myopic": self.myopic}
        return {
            f"{name}_gap": 100 * (best - profit) / best if best > NOTHING else None
            for name, profit in profits.items()
        }


def benchmarks_of(tables: Tables, tolerance: float = 1e-3) -> Benchmarks:
    """All four on one store. Raises `ExactError` for a store beyond the exact model."""
    return Benchmarks(
        joint=optimum(tables, anything, tolerance).profit,
        myopic=optimum(tables, myopic, tolerance).profit,
        stock_blind=best_stock_blind(tables, tolerance).profit,
        silo=exact.average_worth(siloed(tables, tolerance)),
    )


def myopic(tables: Tables, flows: Flows) -> Allowed:
    """The slates that are best for today alone, with stock carried at cost, and free orders."""
    today = exact.sales_profit(flows, tables.params) + jnp.asarray(flows.left) @ tables.params.cost
    best = today >= today.max(1, keepdims=True) - 1e-5 * jnp.abs(today).max()
    return Allowed(best, jnp.full(tables.params.products, FREE))


def blind(following: tuple[int, ...]) -> Restriction:
    """Slates that ignore stock, and free orders: the joint slate `following[m]` where customers
    remember joint slate m, one for all where they do not tire."""

    def restriction(tables: Tables, flows: Flows) -> Allowed:
        slates = (
            jnp.arange(len(tables.slates))[None, :, None] == jnp.asarray(following)[:, None, None]
        )
        allowed = jnp.broadcast_to(slates, flows.asked.shape[:3])
        return Allowed(allowed, jnp.full(tables.params.products, FREE))

    return restriction


def up_to(levels: tuple[int, ...]) -> Restriction:
    """Every slate, and orders up to a base-stock level of each product."""

    def restriction(tables: Tables, flows: Flows) -> Allowed:
        return Allowed(anything(tables, flows).slates, jnp.asarray(levels, jnp.float32))

    return restriction


def best_stock_blind(tables: Tables, tolerance: float = 1e-3) -> Optimum:
    """The best slates that ignore stock, with the best orders for them."""
    found = (optimum(tables, blind(each), tolerance) for each in _stock_blind(tables))
    return max(found, key=lambda each: each.profit)


def best_base_stock(tables: Tables, tolerance: float = 1e-3) -> tuple[float, tuple[int, ...]]:
    """Best base-stock levels with the best slates for them: average profit and levels. Searched
    from the optimum's own mean positions, two units around, until no level moves."""
    found = optimum(tables, anything, tolerance)
    over = found.long_run
    means = [
        over.share @ position_after_ordering(found, each) for each in range(tables.params.products)
    ]
    profit, levels, moved = -np.inf, tuple(round(float(mean)) for mean in means), True
    while moved:
        moved = False
        ranges = (range(max(level - 2, 0), level + 3) for level in levels)
        for tried in itertools.product(*ranges):
            better = optimum(tables, up_to(tried), tolerance).profit
            if better > profit + tolerance:
                profit, levels, moved = better, tried, True
    return profit, levels


def siloed(tables: Tables, tolerance: float = 1e-3) -> Optimum:
    """Each department best for its own KPI, given what the other does, once neither moves any more
    (`jaxsim.exact.optimum.average_worth` of it is the store's profit). Recommendation fixes the
    slates with most gross margin of what is asked for, over the stock-outs it meets, at first none;
    replenishment orders at least cost for the demand these slates bring. There may be other fixed
    points from other slates at first."""
    free = jnp.zeros(tables.params.products)
    slates = _most_wanted(tables, tables.first_grid, None)
    for _ in range(MOST_EXCHANGES):
        orders = optimum(tables, blind(slates), tolerance, _replenishment_worth, free)
        before, slates = slates, _most_wanted(tables, orders.grid, orders.rule)
        if slates == before:
            break
    return orders


def _stock_blind(tables: Tables) -> Iterable[tuple[int, ...]]:
    """Every way to choose a joint slate without looking at stock (see `blind`) that comes to the
    same cycle of slates from everywhere: else there is no one average."""
    slates = range(len(tables.slates))
    remembered = slates if truncation.has_fatigue(tables.params) else range(1)
    for following in itertools.product(slates, repeat=len(remembered)):
        if len({frozenset(_cycle(following, start)) for start in remembered}) == 1:
            yield following


def _cycle(following: tuple[int, ...], start: int = 0) -> list[int]:
    """The joint slates that are remembered in the long run, one after another."""
    for _ in following:
        start = following[start] % len(following)
    cycle = [start]
    while (after := following[cycle[-1]] % len(following)) != start:
        cycle.append(after)
    return cycle


def _most_wanted(tables: Tables, grid: Grid, rule: Decisions | None) -> tuple[int, ...]:
    """The stock-blind slates with most gross margin of demand where stock is as this rule leaves
    it; without a rule, on full shelves."""
    wanted = np.asarray(_recommendation_worth(tables.flows(grid), tables.params), float)
    if rule is None:
        wanted = wanted[..., -1]
    else:
        wanted = wanted[..., rule.met_by_demand(rule.long_run.states)] @ rule.long_run.share
    return max(
        _stock_blind(tables),
        key=lambda following: np.mean(
            [wanted[each, following[each]] for each in _cycle(following)]
        ),
    )


def _replenishment_worth(flows: Flows, params: Params) -> Float[Array, "..."]:
    """Who waits counts when asking, as in `jaxsim.exact.optimum.sales_profit`."""
    margin = jnp.broadcast_to(params.price - params.cost, flows.waiting.shape)
    waiting_margin = margin * flows.waiting
    return (replenishment_kpi(flows, params) + waiting_margin).sum(-1)


def _recommendation_worth(flows: Flows, params: Params) -> Float[Array, "..."]:
    return recommendation_kpi(flows, params).sum(-1)
