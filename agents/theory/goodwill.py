"""What foresight is worth where stock-outs cost goodwill, and so customers of tomorrow.

Goodwill is continuous and beyond the exact solver. What is measured is a lower bound: policies that
are exact for a store without goodwill but with a penalty on lost units, which stands for the
customers they cost. The penalty is chosen on other customers than it is judged on.
"""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents.evaluation.simulation import interval, profit_per_period, simulate
from agents.policies.exact_policy import ExactPolicy, policy_of
from agents.theory.restricted import myopic
from jaxsim.exact.optimum import Restriction, Tables, anything, optimum
from jaxsim.params import Params

PENALTIES = (0.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # money per lost unit
RATES = (0.0, 0.02, 0.05)
TARGET = 0.95  # fill rate at which goodwill stands still
STORES, PERIODS, BURN_IN = 1024, 400, 200


def goodwill_rows(pair: Params, tolerance: float) -> Iterable[dict[str, Any]]:
    """Profit per period with goodwill of the policy blind to it, of the best joint policy with a
    penalty, and of the best with slates for today; paired gains with 95 % intervals."""
    chooses = {
        name: [_policy(pair, rule, each, tolerance) for each in PENALTIES]
        for name, rule in (("joint", anything), ("myopic", myopic))
    }
    for rate in RATES:
        store = pair.replace(goodwill_rate=jnp.float32(rate), goodwill_target=jnp.float32(TARGET))
        best = {name: _best(store, policies) for name, policies in chooses.items()}
        earned = {name: _profits(store, chooses[name][each], 1) for name, each in best.items()}
        unaware = _profits(store, chooses["joint"][0], 1)
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


def _best(store: Params, policies: list[ExactPolicy]) -> int:
    """Which policy earns most on the customers it is chosen on."""
    return int(np.argmax([_profits(store, policy, 0).mean() for policy in policies]))


def _profits(store: Params, policy: ExactPolicy, seed: int) -> np.ndarray:
    """Profit per period of each of the stores."""
    totals = simulate(jax.random.key(seed), policy, store, STORES, PERIODS, BURN_IN)
    return profit_per_period(totals, PERIODS)
