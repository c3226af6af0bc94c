"""Where looking ahead pays: stores in which slates chosen for today alone fall short.

A stock-aware myopic recommender with the best orders for it is often as good as the optimum. Each
row here is a store in which it might not be, solved exactly; that it is where a row shows no loss.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import jax.numpy as jnp

from agents.theory.restricted import benchmarks_of, best_stock_blind, blind, myopic
from jaxsim.exact import truncation
from jaxsim.exact.optimum import Tables, anything, optimum
from jaxsim.params import UNLIMITED, Params

DISCOUNT = 0.97
LIFTS = (1.2, 2.4)
OVERSTOCK = 20


@dataclass(frozen=True)
class Regime:
    """A change of the pair store that might need foresight."""

    name: str
    about: str
    params: Params


def regimes(pair: Params) -> list[Regime]:
    """Long and uneven lead times, batches, supply that never suffices, and customers who tire."""
    slow = pair.replace(arrivals=0.5 * pair.arrivals)
    uneven = lambda *leads: slow.replace(lead_time=jnp.asarray(leads), max_lead_time=2)  # noqa: E731
    batch = slow.replace(order_cost=jnp.full(2, 2.0))
    scarce = pair.replace(max_order=jnp.array([1.0, UNLIMITED]))
    scarcer = pair.replace(max_order=jnp.array([2.0, UNLIMITED]), lift=jnp.full(2, 2.4))
    return [
        Regime("pair", "the pair store as it is", pair),
        Regime("slow movers", "half the customers", slow),
        Regime("long lead times", "half the customers, lead time 2", uneven(2, 2)),
        Regime("uneven lead times", "half the customers, lead times 2 and 0", uneven(2, 0)),
        Regime("batches", "half the customers, an order costs 2", batch),
        Regime("scarce supply", "product 1: at most one unit a period", scarce),
        Regime("scarce supply, strong lift", "product 1: at most two; lift 2.4", scarcer),
        *(
            Regime(f"fatigue {weight:g}", "one segment that tires of yesterday's slate", store)
            for weight in (0.5, 1.0, 2.0)
            for store in [tiring(pair, weight)]
        ),
    ]


def tiring(pair: Params, weight: float) -> Params:
    """One segment that likes both products alike and wants less of what it was shown yesterday."""
    per_segment = ("arrivals", "lift", "season", "no_purchase")
    first = {field: getattr(pair, field)[:1] for field in per_segment}
    return pair.replace(
        **first, utility=jnp.zeros((1, pair.products)), fatigue_weight=jnp.full(1, weight)
    )


def foresight_rows(pair: Params, tolerance: float) -> Iterable[dict[str, Any]]:
    """Average profit per period, and how far from the optimum the others are, in percent."""
    for regime in regimes(pair):
        found = benchmarks_of(regime.params, tolerance)
        yield {"regime": regime.name, "about": regime.about} | asdict(found) | found.gaps()


def overstock_rows(pair: Params, tolerance: float) -> Iterable[dict[str, Any]]:
    """Discounted profit of a store that starts with a full shelf, by who chooses the slates."""
    for lift in LIFTS:
        tables = Tables(pair.replace(lift=jnp.full(2, lift)))
        grid = truncation.first_grid(tables.params, tables.slates)
        grid = replace(grid, on_hand=(OVERSTOCK + 3,) * 2)
        # Of the slates that ignore stock, those that are best in the long run.
        numbers = int(best_stock_blind(tables, tolerance).rule.slate[0])
        rules = {"joint": anything, "myopic": myopic, "stock_blind": blind((numbers,))}
        values = {}
        for name, rule in rules.items():
            found = optimum(tables, rule, tolerance, discount=DISCOUNT, grid=grid)
            values[name] = found.profit / (1 - DISCOUNT) + found.solution.value[0]
        for stock in ((4, 4), (OVERSTOCK, 4), (4, OVERSTOCK), (OVERSTOCK, OVERSTOCK)):
            worth = {name: float(value[stock]) for name, value in values.items()}
            lost = {
                f"{name}_loss": worth["joint"] - worth[name] for name in ("myopic", "stock_blind")
            }
            yield {"lift": lift, "discount": DISCOUNT, "stock": stock} | worth | lost
