"""Known answers for goods that age: the exact solver beside published figures and the simulator."""

from collections.abc import Iterator
from typing import Any

import jax

from agents.evaluation.simulation import interval, profit_per_period, simulate
from jaxsim.exact import known_perishables as known
from jaxsim.exact.perishable import Perishable, base_stock, best_base_stock, best_orders, chain_of
from jaxsim.exact.perishable_rules import best_rules

SEED = 0
STORES, PERIODS, BURN_IN = 256, 1000, 50


def perishable_rows() -> Iterator[dict[str, Any]]:
    """A row for each of De Moor, Gijsbrechts and Boute's (2022) 32 products."""
    return (perishable_row(*each) for each in known.instances())


def perishable_row(shelf_life: int, experiment: int) -> dict[str, Any]:
    """Average cost in money per period of the optimum and of the best base-stock policy, that of
    the optimum in the simulator with its 95 % interval, and the discounted cost of both as
    published: over 365 periods after 100 from an empty store."""
    product = known.published(shelf_life, experiment)
    averages, optimum, level = _averages(product, "rounded-gamma")
    discounted = best_orders(product, known.DISCOUNT, start=optimum.value)
    policies = {"discounted_cost": discounted.order, "discounted_base_stock_cost": level}
    horizon = known.DISCOUNT, known.WARM_UP, known.PERIODS
    row = {"shelf_life": shelf_life, "experiment": experiment} | averages
    row |= {name: chain_of(product, order).episode(*horizon) for name, order in policies.items()}
    if (shelf_life, experiment) in known.RETURNS:
        cost, of_base_stock = known.RETURNS[shelf_life, experiment]
        row |= {"published": cost, "published_base_stock_cost": of_base_stock}
    return row


def poisson_rows() -> Iterator[dict[str, Any]]:
    """The same averages for a shelf life of 2 and Poisson demand of mean 4, with and without a unit
    cost; and of order rules, each with the settings that are best for it."""
    for lifo, cost in known.poisson_instances():
        product = known.poisson(lifo, cost)
        averages, *_ = _averages(product, "poisson")
        rules = {
            rule: {"settings": settings, "cost": of_rule}
            for rule, (settings, of_rule) in best_rules(product).items()
        }
        yield {"shelf_life": 2, "cost": cost} | averages | {"rules": rules}


def _averages(product: Perishable, family: str) -> tuple[dict[str, Any], Any, Any]:
    """Average costs, the optimum, and the orders of the best base-stock policy."""
    optimum = best_orders(product)
    level, cost = best_base_stock(product)
    policy, params = known.table_of(product, optimum.order), known.store_of(product, family)
    totals = simulate(jax.random.key(SEED), policy, params, STORES, PERIODS, BURN_IN)
    simulated, ci95 = interval(-profit_per_period(jax.device_get(totals), PERIODS))
    row = {
        "lead_time": product.lead_time,
        "issuing": "LIFO" if product.lifo else "FIFO",
        "optimal_cost": optimum.cost,
        "bound": optimum.bound,
        "base_stock": level,
        "base_stock_cost": cost,
        "simulated_cost": simulated,
        "simulated_ci95": ci95,
    }
    return row, optimum, base_stock(product, level)
