"""Where looking ahead pays: stores in which slates chosen for today alone fall short.

A stock-aware myopic recommender with the best orders for it is often as good as the optimum. Each
row here is a store in which it might not be, solved exactly; that it is where a row shows no loss.

Where stock-outs cost goodwill, and so customers of tomorrow, the solver does not reach: goodwill is
continuous. What is measured there is a lower bound: policies that are exact for a store without
goodwill but with a penalty on lost units, which stands for the customers they cost. The penalty is
chosen on other customers than it is judged on.
"""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents.evaluation.simulation import interval, profit_per_period, simulate
from agents.theory.restricted import benchmarks_of, best_stock_blind, blind, myopic
from jaxsim.exact.optimum import Restriction, anything, optimum
from jaxsim.exact.policy import ExactPolicy, policy_of
from jaxsim.exact.tables import Tables
from jaxsim.params import UNLIMITED, Params

DISCOUNT = 0.97
LIFTS = (1.2, 2.4)
OVERSTOCK = 20
PENALTIES = (0.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # money per lost unit
RATES = (0.0, 0.02, 0.05)
TARGET = 0.95  # fill rate at which goodwill stands still
STORES, PERIODS, BURN_IN = 1024, 400, 200


def regimes(pair: Params) -> dict[str, tuple[str, Params]]:
    """By name, in a few words, changes of the pair store that might need foresight: long and uneven
    lead times, batches, supply that never suffices, and customers who tire."""
    slow = pair.replace(arrivals=0.5 * pair.arrivals)
    late, uneven = (
        slow.replace(lead_time=jnp.array(leads), max_lead_time=2) for leads in ((2, 2), (2, 0))
    )
    batch = slow.replace(order_cost=jnp.full(2, 2.0))
    scarce = pair.replace(max_order=jnp.array([1.0, UNLIMITED]))
    scarcer = pair.replace(max_order=jnp.array([2.0, UNLIMITED]), lift=jnp.full(2, 2.4))
    tired = "one segment that tires of yesterday's slate"
    return {
        "pair": ("the pair store as it is", pair),
        "slow movers": ("half the customers", slow),
        "long lead times": ("half the customers, lead time 2", late),
        "uneven lead times": ("half the customers, lead times 2 and 0", uneven),
        "batches": ("half the customers, an order costs 2", batch),
        "scarce supply": ("product 1: at most one unit a period", scarce),
        "scarce supply, strong lift": ("product 1: at most two; lift 2.4", scarcer),
        **{f"fatigue {each:g}": (tired, tiring(pair, each)) for each in (0.5, 1.0, 2.0)},
    }


def tiring(pair: Params, weight: float) -> Params:
    """One segment that likes both products alike and wants less of what it was shown yesterday."""
    per_segment = ("arrivals", "lift", "season", "no_purchase")
    first = {field: getattr(pair, field)[:1] for field in per_segment}
    return pair.replace(
        **first, utility=jnp.zeros((1, pair.products)), fatigue_weight=jnp.full(1, weight)
    )


def foresight_rows(pair: Params, tolerance: float) -> Iterable[dict[str, Any]]:
    """Average profit per period, and how far from the optimum the others are, in percent."""
    for name, (about, params) in regimes(pair).items():
        found = benchmarks_of(Tables(params), tolerance)
        yield {"regime": name, "about": about} | asdict(found) | found.gaps()


def overstock_rows(pair: Params, tolerance: float) -> Iterable[dict[str, Any]]:
    """Discounted profit of a store that starts with a full shelf, by who chooses the slates."""
    for lift in LIFTS:
        tables = Tables(pair.replace(lift=jnp.full(2, lift)))
        grid = replace(tables.first_grid, on_hand=(OVERSTOCK + 3,) * 2)
        # Of the slates that ignore stock, those that are best in the long run.
        numbers = int(best_stock_blind(tables, tolerance).rule.slate[0])
        rules = {"joint": anything, "myopic": myopic, "stock_blind": blind((numbers,))}
        values = {}
        for name, rule in rules.items():
            found = optimum(tables, rule, tolerance, discount=DISCOUNT, grid=grid)
            values[name] = found.profit / (1 - DISCOUNT) + found.solution.value[0]
        for stock in ((4, 4), (OVERSTOCK, 4), (4, OVERSTOCK), (OVERSTOCK, OVERSTOCK)):
            worth = {name: float(value[stock]) for name, value in values.items()}
            for name in ("myopic", "stock_blind"):
                worth[f"{name}_loss"] = worth["joint"] - worth[name]
            yield {"lift": lift, "discount": DISCOUNT, "stock": stock} | worth


def goodwill_rows(pair: Params, tolerance: float) -> Iterable[dict[str, Any]]:
    """Profit per period with goodwill of the policy blind to it, of the best joint policy with a
    penalty, and of the best with slates for today; paired gains with 95 % intervals."""
    policies = {
        name: [_policy(pair, rule, each, tolerance) for each in PENALTIES]
        for name, rule in (("joint", anything), ("myopic", myopic))
    }
    for rate in RATES:
        store = pair.replace(goodwill_rate=jnp.float32(rate), goodwill_target=jnp.float32(TARGET))
        best, earned = {}, {}
        for name, own in policies.items():  # chosen on the customers of seed 0, judged on others
            best[name] = int(np.argmax([_profits(store, policy, 0).mean() for policy in own]))
            earned[name] = _profits(store, own[best[name]], 1)
        unaware = _profits(store, policies["joint"][0], 1)
        yield {
            "rate": rate,
            "unaware": float(unaware.mean()),
            **{name: float(each.mean()) for name, each in earned.items()},
            **{f"{name}_penalty": PENALTIES[each] for name, each in best.items()},
            "gain_over_unaware": interval(earned["joint"] - unaware),
            "gain_over_myopic": interval(earned["joint"] - earned["myopic"]),
        }


def _policy(pair: Params, rule: Restriction, penalty: float, tolerance: float) -> ExactPolicy:
    tables = Tables(pair.replace(penalty=jnp.full(pair.products, penalty)))
    return policy_of(optimum(tables, rule, tolerance))


def _profits(store: Params, policy: ExactPolicy, seed: int) -> np.ndarray:
    """Profit per period of each of the stores."""
    totals = simulate(jax.random.key(seed), policy, store, STORES, PERIODS, BURN_IN)
    return profit_per_period(totals, PERIODS)
