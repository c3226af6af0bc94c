"""A sweep from grid to tables: chunks of runs in one program each, every run's numbers kept."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from agents import locks
from agents.devices import count_devices
from agents.evaluation.keys import keys_of
from agents.evaluation.simulation import Totals, profit_per_period
from agents.evaluation.tuning import Effort
from agents.learning import compilation
from agents.learning.trainer import Trainer
from agents.learning.training import starting_pair
from agents.policies.departments import Departments
from agents.runs.pipeline import departments_like
from agents.sweeps import memory, sweep_folder, vectorised
from agents.sweeps.baselines import Stores, heuristic_row, run_row
from agents.sweeps.grid import PlannedRun, parse_grid, planned_runs
from agents.sweeps.settings import SweepConfig
from agents.sweeps.sweep_schema import ONLY
from agents.sweeps.vectorised import Runs
from jaxsim import scenarios
from jaxsim.params import Params


@dataclass(frozen=True)
class Progress:
    """Callbacks that report how far a sweep is."""

    announce: Callable[[str], None]
    begin: Callable[[int, int], None]  # runs in all, and how many of them are done already
    advance: Callable[[str, float], None]  # news, and how many runs' worth was trained


@dataclass(frozen=True)
class Programs:
    """The compiled parts of a chunk of trainings, and the bytes that the largest takes of one
    memory."""

    start: Any
    learn: Any
    evaluate: Any
    runs: int
    size: int


def run_sweep(config: SweepConfig, progress: Progress) -> pd.DataFrame:
    """Trains whatever is not yet in the folder, and leaves runs.csv, heuristics.csv and
    curves.parquet there; returns the rows of runs.csv.

    Raises `ConfigError`, `ScheduleError`, `ScenarioError` or `RunError` before any work is done.
    """
    config.validate()
    limit, grid = memory.limit_of(config.memory), parse_grid(config.grid)
    devices = count_devices(config.training.devices)
    scenario = scenarios.get(config.training.scenario)
    planned = planned_runs(config.training, scenario, grid, config.seeds)
    training = dataclasses.asdict(config.training) | {"out": None, "devices": None}
    settings = {
        "seeds": config.seeds, "grid": grid, "store": scenario.model_dump(mode="json"),
        "variants": {ONLY: training},
    }  # fmt: skip
    with locks.opened(config.folder, "a sweep") as folder:
        sweep_folder.open_sweep(folder, settings)
        effort = Effort().times(config.training.tuning_effort)
        stores = Stores(folder / sweep_folder.STORES, progress.announce, effort)
        return train_planned(folder, planned, config.together, limit, stores, progress, devices)


def train_planned(
    folder: Path,
    planned: list[PlannedRun],
    most: int | None,
    limit: int,
    stores: Stores,
    progress: Progress,
    devices: int,
) -> pd.DataFrame:
    """Trains the runs that are not yet in the folder, at most `most` in one program and within
    `limit` bytes, and gathers the tables of all. They share their static settings, and `devices`
    (or as many as there are runs) share them."""
    finished = sweep_folder.finished_runs(folder)
    left = [run for run in planned if run.number not in finished]
    progress.begin(len(planned), len(planned) - len(left))
    if left:
        stores.tune([run.scenario for run in left])
        progress.announce("compiling")
        most = min(most or most_together(len(left), devices), len(left))
        devices = min(devices, most)
        programs, _ = memory.fit(
            lambda each: _compiled(left, each * devices, devices, stores),
            math.ceil(len(left) / devices),
            most // devices,
            limit,
        )
        chunks = math.ceil(len(left) / programs.runs)
        progress.announce(
            f"{len(left)} runs in {chunks} chunks of {programs.runs}; a chunk "
            f"takes {memory.readable(programs.size)} of memory by estimate, "
            f"{memory.readable(limit)} is the limit"
        )
        _train_chunks(folder, left, programs, stores, progress)
    rows = sweep_folder.gather(folder)
    _tell_failed(rows[rows["run"].isin(finished)], progress)
    return rows


def most_together(runs: int, devices: int) -> int:
    """Runs in one program, if memory were no limit: all of them, but on a CPU one for each device.
    A single training keeps a CPU busy, and several at once leave its cache."""
    return devices if jax.default_backend() == "cpu" else runs


def kept_departments(folder: Path, run: PlannedRun, stores: Stores) -> Departments:
    """The departments that a finished run kept, ready to decide. Raises `RunError`."""
    like = departments_like(run.config, run.scenario.params(), stores.tuned(run.scenario))
    return like.with_weights(sweep_folder.read_weights(folder, run.number, like.weights))


def _train_chunks(
    folder: Path,
    left: list[PlannedRun],
    programs: Programs,
    stores: Stores,
    progress: Progress,
) -> None:
    for start in range(0, len(left), programs.runs):
        chunk = left[start : start + programs.runs]
        learned, curves = _learned(chunk, programs, stores, progress)
        totals = _evaluated(chunk, programs, "evaluate", learned.kept, learned.params)
        rows, heuristics, weights = [], [], {}
        health = {
            "skipped_updates": np.asarray(learned.skipped_updates),
            "failed": np.asarray(learned.failed),
        }
        each = zip(chunk, vectorised.policies(learned), totals, strict=False)
        for at, (run, departments, own) in enumerate(each):
            best = stores.baseline(run)
            rows.append(run_row(run, own, best) | {name: of[at] for name, of in health.items()})
            heuristics.append(heuristic_row(run, best))
            weights[run.number] = departments.weights
        tables = {
            sweep_folder.RUNS: pd.DataFrame(rows),
            sweep_folder.HEURISTICS: pd.DataFrame(heuristics),
            sweep_folder.CURVES: curves,
        }
        sweep_folder.write_chunk(folder, tables, weights)
        _tell_failed(tables[sweep_folder.RUNS], progress)


def _tell_failed(rows: pd.DataFrame, progress: Progress) -> None:
    """A line for each run whose numbers are those of a training that went wrong."""
    for row in rows[rows["failed"]].to_dict("records"):
        progress.announce(
            f"run {row['run']} failed: updates stopped being finite, {row['skipped_updates']} were "
            "skipped; alone, this training would have ended with an error"
        )


def _learned(
    chunk: list[PlannedRun], programs: Programs, stores: Stores, progress: Progress
) -> tuple[Runs, pd.DataFrame]:
    """Every run of a chunk to its end, and their learning curves."""
    config, whole = chunk[0].config, _filled(chunk, programs.runs)
    runs, frames = programs.start(*_beginning(whole, stores)), []
    # What was learned is kept only where it beats the start.
    runs = vectorised.keep_better(runs, _validated(chunk, programs, runs))
    share = len(chunk) * config.chunk / config.iterations
    for number in range(1, config.iterations // config.chunk + 1):
        groups, metrics = programs.learn({"all": runs})
        runs, greedy = groups["all"], np.full(len(whole), np.nan)
        if number in config.checks:
            earned = _validated(chunk, programs, runs)
            runs, greedy = vectorised.keep_better(runs, earned), np.asarray(earned, float)
        metrics = jax.device_get(metrics["all"])
        first = (number - 1) * config.chunk + 1
        for at, run in enumerate(chunk):
            own = {name: values[at] for name, values in metrics.items()}
            frames.append(_curve(run, first, own, greedy[at]))
        progress.advance(f"profit {metrics['profit'][: len(chunk), -1].mean():,.2f}", share)
    return runs, pd.concat(frames, ignore_index=True)


def _validated(chunk: list[PlannedRun], programs: Programs, runs: Runs) -> jax.Array:
    """What every run's departments, as they are now, earn on validation customers."""
    periods = chunk[0].config.evaluation_periods
    totals = _evaluated(chunk, programs, "validate", vectorised.current(runs), runs.params)
    return jnp.float32(np.array([profit_per_period(each, periods).mean() for each in totals]))


def _evaluated(
    chunk: list[PlannedRun],
    programs: Programs,
    purpose: str,
    policies: Departments,
    params: Params,
) -> list[Totals]:
    """What each run's departments did on its customers of this purpose."""
    keys = _keys(_filled(chunk, programs.runs), purpose)
    totals = jax.device_get(programs.evaluate(keys, policies, params))
    return [jax.tree.map(lambda leaf, at=at: leaf[at], totals) for at in range(programs.runs)]


def _curve(run: PlannedRun, first: int, metrics: dict[str, Any], greedy: float) -> pd.DataFrame:
    """A row for each iteration; `greedy` belongs to the last."""
    frame = pd.DataFrame(metrics)
    iteration = first + np.arange(len(frame))
    frame.insert(0, "run", run.number)
    frame.insert(1, "iteration", iteration)
    frame.insert(2, "store_periods", iteration * run.config.stores * run.config.horizon)
    frame["greedy_profit"] = np.where(np.arange(len(frame)) == len(frame) - 1, greedy, np.nan)
    return frame


def _compiled(
    left: list[PlannedRun], together: int, devices: int, stores: Stores
) -> tuple[Programs, int]:
    """The programs of a chunk, and the bytes they take."""
    lowered = _lowered(_filled(left[:together], together), devices, stores)
    options = compilation.options(left[0].config.store_periods)
    with ThreadPoolExecutor() as pool:  # compilation leaves Python free to trace the next
        compiling = [pool.submit(each.compile, options) for each in lowered]
        start, learn, evaluate = (each.result() for each in compiling)
    largest = max(memory.peak_bytes(each) for each in (start, learn, evaluate))
    size = largest * memory.in_one_memory(devices)
    return Programs(start, learn, evaluate, together, size), size


def _lowered(chunk: list[PlannedRun], devices: int, stores: Stores) -> Iterator[jax.stages.Lowered]:
    """Starting, learning and evaluating, traced one after the other."""
    config, beginning = chunk[0].config, _beginning(chunk, stores)
    shapes = jax.eval_shape(partial(vectorised.start, devices=devices), *beginning)
    yield vectorised.start.lower(*beginning, devices=devices)
    yield vectorised.learn.lower({"all": shapes}, config.chunk, devices)
    sizes = (config.evaluation_stores, config.evaluation_periods, config.burn_in)
    policies, keys = jax.eval_shape(vectorised.current, shapes), _keys(chunk, "evaluate")
    yield vectorised.evaluate.lower(keys, policies, shapes.params, *sizes, devices)


def _beginning(chunk: list[PlannedRun], stores: Stores) -> tuple[jax.Array, Trainer, Params]:
    """What each run starts from."""
    trainers = []
    for run in chunk:
        pair = starting_pair(run.config, stores.tuned(run.scenario))
        trainers.append(run.config.trainer(pair.policy.heuristic))
    params = vectorised.stacked([run.scenario.params() for run in chunk])
    return _keys(chunk, "learn"), vectorised.stacked(trainers), params


def _filled(chunk: list[PlannedRun], size: int) -> list[PlannedRun]:
    """A chunk that is short repeats its last run, so that one program serves all chunks."""
    return chunk + [chunk[-1]] * (size - len(chunk))


def _keys(chunk: list[PlannedRun], purpose: str) -> jax.Array:
    return jnp.stack([keys_of(run.config.seed)[purpose] for run in chunk])
