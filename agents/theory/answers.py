"""The theory as a study: known answers, the pair store, and what coordination is worth.

Everything is computed exactly by `jaxsim.exact.optimum`; responses over time are those of the exact
policy, simulated.
"""

import itertools
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import jax
import numpy as np

from agents.theory.coordination import value_rows
from agents.theory.foresight import foresight_rows, goodwill_rows, overstock_rows
from agents.theory.perishables import perishable_rows, poisson_rows
from agents.theory.restricted import benchmarks_of, best_base_stock
from jaxsim import responses, scenarios
from jaxsim.exact import classical
from jaxsim.exact.optimum import Optimum, optimum
from jaxsim.exact.policy import policy_of
from jaxsim.exact.structure import structure_of
from jaxsim.exact.tables import Tables

TOLERANCE = 2e-5  # money per period
SEED = 0
SHOCKS = {"surge": 1.0, "delay": 1.0, "overstock": 6.0}
"""Units of each shock (1 for those that are there or not)."""


def study(announce: Callable[[str], None]) -> dict[str, Any]:
    """Everything that `docs/theory.md` reads, by section, as numbers, lists and dictionaries.
    `announce` is told what comes next: it takes minutes."""
    pair = scenarios.get("pair").params()
    announce("lost sales: 32 stores")
    instances = classical.lost_sales_grid()
    found: dict[str, Any] = {
        "lost_sales": [classical.lost_sales_row(*each, TOLERANCE) for each in instances]
    }
    announce("backlog: 8 stores; newsvendor; choice")
    instances = itertools.product((4.0, 9.0), classical.LEAD_TIMES)
    found |= {
        "backlog": [classical.backlog_row(*each, TOLERANCE) for each in instances],
        "newsvendor": classical.newsvendor_row(TOLERANCE),
        "mnl": classical.mnl_row(),
    }
    announce("goods that age: 36 products")
    found |= {"perishable": list(perishable_rows()), "perishable_poisson": list(poisson_rows())}
    announce("the pair store, and how its best policy answers")
    tables = Tables(pair)
    joint = optimum(tables, tolerance=TOLERANCE)
    base_stock, levels = best_base_stock(tables, TOLERANCE)
    restricted = {"base_stock": base_stock, "base_stock_levels": list(levels)}
    found |= {
        "pair": asdict(benchmarks_of(tables, TOLERANCE)) | restricted,
        "structure": structure_of(joint),
        "responses": responses_of(joint),
    }
    announce("what coordination is worth: curves and maps")
    found["value_of_coordination"] = list(value_rows(pair, TOLERANCE))
    announce("where looking ahead pays")
    return found | {
        "foresight": list(foresight_rows(pair, TOLERANCE)),
        "overstock": list(overstock_rows(pair, TOLERANCE)),
        "goodwill": list(goodwill_rows(pair, TOLERANCE)),
    }


def responses_of(found: Optimum) -> dict[str, Any]:
    """Over time and across products, of an exact policy in the simulator."""
    params, policy, key = found.tables.params, policy_of(found), jax.random.key(SEED)
    lags = max(6, 2 * int(params.lead_time.max()))
    over_time: dict[str, list] = {kind: [] for kind in SHOCKS}
    for kind, product in itertools.product(SHOCKS, range(params.products)):
        shock = responses.shock_of(params, kind, product, SHOCKS[kind])
        answer = responses.impulse_response(key, policy, params, shock, lags)
        over_time[kind].append(_plain(answer))
    across = _plain(responses.cross_response(key, policy, params))
    return {"over_time": over_time, "across": across}


def _plain(answers: responses.Impulse | responses.CrossResponse) -> dict[str, Any]:
    """Means and standard errors by name, as nested lists."""
    return {
        name: {"mean": np.asarray(each.mean).tolist(), "error": np.asarray(each.error).tolist()}
        for name, each in vars(answers).items()
    }
