"""The runs of a sweep's folder, or of one program of the study, as the report reads them: numbers
and curves, but no policies."""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd

from agents import files
from agents.errors import RunError
from agents.learning.config import TrainConfig
from agents.report.data import BEST
from agents.report.results import LEARNED, Finished, command_of
from agents.sweeps import sweep_folder
from agents.sweeps.grid import STORE_FIELDS
from jaxsim import versions


def is_sweep(folder: Path) -> bool:
    return (folder / sweep_folder.SETTINGS).exists()


def read_sweep(folder: Path) -> list[Finished]:
    """Every finished run of a sweep or of a program of the study. Raises `RunError`."""
    settings = files.read_json(folder / sweep_folder.SETTINGS)
    read = _read_sweep if "grid" in settings else _read_program
    try:
        tables = _Tables(
            *(
                sweep_folder.read_table(folder / name)
                for name in (sweep_folder.RUNS, sweep_folder.HEURISTICS, sweep_folder.CURVES)
            )
        )
        return read(folder, settings, tables)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RunError(f"{folder}: not a finished sweep of this version ({error})") from None


@dataclasses.dataclass(frozen=True)
class _Tables:
    runs: pd.DataFrame
    best: pd.DataFrame  # the best tuned pair of each store and seed
    curves: pd.DataFrame


def _read_sweep(folder: Path, settings: dict[str, Any], tables: _Tables) -> list[Finished]:
    """Runs that differ in their seeds and in what the grid names."""
    shared, grid = _training(settings, folder), list(settings["grid"])
    command = _command(shared, settings["seeds"], settings["grid"])
    found = []
    for row in tables.runs.to_dict("records"):
        changed = {field: row[field] for field in grid}
        of_store = {field: value for field, value in changed.items() if field in STORE_FIELDS}
        training = {field: value for field, value in changed.items() if field not in of_store}
        told = ", ".join(f"{field}={value}" for field, value in changed.items())
        config = dataclasses.replace(shared, seed=int(row["seed"]), **training)
        group = ", ".join(filter(None, (shared.regime, told)))
        found.append(_finished(row, config, group, of_store, command, tables))
    return found


def _read_program(folder: Path, settings: dict[str, Any], tables: _Tables) -> list[Finished]:
    """Runs of the study's variants that share a program."""
    configs: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        variant, separator, field = name.rpartition(": ")
        if separator:
            configs.setdefault(variant, {})[field] = value
    found = []
    for row in tables.runs.to_dict("records"):
        shared = _training(configs[row["variant"]], folder)
        config = dataclasses.replace(shared, seed=int(row["seed"]))
        command = command_of(dataclasses.replace(config, out=None))
        found.append(_finished(row, config, row["variant"], {}, command, tables))
    return found


def _training(settings: dict[str, Any], folder: Path) -> TrainConfig:
    fields = {field.name: settings[field.name] for field in dataclasses.fields(TrainConfig)}
    return TrainConfig(**fields | {"out": folder, "log": tuple(fields["log"])})


def _command(shared: TrainConfig, seeds: int, grid: dict[str, list[Any]]) -> str:
    values = {field: ",".join(str(value) for value in each) for field, each in grid.items()}
    places = [f"--grid {field}={told}" for field, told in values.items()]
    return " ".join([command_of(shared, "sweep"), f"--seeds {seeds}", *places])


def _finished(
    row: dict[str, Any],
    config: TrainConfig,
    group: str,
    of_store: dict[str, Any],
    command: str,
    tables: _Tables,
) -> Finished:
    """One run; `of_store`: what was changed in its store."""
    same = tables.best["seed"] == row["seed"]
    for field, value in of_store.items():
        same &= tables.best[field] == value
    baseline = tables.best[same].iloc[0].to_dict() | {
        "gain": 0.0, "gain_low": 0.0, "gain_high": 0.0,
    }  # fmt: skip
    summary = {
        "scenario": row["scenario"],
        "best_heuristic": BEST,
        "policies": {LEARNED: _line(row), BEST: _line(baseline)},
        "evaluation": {
            "stores": config.evaluation_stores,
            "periods": config.evaluation_periods,
            "burn_in": config.burn_in,
        },
        "versions": versions(),
    }
    return Finished(
        folder=config.folder,
        group=group,
        store=", ".join(f"{field}={value}" for field, value in of_store.items()),
        command=command,
        config=config,
        summary=summary,
        metrics=tables.curves[tables.curves["run"] == row["run"]],
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
