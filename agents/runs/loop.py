"""A training into its folder, chunk by chunk: log, save, stop when asked.

Checkpoints are written where the weights are the best so far, whenever `save_seconds` have gone by,
at the end, and when the process is asked to end: never after an update that was not finite, so that
the newest checkpoint is a good one.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import jax
import pandas as pd

from agents import files
from agents.devices import is_first, placed
from agents.errors import NumbersError
from agents.learning import health
from agents.learning.train_state import train_state_specs
from agents.learning.training import Snapshot, Training, chunks
from agents.runs import logs, processes, run_folder
from agents.runs.checkpoints import Checkpoints
from agents.runs.interruption import Interrupted, Interruption
from agents.runs.stopwatch import Stopwatch

Progress = Callable[[dict[Any, Any]], None]


def restored(
    training: Training, checkpoints: Checkpoints, announce: Callable[[str], None]
) -> Snapshot | None:
    """Where the training was at its newest whole checkpoint, if it has one. Raises `RunError`."""
    shapes = jax.eval_shape(training.trainer.init, training.keys["learn"], training.params)
    like = Snapshot(shapes, training.departments(shapes).weights)
    found = checkpoints.restore(like, announce)
    if found is None:
        return None
    place = placed(lambda train_state: train_state, train_state_specs(), training.shards)
    return dataclasses.replace(found, train_state=place(found.train_state))


def learn(
    training: Training,
    program: Any,
    start: Snapshot,
    folder: Path,
    checkpoints: Checkpoints,
    interruption: Interruption,
    progress: Progress,
    watch: Stopwatch,
) -> tuple[Snapshot, pd.DataFrame]:
    """From `start` to the last iteration, by `Training.compiled`: the snapshot there, and all
    metrics.

    Raises `RunError` where nothing can be written, `NumbersError` where too many updates in a row
    were not finite, `Interrupted` when the process was asked to end; what was saved stays.
    """
    config = training.config
    metrics = pd.DataFrame()
    if is_first():
        metrics = run_folder.read_metrics_until(folder, start.iteration)
    saved = time.perf_counter()
    names = config.log if is_first() else ()
    settings = dataclasses.asdict(config)
    with (
        logs.writing(names, folder, settings, start.store_periods) as log,
        interruption.deferred(),
    ):
        if start.iteration == 0:
            checkpoints.save(start, is_best=False, metrics="")
        snapshot, best = start, start.kept_profit
        for snapshot, news in chunks(training, program, start):
            metrics = pd.concat([metrics, news], ignore_index=True)
            with watch.timing("write"):
                log(news)
            speed = snapshot.store_periods / snapshot.seconds
            progress(news.iloc[-1].to_dict() | {"per_second": speed})
            is_best, best = snapshot.kept_profit > best, snapshot.kept_profit
            wrong = health.why_to_stop(snapshot.train_state.health, training.trainer.learners)
            now = time.perf_counter()
            due, interruption.asked = processes.agreed(
                now - saved >= config.save_seconds, interruption.asked
            )
            stopping = wrong is not None or interruption.asked is not None
            if is_best or due or stopping or snapshot.iteration == config.iterations:
                saved = now
                with watch.timing("write"):
                    _save(snapshot, is_best, metrics, folder, checkpoints)
            if stopping:
                _stop(folder, checkpoints, wrong, interruption)
    with watch.timing("write"):
        checkpoints.finish()
    return snapshot, metrics


def _save(
    snapshot: Snapshot,
    is_best: bool,
    metrics: pd.DataFrame,
    folder: Path,
    checkpoints: Checkpoints,
) -> None:
    """The metrics until now and, unless an update was not finite, a checkpoint."""
    text = run_folder.metrics_text(metrics)
    files.write_text(folder / run_folder.METRICS, text)
    if health.is_sound(snapshot.train_state.health):
        checkpoints.save(snapshot, is_best, text)


def _stop(
    folder: Path, checkpoints: Checkpoints, wrong: str | None, interruption: Interruption
) -> NoReturn:
    """Raises what ends the training before its time, once everything is written."""
    checkpoints.finish()
    where = f"iteration {checkpoints.newest} is saved in {folder}"
    if wrong is not None:
        raise NumbersError(f"{wrong}; {where}")
    assert interruption.asked is not None
    raise Interrupted(interruption.asked, f"; {where}, the same command goes on from there")
