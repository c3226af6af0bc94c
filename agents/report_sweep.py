"""The runs of a sweep's folder as the report reads them: numbers and curves, but no policies."""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd

from agents import runs, sweep_folder
from agents.config import TrainConfig
from agents.grid import STORE_FIELDS
from agents.report_data import BEST
from agents.report_results import LEARNED, Finished, command_of
from agents.runs import RunError


def is_sweep(folder: Path) -> bool:
    return (folder / sweep_folder.SETTINGS).exists()


def read_sweep(folder: Path) -> list[Finished]:
    """Every finished run of a sweep. Raises `RunError`."""
    settings = runs.read_json(folder / sweep_folder.SETTINGS)
    try:
        rows = pd.read_csv(folder / sweep_folder.RUNS)
        best = pd.read_csv(folder / sweep_folder.HEURISTICS)
        curves = pd.read_parquet(folder / sweep_folder.CURVES)
        fields = {field.name: settings[field.name] for field in dataclasses.fields(TrainConfig)}
        shared = TrainConfig(**fields | {"out": folder})
        command = _command(shared, settings["seeds"], settings["grid"])
        return [
            _finished(row, shared, command, list(settings["grid"]), best, curves)
            for row in rows.to_dict("records")
        ]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RunError(f"{folder}: not a finished sweep of this version ({error})") from None


def _command(shared: TrainConfig, seeds: int, grid: dict[str, list[Any]]) -> str:
    values = {field: ",".join(str(value) for value in each) for field, each in grid.items()}
    places = [f"--grid {field}={told}" for field, told in values.items()]
    return " ".join([command_of(shared, "sweep"), f"--seeds {seeds}", *places])


def _finished(
    row: dict[str, Any],
    shared: TrainConfig,
    command: str,
    grid: list[str],
    best: pd.DataFrame,
    curves: pd.DataFrame,
) -> Finished:
    changed = {field: row[field] for field in grid}
    of_store = {field: value for field, value in changed.items() if field in STORE_FIELDS}
    training = {field: value for field, value in changed.items() if field not in of_store}
    same = best["seed"] == row["seed"]
    for field, value in of_store.items():
        same &= best[field] == value
    yardstick = best[same].iloc[0].to_dict() | {"gain": 0.0, "gain_low": 0.0, "gain_high": 0.0}
    summary = {
        "scenario": row["scenario"],
        "best_heuristic": BEST,
        "policies": {LEARNED: _line(row), BEST: _line(yardstick)},
        "evaluation": {
            "stores": shared.evaluation_stores,
            "periods": shared.evaluation_periods,
            "burn_in": shared.burn_in,
        },
        "versions": runs.versions(),
    }
    told = ", ".join(f"{field}={value}" for field, value in changed.items())
    return Finished(
        folder=shared.folder,
        group=", ".join(filter(None, (shared.regime, told))),
        store=", ".join(f"{field}={value}" for field, value in of_store.items()),
        command=command,
        config=dataclasses.replace(shared, seed=int(row["seed"]), **training),
        summary=summary,
        metrics=curves[curves["run"] == row["run"]],
    )


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a sweep under the names of a run's summary."""
    return row | {
        "profit_mean": row["profit"],
        "difference_to_best_heuristic": row["gain"],
        "difference_ci95": (row["gain_low"], row["gain_high"]),
        "holding": row["holding_paid"],
        "penalty": row["penalty_paid"],
    }
