"""A sweep from grid to tables: its chunks trained by an engine, every run's numbers kept.

Only this process writes to the folder, whatever the engine: the same files, with the same bytes.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from agents import locks
from agents.devices import count_devices
from agents.evaluation.tuning import Effort
from agents.learning.training import starting_pair
from agents.policies.departments import Departments
from agents.runs.pipeline import departments_like
from agents.sweeps import memory, sweep_folder
from agents.sweeps.baselines import Stores, best_pair, tuned_pairs
from agents.sweeps.chunks import Member, train
from agents.sweeps.engine import Engine, Progress, Result
from agents.sweeps.grid import PlannedRun, parse_grid, planned_runs
from agents.sweeps.local import Local
from agents.sweeps.settings import EngineConfig, SweepConfig
from agents.sweeps.sweep_schema import ONLY
from jaxsim import scenarios


def run_sweep(config: SweepConfig, progress: Progress) -> pd.DataFrame:
    """Trains whatever is not yet in the folder, and leaves runs.csv, heuristics.csv and
    curves.parquet there; returns the rows of runs.csv.

    Raises `ConfigError`, `ScheduleError`, `ScenarioError` or `RunError` before any work is done,
    and `PeerError` where a cluster is lost.
    """
    config.validate()
    with started(config.engine, config.training.devices, config.memory, progress) as engine:
        return sweep_with(engine, config, progress)


def sweep_with(engine: Engine, config: SweepConfig, progress: Progress) -> pd.DataFrame:
    """The same by any engine; that of the settings is not looked at."""
    grid, scenario = parse_grid(config.grid), scenarios.get(config.training.scenario)
    planned = planned_runs(config.training, scenario, grid, config.seeds)
    training = dataclasses.asdict(config.training) | {"out": None, "devices": None}
    settings = {
        "seeds": config.seeds, "grid": grid, "store": scenario.model_dump(mode="json"),
        "variants": {ONLY: training},
    }  # fmt: skip
    with locks.opened(config.folder, "a sweep") as folder:
        sweep_folder.open_sweep(folder, settings)
        effort = Effort().times(config.training.tuning_effort)
        stores = Stores(folder / sweep_folder.STORES, effort)
        return train_planned(folder, planned, config.together, stores, progress, engine)


@contextmanager
def started(
    config: EngineConfig, devices: int | None, limit: str | None, progress: Progress
) -> Iterator[Engine]:
    """The engine of these settings, with so many devices and within that limit of memory. Raises
    `ConfigError`."""
    if config.engine == "ray":
        from agents.sweeps import on_ray  # needs an extra

        with on_ray.connected(config, devices, limit, progress) as engine:
            yield engine
    else:
        yield Local(count_devices(devices), memory.limit_of(limit), progress)


def train_planned(
    folder: Path,
    planned: list[PlannedRun],
    most: int | None,
    stores: Stores,
    progress: Progress,
    engine: Engine,
) -> pd.DataFrame:
    """Trains the runs that are not yet in the folder, at most `most` in one program, and gathers
    the tables of all. They share their static settings."""
    finished = sweep_folder.finished_runs(folder)
    left = [run for run in planned if run.number not in finished]
    progress.begin(len(planned), len(planned) - len(left))
    if left:
        _measure(left, stores, progress, engine)
        chunks = engine.chunks([_member(run, stores) for run in left], most)
        for _, trained in engine.each(train, chunks):
            sweep_folder.write_chunk(folder, trained.tables, trained.weights)
            _tell_failed(trained.tables[sweep_folder.RUNS], progress)
    rows = sweep_folder.gather(folder)
    _tell_failed(rows[rows["run"].isin(finished)], progress)
    return rows


def kept_departments(folder: Path, run: PlannedRun, stores: Stores) -> Departments:
    """The departments that a finished run kept, ready to decide. Raises `RunError`."""
    like = departments_like(run.config, run.scenario.params(), stores.tuned(run.scenario))
    return like.with_weights(sweep_folder.read_weights(folder, run.number, like.weights))


def _measure(runs: list[PlannedRun], stores: Stores, progress: Progress, engine: Engine) -> None:
    """Tunes every pair on the stores that are new, and finds the best on all evaluation
    customers."""
    tuning = stores.untuned(run.scenario for run in runs)
    tuned = engine.each(tuned_pairs, tuning)
    for task, pairs in _told("tuning every pair of heuristics, stores", tuned, tuning, progress):
        stores.keep_tuned(task.store, pairs)
    measuring = stores.unmeasured(runs)
    measured = engine.each(best_pair, measuring)
    for task, best in _told("heuristics on evaluation customers", measured, measuring, progress):
        stores.keep_baseline(task.run, best)


def _told(
    what: str, results: Iterator[Result], tasks: Sequence[object], progress: Progress
) -> Iterator[Result]:
    """The results of tasks, with a line before the first and between them."""
    if tasks:
        progress.announce(f"{what}: {len(tasks)}")
    for done, result in enumerate(results, 1):
        yield result
        if done < len(tasks):
            progress.announce(f"{what}: {done} of {len(tasks)} done")


def _member(run: PlannedRun, stores: Stores) -> Member:
    start = starting_pair(run.config, stores.tuned(run.scenario))
    return Member(run, start.policy.heuristic, stores.baseline(run))


def _tell_failed(rows: pd.DataFrame, progress: Progress) -> None:
    """A line for each run whose numbers are those of a training that went wrong."""
    for row in rows[rows["failed"]].to_dict("records"):
        progress.announce(
            f"run {row['run']} failed: updates stopped being finite, {row['skipped_updates']} were "
            "skipped; alone, this training would have ended with an error"
        )
