"""The theory as a study: known answers, the pair store, and what coordination is worth.

Everything is computed exactly by `jaxsim.exact.optimum`; responses over time are those of the exact
policy, simulated.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from agents.evaluation.responses import (
    CrossResponse,
    Impulse,
    cross_response,
    impulse_response,
    shock_of,
)
from agents.files import open_folder, write_json, write_text
from agents.policies.exact_policy import policy_of
from agents.report import theory_pictures
from agents.report.theory_page import page_of
from agents.theory import classical
from agents.theory.coordination import value_rows
from agents.theory.foresight import foresight_rows, overstock_rows
from agents.theory.goodwill import goodwill_rows
from agents.theory.restricted import benchmarks_of, best_base_stock
from agents.theory.structure import structure_of
from jaxsim import scenarios
from jaxsim.exact.optimum import Optimum, Tables, optimum

TOLERANCE = 2e-5  # money per period
SEED = 0
SHOCKS = {"surge": 1.0, "delay": 1.0, "overstock": 6.0}
THEORY, REPORT = "theory.json", "report.html"


@dataclass(frozen=True)
class TheoryConfig:
    """Solve small stores exactly: known answers, and what coordination is worth."""

    out: Path = Path("runs/theory")
    """Folder for theory.json, report.html and pictures. Files of an earlier run are replaced."""


def study(config: TheoryConfig, announce: Callable[[str], None]) -> dict[str, Any]:
    """Everything, written to `config.out` when complete. Raises `RunError`."""
    folder = open_folder(config.out)
    pair = scenarios.get("pair").params()
    found = known_answers(announce)
    announce("the pair store, and how its best policy answers")
    tables = Tables(pair)
    joint = optimum(tables, tolerance=TOLERANCE)
    found |= {
        "pair": pair_row(tables),
        "structure": structure_of(joint),
        "responses": responses_of(joint),
    }
    announce("what coordination is worth: curves and maps")
    found["value_of_coordination"] = list(value_rows(pair, TOLERANCE))
    announce("where looking ahead pays")
    found |= {
        "foresight": list(foresight_rows(pair, TOLERANCE)),
        "overstock": list(overstock_rows(pair, TOLERANCE)),
        "goodwill": list(goodwill_rows(pair, TOLERANCE)),
    }
    write_json(folder / THEORY, found)
    theory_pictures.draw_curves(found["value_of_coordination"], folder / "value-curves.png")
    theory_pictures.draw_maps(found["value_of_coordination"], folder / "value-maps.png")
    theory_pictures.draw_foresight(found["foresight"], folder / "foresight.png")
    theory_pictures.draw_structure(joint, folder / "structure.png")
    theory_pictures.draw_responses(found["responses"], folder / "responses.png")
    write_text(folder / REPORT, page_of(found))
    return found


def known_answers(announce: Callable[[str], None]) -> dict[str, Any]:
    """The classical problems, each row beside its published answer."""
    announce("lost sales: 32 stores")
    lost_sales = [
        classical.lost_sales_row(*instance, TOLERANCE) for instance in classical.lost_sales_grid()
    ]
    announce("backlog: 8 stores; newsvendor; choice")
    return {
        "lost_sales": lost_sales,
        "backlog": [
            classical.backlog_row(penalty, lead, TOLERANCE)
            for penalty in (4.0, 9.0)
            for lead in classical.LEAD_TIMES
        ],
        "newsvendor": classical.newsvendor_row(TOLERANCE),
        "mnl": classical.mnl_row(),
    }


def pair_row(tables: Tables) -> dict[str, Any]:
    """Average profit per period of the pair store, by who coordinates how."""
    base_stock, levels = best_base_stock(tables, TOLERANCE)
    return asdict(benchmarks_of(tables, TOLERANCE)) | {
        "base_stock": base_stock,
        "base_stock_levels": list(levels),
    }


def responses_of(found: Optimum) -> dict[str, Any]:
    """Over time and across products, of an exact policy in the simulator."""
    params, policy, key = found.tables.params, policy_of(found), jax.random.key(SEED)
    lags = max(6, 2 * int(params.lead_time.max()))
    impulses = {
        kind: [
            _plain(impulse_response(key, policy, params, shock_of(params, kind, each, size), lags))
            for each in range(params.products)
        ]
        for kind, size in SHOCKS.items()
    }
    return {"over_time": impulses, "across": _plain(cross_response(key, policy, params))}


def _plain(answers: Impulse | CrossResponse) -> dict[str, Any]:
    """Means and standard errors by name, as nested lists."""
    return {
        name: {"mean": np.asarray(each.mean).tolist(), "error": np.asarray(each.error).tolist()}
        for name, each in vars(answers).items()
    }
