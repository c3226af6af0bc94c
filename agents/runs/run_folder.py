"""A run folder: what a training leaves behind, each file complete or absent, and held against its
checksum when it is read again.

The settings, the store and the tuned pairs are sealed before the training begins, everything else
when it has ended. In between, each checkpoint holds the digest of its rows of metrics.
"""

import dataclasses
import io
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pandas as pd

from agents import checksums, schemas
from agents.devices import is_first
from agents.errors import RunError, in_short
from agents.evaluation.tuning import TunedPair
from agents.files import write_text, writing
from agents.learning.config import TrainConfig
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from agents.runs.layout import CONFIG, HEURISTICS, METRICS, SCENARIO, SUMMARY, check_is_run
from agents.runs.run_schemas import Config, Heuristics, Summary, config_of
from jaxsim import __version__
from jaxsim.scenarios.scenario import Scenario
from jaxsim.scenarios.scenario import load as load_scenario

START = CONFIG, SCENARIO, HEURISTICS
"""What a training begins with."""
BEST = "best"
"""The folder, in checkpoints/, of the weights that a training kept."""
CURVES = ("profit", "fill_rate", "greedy_profit", "critic_rate", "fast_rate", "slow_rate")
"""The metrics that every page shows."""

BY_THE_FIRST = ocp.options.MultiprocessingOptions(active_processes={0})
"""Orbax writes and waits in the first process only."""


def write_config(folder: Path, config: TrainConfig) -> None:
    body = {"version": __version__} | dataclasses.asdict(config) | {"out": config.folder}
    write_text(folder / CONFIG, schemas.text_of(body, Config))


def write_scenario(folder: Path, scenario: Scenario) -> None:
    """The store with every default resolved: what is read again is this file, and not the one that
    the settings name, which may be another by then. Raises `RunError`."""
    if is_first():
        with writing(folder / SCENARIO):
            Scenario(**scenario.model_dump()).save(folder / SCENARIO)


def metrics_text(metrics: pd.DataFrame) -> str:
    """What `metrics.csv` holds: one row per iteration; no clock times, so that the same seed writes
    the same bytes."""
    return metrics.to_csv(index=False, float_format="%.9g")


def write_heuristics(folder: Path, tuned: list[TunedPair]) -> None:
    """Every tuned pair with its heuristic, best first."""
    body = [
        {"name": pair.name, "profit_when_tuned": pair.profit, "heuristic": heuristic_as_json(pair)}
        for pair in tuned
    ]
    write_text(folder / HEURISTICS, schemas.text_of({"pairs": body}, Heuristics))


def seal_the_start(folder: Path) -> None:
    """What a training begins with is from now on held against what it is now."""
    if is_first():
        checksums.seal(folder, checksums.digests_of(folder, START))


def conclude(folder: Path, metrics: pd.DataFrame, weights: Any, summary: dict[str, Any]) -> None:
    """The end of a training: the best weights, the summary, and the checksums of all that is read
    again. The summary appears last: a run that has one is finished. Raises `RunError`."""
    save_weights(folder, BEST, weights)
    if not is_first():
        return
    text = schemas.text_of(summary, Summary)
    start = checksums.sums_of(folder) or {}
    with writing(folder):
        now = checksums.digests_of(folder, START)
        best = checksums.digests_of(folder, checksums.files_in(folder, f"checkpoints/{BEST}"))
    end = {METRICS: metrics_text(metrics), SUMMARY: text}
    sums = {name: checksums.digest(each.encode()) for name, each in end.items()}
    begun = {name: start.get(name, now[name]) for name in START}
    checksums.seal(folder, begun | best | sums)
    write_text(folder / SUMMARY, text)


def read_heuristics(folder: Path) -> list[TunedPair]:
    """The tuned pairs of a run. Raises `RunError`."""
    return pairs_from(schemas.read(folder, HEURISTICS, Heuristics).model_dump())


def pairs_from(body: dict[str, Any]) -> list[TunedPair]:
    """The tuned pairs in a document of `heuristics.json`."""
    return [
        TunedPair(
            pair["name"],
            HeuristicPair(_heuristic_from_json(pair["heuristic"])),
            pair["profit_when_tuned"],
        )
        for pair in body["pairs"]
    ]


def read_config(folder: Path) -> TrainConfig:
    """The settings a run was made with. Raises `RunError`, naming the nearest run."""
    check_is_run(folder)
    checksums.tell_if_unsealed(folder)
    made_by = schemas.field_of(folder / CONFIG, "version", "0.1.0")
    if _series(made_by) != _series(__version__):
        raise RunError(
            f"{folder}: a run of version {made_by}; allowed: runs of version "
            f"{__version__}; closing-the-loop {made_by} can read it"
        )
    return config_of(schemas.read(folder, CONFIG, Config))


def read_scenario(folder: Path) -> Scenario:
    """The store that a run was trained on. Raises `ScenarioError`, or `RunError`."""
    scenario = load_scenario(folder / SCENARIO)
    checksums.read(folder, SCENARIO)
    return scenario


def read_summary(folder: Path) -> dict[str, Any]:
    """What a run came to; null is NaN again. Raises `RunError`."""
    found = schemas.read(folder, SUMMARY, Summary)
    return schemas.nan_for_null(found.model_dump(mode="json", exclude_unset=True))


def read_metrics(folder: Path) -> pd.DataFrame:
    """One row per iteration. Raises `RunError`."""
    return _metrics_in(checksums.read(folder, METRICS), folder / METRICS)


def read_metrics_until(folder: Path, iteration: int) -> pd.DataFrame:
    """The rows up to that iteration. Raises `RunError` where some are missing."""
    if iteration == 0:
        return pd.DataFrame()
    rows = _rows_until(folder, iteration)
    metrics = _metrics_in(rows, folder / METRICS) if rows else pd.DataFrame()
    if len(metrics) < iteration:
        raise RunError(
            f"{folder / METRICS}: has {len(metrics)} rows; allowed: at least the {iteration} "
            "iterations of the checkpoint"
        )
    return metrics


def metrics_digest(folder: Path, iteration: int) -> str:
    """Of the rows up to that iteration, as they are on disk. Raises `RunError`."""
    return checksums.digest(_rows_until(folder, iteration))


def _rows_until(folder: Path, iteration: int) -> bytes:
    """The first lines of `metrics.csv`; nothing where there is none yet."""
    if iteration == 0 or not (folder / METRICS).exists():
        return b""
    lines = checksums.bytes_of(folder / METRICS).splitlines(keepends=True)
    return b"".join(lines[: iteration + 1])


def _metrics_in(data: bytes, path: Path) -> pd.DataFrame:
    """The rows in a file's bytes, all of them numbers, from iteration 1. Raises `RunError`."""
    try:
        metrics = pd.read_csv(io.BytesIO(data), float_precision="round_trip")
    except ValueError as error:
        raise RunError(f"{path}: not the metrics of a run ({error})") from None
    for name in ("iteration", "store_periods", *CURVES):
        if name not in metrics:
            raise RunError(f"{path}: column {name} is missing; allowed: the metrics of a run")
    words = metrics.select_dtypes(exclude="number").columns
    if len(words):
        raise RunError(f"{path}: {words[0]}: not numbers; allowed: the metrics of a run")
    at = metrics["iteration"].to_numpy()
    if list(at) != list(range(1, len(at) + 1)):
        raise RunError(f"{path}: iteration: not 1, 2, 3, …; allowed: a row for each iteration")
    per_iteration = metrics["store_periods"].to_numpy() / np.arange(1, len(at) + 1)
    if len(set(per_iteration)) > 1 or (per_iteration <= 0).any():
        raise RunError(f"{path}: store_periods: uneven; allowed: as many in each iteration")
    return metrics


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
    checksums.check_folder(folder, f"checkpoints/{name}")
    try:
        with ocp.StandardCheckpointer(multiprocessing_options=BY_THE_FIRST) as checkpointer:
            weights = checkpointer.restore(path, like)
    except Exception as error:  # a damaged file can raise anything
        raise RunError(f"{path}: not a checkpoint of this run ({in_short(error)})") from None
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(weights)):
        raise RunError(f"{path}: weights that are not finite; allowed: those of a whole run")
    return weights


def _series(version: str) -> list[str]:
    """Major and minor number: a change of either can change what files hold."""
    return version.split(".")[:2]


def heuristic_as_json(pair: TunedPair) -> dict[str, float]:
    """The numbers of a tuned pair's heuristic."""
    return {field: np.asarray(value).item() for field, value in vars(pair.policy.heuristic).items()}


def _heuristic_from_json(body: dict[str, float]) -> HeuristicParams:
    arrays = {
        field: jnp.asarray(value, jnp.int32 if field == "recommender" else jnp.float32)
        for field, value in body.items()
    }
    return HeuristicParams(**arrays)
