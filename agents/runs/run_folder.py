"""A run folder: what a training leaves behind, each file complete or absent."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pandas as pd

from agents.devices import is_first
from agents.errors import RunError, nearest
from agents.evaluation.tuning import TunedPair
from agents.files import read_json, write_json, write_table, writing
from agents.learning.config import TrainConfig
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from jaxsim import __version__
from jaxsim.scenarios.scenario import Scenario
from jaxsim.scenarios.scenario import load as load_scenario

CONFIG, SCENARIO, METRICS, SUMMARY, HEURISTICS = (
    "config.json", "scenario.json", "metrics.csv", "summary.json", "heuristics.json",
)  # fmt: skip

BY_THE_FIRST = ocp.options.MultiprocessingOptions(active_processes={0})
"""Orbax writes and waits in the first process only."""


def write_config(folder: Path, config: TrainConfig) -> None:
    body = dataclasses.asdict(config) | {"out": str(config.folder)}
    write_json(folder / CONFIG, {"version": __version__} | body)


def write_scenario(folder: Path, scenario: Scenario) -> None:
    """The store with every default resolved: what is read again is this file, and not the one that
    the settings name, which may be another by then. Raises `RunError`."""
    if is_first():
        with writing(folder / SCENARIO):
            Scenario(**scenario.model_dump()).save(folder / SCENARIO)


def write_metrics(folder: Path, metrics: pd.DataFrame) -> None:
    """One row per iteration; no clock times, so that the same seed writes the same bytes."""
    write_table(folder / METRICS, metrics, float_format="%.9g")


def write_heuristics(folder: Path, tuned: list[TunedPair]) -> None:
    """Every tuned pair with its heuristic, best first."""
    body = [
        {"name": pair.name, "profit_when_tuned": pair.profit, "heuristic": heuristic_as_json(pair)}
        for pair in tuned
    ]
    write_json(folder / HEURISTICS, {"pairs": body})


def read_heuristics(folder: Path) -> list[TunedPair]:
    """The tuned pairs of a run. Raises `RunError`."""
    return pairs_from(read_json(folder / HEURISTICS), folder / HEURISTICS)


def pairs_from(body: Any, path: Path) -> list[TunedPair]:
    """The tuned pairs in the document that was read there. Raises `RunError`."""
    try:
        return [
            TunedPair(
                pair["name"],
                HeuristicPair(_heuristic_from_json(pair["heuristic"])),
                pair["profit_when_tuned"],
            )
            for pair in body["pairs"]
        ]
    except (TypeError, KeyError) as error:
        raise RunError(f"{path}: not tuned pairs of this version ({error})") from None


def read_config(folder: Path) -> TrainConfig:
    """The settings a run was made with. Raises `RunError`, naming the nearest run."""
    if not (folder / CONFIG).exists():
        near = nearest(str(folder), [str(each) for each in _runs_near(folder)])
        hint = f"did you mean {near}? " if near else ""
        raise RunError(
            f"{folder}: no run ({CONFIG} is not there); {hint}allowed: a folder of train"
        )
    body = read_json(folder / CONFIG)
    try:
        made_by = body.pop("version", "0.1.0")
        if _series(made_by) != _series(__version__):
            raise RunError(
                f"{folder}: a run of version {made_by}; allowed: runs of version "
                f"{__version__}; closing-the-loop {made_by} can read it"
            )
        log = tuple(body.get("log", ()))
        return TrainConfig(**body | {"out": Path(body["out"]), "log": log})
    except (AttributeError, TypeError, KeyError) as error:
        raise RunError(
            f"{folder / CONFIG}: not a configuration of this version ({error})"
        ) from None


def read_scenario(folder: Path) -> Scenario:
    """The store that a run was trained on. Raises `ScenarioError`."""
    return load_scenario(folder / SCENARIO)


def read_summary(folder: Path) -> dict[str, Any]:
    """What a run came to; null is NaN again. Raises `RunError`."""
    return _nan_for_null(read_json(folder / SUMMARY))


def read_metrics(folder: Path) -> pd.DataFrame:
    """One row per iteration. Raises `RunError`."""
    try:
        return pd.read_csv(folder / METRICS)
    except (OSError, ValueError) as error:
        raise RunError(f"{folder / METRICS}: not the metrics of a run ({error})") from None


def read_metrics_until(folder: Path, iteration: int) -> pd.DataFrame:
    """The rows up to that iteration. Raises `RunError` where some are missing."""
    if iteration == 0:
        return pd.DataFrame()
    metrics = read_metrics(folder)
    if len(metrics) < iteration:
        raise RunError(
            f"{folder / METRICS}: has {len(metrics)} rows; allowed: at least the {iteration} "
            "iterations of the newest checkpoint"
        )
    return metrics.head(iteration)


def evaluation_settings(
    config: TrainConfig, stores: int, periods: int, burn_in: int
) -> TrainConfig:
    """The run's settings with another evaluation."""
    return dataclasses.replace(
        config, evaluation_stores=stores, evaluation_periods=periods, burn_in=burn_in
    )


def save_weights(folder: Path, name: str, weights: Any) -> None:
    """A pytree of arrays under checkpoints/NAME, by orbax: complete or absent."""
    if not is_first():
        return
    path = (folder / "checkpoints" / name).absolute()
    with ocp.StandardCheckpointer(multiprocessing_options=BY_THE_FIRST) as checkpointer:
        checkpointer.save(path, weights, force=True)


def load_weights(folder: Path, name: str, like: Any) -> Any:
    """The pytree saved under checkpoints/NAME, of the shapes of `like`. Raises `RunError`."""
    path = (folder / "checkpoints" / name).absolute()
    if not path.exists():
        raise RunError(f"{path}: no checkpoint here")
    try:
        with ocp.StandardCheckpointer(multiprocessing_options=BY_THE_FIRST) as checkpointer:
            return checkpointer.restore(path, like)
    except (ValueError, KeyError, OSError) as error:
        first = str(error).splitlines()[0]
        raise RunError(f"{path}: not a checkpoint of this run ({first})") from None


def _series(version: str) -> list[str]:
    """Major and minor number: a change of either can change what files hold."""
    return version.split(".")[:2]


def _nan_for_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nan_for_null(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_nan_for_null(each) for each in value]
    return math.nan if value is None else value


def _runs_near(folder: Path) -> list[Path]:
    """Folders of runs beside a folder and where runs are left by default."""
    files = [*folder.parent.glob(f"*/{CONFIG}"), *Path("runs").glob(f"*/{CONFIG}")]
    return sorted({file.parent for file in files})


def heuristic_as_json(pair: TunedPair) -> dict[str, float]:
    """The numbers of a tuned pair's heuristic."""
    return {field: np.asarray(value).item() for field, value in vars(pair.policy.heuristic).items()}


def _heuristic_from_json(body: dict[str, float]) -> HeuristicParams:
    arrays = {
        field: jnp.asarray(value, jnp.int32 if field == "recommender" else jnp.float32)
        for field, value in body.items()
    }
    return HeuristicParams(**arrays)
