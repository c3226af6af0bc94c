"""The inputs and outputs of an exported department as a JSON schema."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.policies.heuristics import RECOMMENDERS, STOCK_BLIND
from agents.policies.recommendation import Recommendation
from agents.policies.replenishment import Replenishment
from jaxsim.params import Params
from jaxsim.scenarios.scenario import Scenario
from jaxsim.view_columns import columns_of
from jaxsim.views import FEATURE_LIMIT

Department = Replenishment | Recommendation
MOST_UNITS = 2**24
"""Whole units up to this are exact in float32."""


@dataclass(frozen=True)
class Input:
    """One field of one store."""

    about: str
    unit: str
    shape: tuple[int, ...]
    low: float
    high: float
    kind: str = "float32"
    whole: bool = False

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the field as nested lists; `unit`, `shape` and `dtype` are annotations."""
        number = {
            "type": "integer" if self.whole else "number",
            "minimum": self.low,
            "maximum": self.high,
        }
        for length in reversed(self.shape):
            number = {"type": "array", "minItems": length, "maxItems": length, "items": number}
        words = {"description": self.about, "unit": self.unit}
        return words | {"shape": list(self.shape), "dtype": self.kind} | number


def inputs_of(department: Department, params: Params) -> dict[str, Input]:
    """The fields of `jaxsim.records.State` that the department's decision depends on, the attention
    of today's slates for replenishment, and its memory if it has one."""
    n, k, rows = params.products, params.segments, params.max_lead_time
    fields = {
        "on_hand": _units("on hand after the day's receipts", (n,)),
        "pipeline": _units("on order; row l arrives l + 1 receipts from now", (rows, n)),
        "expiring": _units(
            "on hand that is wasted after this period (row 0), after the next (row 1), ...; goods "
            "that keep are in no row", (params.max_shelf_life, n),
        ),
        "backlog": _units("owed to waiting customers", (n,)),
        "goodwill": Input(
            "multiplies the customers of each segment", "1", (k,),
            float(params.goodwill_floor), float(params.goodwill_ceiling),
        ),
        "fatigue": Input("running average of the attention given", "attention", (k, n), 0.0, 1.0),
        "attention": Input(
            "what today's slates give, mean over customers", "attention", (n,), 0.0, 1.0
        ),
        "forecast": Input(
            "running estimate of demand, season taken out", "units per period", (n,), 0, MOST_UNITS
        ),
        "sold": _units("sold in the last period, not to waiting customers", (n,)),
        "lost": _units("lost in the last period", (n,)),
        "period": Input(
            "period number; the season starts at 0", "periods", (), 0, 2**31 - 1, "int32", True
        ),
    }  # fmt: skip
    if (memory := department.start(params)) is not None:
        fields["memory"] = Input(
            "what the last decision returned; zeros to begin with", "1",
            np.shape(memory), -FEATURE_LIMIT, FEATURE_LIMIT,
        )  # fmt: skip
    return {name: fields[name] for name in _needed(department, params)}


def schema_of(name: str, department: Department, params: Params, scenario: Scenario) -> dict:
    """The inputs as a JSON Schema (draft 2020-12) of one store, with the outputs, what the numbers
    are turned into inside the program, and the names of products and segments."""
    inputs = inputs_of(department, params)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{name} of {scenario.name}",
        "description": "One store's inputs. A batch has one more axis in front of every field.",
        "type": "object",
        "required": list(inputs),
        "additionalProperties": False,
        "properties": {field: each.schema() for field, each in inputs.items()},
        "outputs": _outputs(name, department, params),
        "normalisation": {
            "where": "inside the program: inputs are given raw",
            "clipped_to": [-FEATURE_LIMIT, FEATURE_LIMIT],
            "features": columns_of(name, params),
        },
        "products": scenario.products,
        "segments": scenario.segments,
    }


def has_memory(department: Department) -> bool:
    return department.network.memory != "none"


def _units(about: str, shape: tuple[int, ...]) -> Input:
    return Input(about, "units", shape, 0, MOST_UNITS, whole=True)


def _needed(department: Department, params: Params) -> list[str]:
    """A siloed department is not asked for what it does not look at."""
    shared = department.sight != "own half"
    ages = ["expiring"] if params.ages else []
    if isinstance(department, Replenishment):
        names = ["on_hand", "pipeline", *ages, "backlog", "forecast", "sold", "lost", "period"]
        if shared:
            names += ["fatigue", "attention"]
    else:
        names = ["goodwill", "fatigue", "forecast", "period"]
        starts_blind = RECOMMENDERS[int(department.heuristic.recommender)] in STOCK_BLIND
        if shared or not starts_blind:
            names += ["on_hand", "pipeline", *(ages if shared else [])]
        if department.network.memory == "ewma":
            names.append("sold")
    return [*names, "memory"] if has_memory(department) else names


def _outputs(name: str, department: Department, params: Params) -> dict[str, dict]:
    decision = {
        "replenishment": {
            "order": {
                "description": "whole units to order; placed in review periods only",
                "unit": "units", "shape": [params.products], "dtype": "float32",
            }
        },
        "recommendation": {
            "slate": {
                "description": "positions in `products`, from 0, best place first",
                "unit": "product", "shape": [params.segments, params.slots], "dtype": "int32",
            }
        },
    }[name]  # fmt: skip
    if (memory := department.start(params)) is not None:
        decision["memory"] = {
            "description": "for the next decision", "unit": "1",
            "shape": list(np.shape(memory)), "dtype": "float32",
        }  # fmt: skip
    return decision
