"""What coordination is worth, exactly: the joint optimum against departments that decide apart.

Every number is an average profit per period of one small store, by dynamic programming on the
store itself (`jaxsim.optimum`).
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from agents.rewards import recommendation_kpi, replenishment_kpi
from jaxsim import exact, store
from jaxsim.exact import FREE, Allowed, Day, Grid
from jaxsim.optimum import Optimum, Restriction, average_worth, best, optimum
from jaxsim.params import Params
from jaxsim.records import Flows

MOST_EXCHANGES = 10


@dataclass(frozen=True)
class Benchmarks:
    """Average profit per period of one store, by who coordinates how."""

    joint: float  # orders and slates together
    myopic: float  # slates for today's sales from stock, and the best orders for them
    stock_blind: float  # the best fixed slates, and the best orders for them
    silo: float  # each department best for its own KPI, given the other

    def gaps(self) -> dict[str, float]:
        """How far each falls short of the joint optimum, in percent of it."""
        short = lambda profit: 100 * (self.joint - profit) / abs(self.joint)  # noqa: E731
        return {
            "silo_gap": short(self.silo),
            "stock_blind_gap": short(self.stock_blind),
            "myopic_gap": short(self.myopic),
        }


def benchmarks_of(params: Params, tolerance: float = 1e-3) -> Benchmarks:
    """All four on one store. Raises `ExactError` for a store beyond the exact model."""
    fixed = [
        optimum(params, always(number), tolerance).profit
        for number in range(len(exact.joint_slates(params)))
    ]
    return Benchmarks(
        joint=optimum(params, tolerance=tolerance).profit,
        myopic=optimum(params, myopic(params), tolerance).profit,
        stock_blind=max(fixed),
        silo=siloed(params, tolerance),
    )


def always(number: int) -> Restriction:
    """One joint slate whatever is in stock, and free orders."""

    def restriction(day: Day, grid: Grid) -> Allowed:
        chosen = jnp.arange(day.worth.shape[0])[:, None] == number
        return Allowed(jnp.broadcast_to(chosen, day.worth.shape), jnp.full(len(grid.order), FREE))

    return restriction


def myopic(params: Params) -> Restriction:
    """The slates that are best for today alone, with stock carried at cost, and free orders."""

    def restriction(day: Day, grid: Grid) -> Allowed:
        carried = jnp.maximum(jnp.asarray(grid.stocks), 0.0) @ params.cost
        today = day.worth + day.leaves @ carried
        best = today >= today.max(0) - 1e-5 * jnp.abs(today).max()
        return Allowed(best, jnp.full(len(grid.order), FREE))

    return restriction


def best_base_stock(params: Params, tolerance: float = 1e-3) -> tuple[float, tuple[int, ...]]:
    """Best base-stock levels with the best slates for them: average profit and levels.

    Searched by one product after the other until no level moves.
    """
    start = optimum(params, tolerance=tolerance)
    free = start.grid
    levels = [most // 2 for most in free.on_hand]
    most_profit, moved = -np.inf, True
    while moved:
        moved = False
        for product, most in enumerate(free.on_hand):
            for level in range(most + max(free.lead_time[product] - 1, 0) * free.order[product]):
                tried = [*levels[:product], level, *levels[product + 1 :]]
                profit = _of_levels(start, tried, tolerance)
                if profit > most_profit + tolerance:
                    most_profit, levels, moved = profit, tried, True
    return most_profit, tuple(levels)


def siloed(params: Params, tolerance: float = 1e-3) -> float:
    """Profit where each department is best for its own KPI, given what the other does, once
    neither moves any more.

    Recommendation fixes the slates with most gross margin of what is asked for, over the stock-outs
    it meets; replenishment orders at least cost for the demand that these slates bring.
    """
    slate = 0
    for _ in range(MOST_EXCHANGES):
        orders = optimum(
            params, always(slate), tolerance, _replenishment_worth, jnp.zeros(params.products)
        )
        following = _best_fixed_slate(orders)
        if following == slate:
            break
        slate = following
    day = exact.day_of(jnp.asarray(orders.slates), params, orders.grid)
    return average_worth(orders, day)


def _best_fixed_slate(orders: Optimum) -> int:
    """The joint slate with most gross margin of demand where stock is as these orders leave it."""
    wishes = exact.day_of(
        jnp.asarray(orders.slates), orders.params, orders.grid, _recommendation_worth
    )
    over = orders.long_run
    met = orders.met_by_demand(over.states)
    return int((np.asarray(wishes.worth)[:, met] @ over.share).argmax())


def _of_levels(found: Optimum, levels: list[int], tolerance: float) -> float:
    allowed = Allowed(jnp.ones(found.day.worth.shape, bool), jnp.asarray(levels, jnp.float32))
    fees = exact.Fees(found.params.cost, found.params.order_cost)
    return float(best(found.day, allowed, fees, found.grid, tolerance).profit)


def _replenishment_worth(flows: Flows, params: Params) -> jnp.ndarray:
    """Who waits counts when asking, as in `exact.sales_profit`."""
    waiting_margin = (params.price - params.cost) * flows.waiting
    return (replenishment_kpi(store.account(flows, params), params) + waiting_margin).sum()


def _recommendation_worth(flows: Flows, params: Params) -> jnp.ndarray:
    return recommendation_kpi(flows, params).sum()
