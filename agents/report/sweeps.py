"""The runs of a sweep's folder, or of one program of the study, as the report reads them: numbers
and curves, but no policies."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from agents import checksums
from agents.errors import RunError, UserError
from agents.learning.config import TrainConfig
from agents.report.results import BEST, LEARNED, Finished, command_of
from agents.runs.run_schemas import config_of
from agents.sweeps import sweep_folder
from agents.sweeps.grid import STORE_FIELDS
from agents.sweeps.sweep_schema import ONLY, Sweep
from jaxsim import versions


def read_sweep(folder: Path) -> list[Finished]:
    """Every finished run of a sweep or of a program of the study. Raises `RunError`."""
    checksums.tell_if_unsealed(folder)
    settings = sweep_folder.read_settings(folder)
    names = (sweep_folder.RUNS, sweep_folder.HEURISTICS, sweep_folder.CURVES)
    try:
        runs, best, curves = (sweep_folder.read_table(folder, name) for name in names)
        return [
            _finished(row, folder, settings, best, curves[curves["run"] == row["run"]])
            for row in runs.to_dict("records")
        ]
    except UserError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RunError(f"{folder}: not a finished sweep of this version ({error})") from None


def _finished(
    row: Mapping[Any, Any],
    folder: Path,
    settings: Sweep,
    best: pd.DataFrame,
    metrics: pd.DataFrame,
) -> Finished:
    """One run: its row, what its folder's runs share, the best tuned pair of each store and seed,
    and its curve. Runs of a sweep differ in what the grid names, those of a program in variant."""
    variant, grid = row.get("variant"), settings.grid
    shared = config_of(settings.variants[variant or ONLY])
    changed = {field: row[field] for field in grid}
    store = {field: value for field, value in changed.items() if field in STORE_FIELDS}
    training = {field: value for field, value in changed.items() if field not in store}
    config = dataclasses.replace(shared, out=folder, seed=int(row["seed"]), **training)
    same = best["seed"] == row["seed"]
    for field, value in store.items():
        same &= best[field] == value
    pair = best[same].iloc[0].to_dict() | dict.fromkeys(("gain", "gain_low", "gain_high"), 0.0)
    alone = command_of(dataclasses.replace(config, out=None))
    return Finished(
        folder=folder,
        group=variant or ", ".join([shared.regime, *_told(changed)]),
        store=", ".join(_told(store)),
        command=alone if variant else _command(shared, settings.seeds, grid),
        config=config,
        summary={
            "scenario": row["scenario"],
            "best_heuristic": BEST,
            "policies": {LEARNED: _line(row), BEST: _line(pair)},
            "evaluation": {
                "stores": config.evaluation_stores,
                "periods": config.evaluation_periods,
                "burn_in": config.burn_in,
            },
            "versions": versions(),
        },
        metrics=metrics,
    )


def _command(shared: TrainConfig, seeds: int, grid: dict[str, list[Any]]) -> str:
    values = {field: ",".join(map(str, each)) for field, each in grid.items()}
    places = [f"--grid {told}" for told in _told(values)]
    return " ".join([command_of(shared, "sweep"), f"--seeds {seeds}", *places])


def _told(values: dict[str, Any]) -> list[str]:
    return [f"{field}={value}" for field, value in values.items()]


def _line(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of a sweep under the names of a run's summary."""
    return dict(row) | {
        "profit_mean": row["profit"],
        "difference_to_best_heuristic": row["gain"],
        "difference_ci95": (row["gain_low"], row["gain_high"]),
        "holding": row["holding_paid"],
        "penalty": row["penalty_paid"],
    }
