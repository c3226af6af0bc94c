"""The classical problems inside the store, solved exactly, each beside its published answer."""

import itertools
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxsim import choice, scenarios
from jaxsim.exact import published
from jaxsim.exact.one_product import best_base_stock_level, best_projected_level
from jaxsim.exact.optimum import Optimum, optimum
from jaxsim.exact.structure import position_after_ordering
from jaxsim.needs import Needs
from jaxsim.params import Params

PENALTIES = (4.0, 9.0, 19.0, 39.0)
LEAD_TIMES = (1, 2, 3, 4)
PROJECTED = 2
"""Longest lead time for which the best projected level is searched for: that takes hundreds of
policies, each of them on as many states as the optimum."""


def lost_sales_grid() -> Iterable[tuple[str, float, int]]:
    """Family, penalty and lead time of Zipkin's (2008) instances."""
    return itertools.product(("poisson", "geometric"), PENALTIES, LEAD_TIMES)


def lost_sales_row(family: str, penalty: float, lead_time: int, tolerance: float) -> dict[str, Any]:
    """Optimal cost, and that of the best base-stock policy, in money per period; for lead times up
    to `PROJECTED` that of the best projected inventory level."""
    params, which = one_product("lost-sales", penalty, lead_time, family), (family, penalty)
    level, cost = best_base_stock_level(params)
    found = optimum(params, tolerance=tolerance)
    row = {
        "family": family,
        "penalty": penalty,
        "lead_time": lead_time,
        "optimal_cost": -found.profit,
        "bound": found.bound,
        "best_base_stock": level,
        "best_base_stock_cost": cost,
    }
    if lead_time <= PROJECTED:
        names = ("projected_level", "projected_level_cost")
        row |= dict(zip(names, best_projected_level(params), strict=True))
    if which in published.LOST_SALES:
        row["published"] = published.LOST_SALES[which][lead_time - 1]
    if which in published.BASE_STOCK:
        stock, cost = published.BASE_STOCK[which][lead_time - 1]
        row |= {"published_base_stock": stock, "published_base_stock_cost": cost}
    return row


def backlog_row(penalty: float, lead_time: int, tolerance: float) -> dict[str, Any]:
    """The optimum, which is a base-stock policy, and the level it orders up to."""
    found = optimum(one_product("backlog", penalty, lead_time, "poisson"), tolerance=tolerance)
    level, cost = published.BACKLOG[penalty][lead_time - 1]
    return {
        "penalty": penalty,
        "lead_time": lead_time,
        "base_stock": order_up_to_level(found),
        "cost": -found.profit,
        "bound": found.bound,
        "published_base_stock": level,
        "published": cost,
    }


def newsvendor_row(tolerance: float) -> dict[str, Any]:
    """The textbook's normal newsvendor by formula, and the store's, with Poisson demand, by the
    solver and by formula: with stock that stays, the same problem every day."""
    case = published.NEWSVENDOR
    both = case["holding"] + case["penalty"]
    safety = stats.norm.ppf(case["penalty"] / both)
    params = scenarios.get("newsvendor").params()
    found = optimum(params, tolerance=tolerance)
    law = stats.poisson(float(params.arrivals.sum()))
    holding, penalty = float(params.holding[0]), float(params.penalty[0])
    level = int(law.ppf(penalty / (penalty + holding)))
    demand = np.arange(int(law.isf(1e-15)))
    cost = holding * np.maximum(level - demand, 0) + penalty * np.maximum(demand - level, 0)
    return {
        "normal_level": case["mean"] + safety * case["deviation"],
        "normal_cost": both * case["deviation"] * stats.norm.pdf(safety),
        "published_level": published.NEWSVENDOR_ANSWER["level"],
        "published": published.NEWSVENDOR_ANSWER["cost"],
        "level": level,
        "cost": float(law.pmf(demand) @ cost),
        "solver_level": order_up_to_level(found),
        "solver_cost": -found.profit,
    }


def mnl_row() -> dict[str, Any]:
    """Choice shares by the store's own code, with all products and without the first."""
    weights = jnp.asarray([published.MNL_WEIGHTS])
    one_need = Needs(jnp.zeros(len(published.MNL_WEIGHTS), int), jnp.ones((1, 1)))
    shares = [
        choice.choice_shares(weights, jnp.asarray(available), one_need)[0].tolist()
        for available in ([1.0, 1.0, 1.0], [0.0, 1.0, 1.0])
    ]
    return {"weights": published.MNL_WEIGHTS, "shares": shares, "published": published.MNL_SHARES}


def order_up_to_level(found: Optimum) -> int:
    """Inventory position after ordering, where a one-product store orders most often."""
    over = found.long_run
    ordered = found.rule.order[over.states, 0] > 0
    levels, which = np.unique(position_after_ordering(found, 0)[ordered], return_inverse=True)
    return int(levels[np.bincount(which, over.share[ordered]).argmax()])


def one_product(scenario: str, penalty: float, lead_time: int, family: str) -> Params:
    """A one-product scenario with another penalty, lead time and family of demand."""
    changes = {"penalty": jnp.full(1, penalty), "lead_time": jnp.full(1, lead_time, jnp.int32)}
    params = scenarios.get(scenario).params()
    return params.replace(**changes, family=family, max_lead_time=max(lead_time, 1))
