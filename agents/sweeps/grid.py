"""The runs of a sweep: every seed of every combination of the settings on a grid.

Runs of one compiled program share their static settings. A grid has traced ones: rates and other
hyperparameters of the training, and the numbers of the store.
"""

import dataclasses
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.errors import ConfigError
from agents.learning.config import TrainConfig
from jaxsim.scenarios.scenario import PRODUCT_FIELDS, SCALAR_FIELDS, SEGMENT_FIELDS, Scenario, parse

TRAINING_FIELDS = (
    "critic_rate", "fast_rate", "slow_rate", "fast_exponent", "slow_exponent", "schedule_offset",
    "warm_up", "average_reward_rate", "gae_lambda", "clip_eps", "entropy_coef",
    "cross_product_credit", "kpi_mix", "temperature", "temperature_end", "averaging", "discount",
    "target_rate", "fresh_share",
)  # fmt: skip
STORE_FIELDS = tuple(
    field
    for field in (*PRODUCT_FIELDS, *SEGMENT_FIELDS, "no_purchase", *SCALAR_FIELDS)
    if field not in TRAINING_FIELDS  # there `fresh_share` is another share, of stores
)
Grid = dict[str, list[Any]]


@dataclass(frozen=True)
class PlannedRun:
    """One training of a sweep. `config` alone, on `scenario`, is the same training."""

    number: int
    config: TrainConfig
    scenario: Scenario
    settings: dict[str, Any]  # its place on the grid


def parse_grid(options: Sequence[str]) -> Grid:
    """`FIELD=VALUE,VALUE…` each; `slow.rate` is `slow_rate`. Values are numbers, true or false,
    or x2 for twice the scenario's. Raises `ConfigError`."""
    grid: Grid = {}
    for option in options:
        name, _, values = option.partition("=")
        field = name.strip().replace(".", "_").replace("-", "_")
        check_field(field)
        if field in grid:
            raise ConfigError(f"grid: {field} is given twice; allowed: each field once")
        grid[field] = [_value(field, text.strip()) for text in values.split(",")]
    return grid


def planned_runs(
    config: TrainConfig, scenario: Scenario, grid: Grid, seeds: int
) -> list[PlannedRun]:
    """Every combination of the grid, with seeds config.seed, config.seed + 1, … each.

    All stores get room for the longest lead time and shelf life of the grid, as a program has one
    shape.
    Raises `ConfigError`, `ScheduleError` or `ScenarioError`.
    """
    room = {"max_lead_time": max(scenario.max_lead_time, *_whole(grid, "lead_time"), 1)}
    if "shelf_life" in grid:
        room["max_shelf_life"] = max(scenario.max_shelf_life, *_whole(grid, "shelf_life"), 0)
    runs = []
    for values in itertools.product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        store = {field: value for field, value in settings.items() if field in STORE_FIELDS}
        changed = _with(scenario, store | room)
        training = {field: value for field, value in settings.items() if field not in store}
        for seed in range(config.seed, config.seed + seeds):
            run = dataclasses.replace(config, seed=seed, **training)
            run.validate()
            runs.append(PlannedRun(len(runs), run, changed, settings))
    return runs


def check_field(field: str) -> None:
    """Raises `ConfigError` where a grid cannot have that field."""
    if field in TRAINING_FIELDS + STORE_FIELDS:
        return
    static = {each.name for each in dataclasses.fields(TrainConfig)} | set(Scenario.model_fields)
    why = "is the same for all runs of one program" if field in static else "is no setting"
    allowed = ", ".join(TRAINING_FIELDS + STORE_FIELDS)
    raise ConfigError(f"grid: {field} {why}; allowed: {allowed}")


def _whole(grid: Grid, field: str) -> list[int]:
    return [value for value in grid.get(field, []) if isinstance(value, int)]


def _value(field: str, text: str) -> Any:
    scaled = field in STORE_FIELDS and text.startswith("x")
    try:
        value = json.loads(text.removeprefix("x") if scaled else text)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, int | float):
        number = "a number" if field in TRAINING_FIELDS else "a number, true, false, or x2 (twice)"
        raise ConfigError(f"grid: {field}={text or 'nothing'}; allowed: {number}")
    if scaled:
        return text
    return float(value) if field in TRAINING_FIELDS else value


def _with(scenario: Scenario, settings: dict[str, Any]) -> Scenario:
    """The scenario with other numbers, validated as a file with them would be."""
    body = {field: getattr(scenario, field) for field in scenario.model_fields_set}
    for field, value in settings.items():
        if isinstance(value, str):
            body[field] = _scaled(getattr(scenario, field), float(value.removeprefix("x")))
        else:
            body[field] = value
    return parse(body, f"grid: {scenario.name}")


def _scaled(value: Any, factor: float) -> Any:
    if isinstance(value, list):
        return [_scaled(each, factor) for each in value]
    exact = value * factor
    return round(exact) if isinstance(value, int) and exact == round(exact) else exact
