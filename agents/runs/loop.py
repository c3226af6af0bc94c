"""The compiled loop, chunk by chunk: learn, check on validation customers, save, stop when asked.

Saves are made where the weights are the best so far, whenever `save_seconds` have gone by, at the
end, and when the process is asked to end: never while numbers go wrong, so that the newest
checkpoint is a good one.
"""

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np
import pandas as pd

from agents.devices import is_first
from agents.learning import compilation, health
from agents.runs import logs, processes, run_folder
from agents.runs.checkpoints import Checkpoints, Snapshot
from agents.learning.config import TrainConfig
from agents.policies.departments import Departments
from agents.evaluation.simulation import profit_per_period, simulate
from agents.runs.interruption import Interrupted, Interruption
from agents.learning.train_state import TrainState, train_state_specs
from agents.learning.iteration import iterate_many
from agents.learning.trainer import Trainer
from agents.devices import EVERYWHERE, Shards, gathered, placed
from jaxsim.params import Params

Progress = Callable[[dict[str, float]], None]


@dataclasses.dataclass(frozen=True)
class Training:
    """What a training is of, and where it goes."""

    config: TrainConfig
    trainer: Trainer
    params: Params
    keys: dict[str, jax.Array]
    folder: Path
    checkpoints: Checkpoints

    def start(self) -> Snapshot:
        """A training that has not begun; what is kept is how the departments start."""
        init = placed(Trainer.init, train_state_specs(), self.shards)
        train_state = init(self.trainer, self.keys["learn"], self.params)
        return Snapshot(train_state, jax.device_get(self.departments(train_state).weights))

    @property
    def shards(self) -> Shards:
        return self.trainer.static.shards

    def departments(self, train_state: TrainState) -> Departments:
        return self.trainer.departments(train_state)

    def restored(self) -> Snapshot | None:
        """Where the training stood at its newest checkpoint, if it has one. Raises `RunError`."""
        train_state = jax.eval_shape(self.trainer.init, self.keys["learn"], self.params)
        found = self.checkpoints.restore(Snapshot(train_state, self.departments(train_state).weights))
        if found is None:
            return None
        place = placed(lambda train_state: train_state, train_state_specs(), self.shards)
        return dataclasses.replace(found, train_state=place(found.train_state))


def learn(
    training: Training, snapshot: Snapshot, interruption: Interruption, progress: Progress
) -> tuple[Snapshot, pd.DataFrame, float]:
    """Goes on to the last iteration: the snapshot there, all metrics, seconds of compilation.

    Raises `RunError` where nothing can be written, `NumbersError` where too many updates in a row
    were not finite, `Interrupted` when the process was asked to end; what was saved stays.
    """
    config, checkpoints = training.config, training.checkpoints
    metrics = pd.DataFrame()
    if is_first():
        metrics = run_folder.read_metrics_until(training.folder, snapshot.iteration)
    started = time.perf_counter()
    chunk = _compile(training, snapshot.train_state)
    compiled = saved = time.perf_counter()
    before, settings = snapshot.seconds, dataclasses.asdict(config)
    written = config.log if is_first() else ()
    with (
        logs.writing(written, training.folder, settings, snapshot.store_periods) as log,
        interruption.deferred(),
    ):
        if snapshot.iteration == 0:
            checkpoints.save(snapshot, is_best=False)
        while snapshot.iteration < config.iterations:
            best = snapshot.kept_profit
            snapshot, news = _one_chunk(training, chunk, snapshot)
            now = time.perf_counter()
            snapshot = dataclasses.replace(snapshot, seconds=before + now - compiled)
            metrics = pd.concat([metrics, news], ignore_index=True)
            log(news)
            speed = snapshot.store_periods / snapshot.seconds
            progress(news.iloc[-1].to_dict() | {"per_second": speed})
            is_best = snapshot.kept_profit > best
            wrong = health.why_to_stop(snapshot.train_state.health, training.trainer.learners)
            due, interruption.asked = processes.agreed(
                now - saved >= config.save_seconds, interruption.asked
            )
            stopping = wrong is not None or interruption.asked is not None
            over = snapshot.iteration == config.iterations or stopping
            if is_best or over or due:
                run_folder.write_metrics(training.folder, metrics)
                saved = now
                if health.is_sound(snapshot.train_state.health):
                    checkpoints.save(snapshot, is_best)
            if stopping:
                _stop(training, wrong, interruption)
    checkpoints.finish()
    return snapshot, metrics, compiled - started


def _one_chunk(training: Training, chunk: Any, snapshot: Snapshot) -> tuple[Snapshot, pd.DataFrame]:
    """The snapshot one chunk later, and its metrics, a row for each iteration."""
    config = training.config
    train_state, metrics = chunk(training.trainer, snapshot.train_state, training.params)
    news = pd.DataFrame(jax.device_get(metrics))
    iterations = snapshot.iteration + 1 + np.arange(config.chunk)
    per_iteration = config.stores * config.horizon
    news.insert(0, "iteration", iterations)
    news.insert(1, "store_periods", iterations.astype("int64") * per_iteration)
    news["greedy_profit"] = np.nan
    snapshot = dataclasses.replace(
        snapshot,
        train_state=train_state,
        iteration=int(iterations[-1]),
        store_periods=snapshot.store_periods + config.chunk * per_iteration,
    )
    if snapshot.iteration // config.chunk in config.checks:
        snapshot, profit = _checked(training, snapshot)
        news.loc[news.index[-1], "greedy_profit"] = profit
    return snapshot, news


def _checked(training: Training, snapshot: Snapshot) -> tuple[Snapshot, float]:
    """Keeps the weights where they earn more on validation customers than those kept before."""
    config, departments = training.config, training.departments(snapshot.train_state)
    totals = simulate(
        training.keys["validate"],
        departments,
        training.params,
        config.evaluation_stores,
        config.evaluation_periods,
        config.burn_in,
        training.shards,
    )
    profit = float(profit_per_period(gathered(totals), config.evaluation_periods).mean())
    if profit > snapshot.kept_profit:
        kept = jax.device_get(departments.weights)
        snapshot = dataclasses.replace(snapshot, kept=kept, kept_profit=profit)
    return snapshot, profit


def _stop(training: Training, wrong: str | None, interruption: Interruption) -> NoReturn:
    """Raises what ends the training before its time, once everything is written."""
    training.checkpoints.finish()
    where = f"iteration {training.checkpoints.newest} is saved in {training.folder}"
    if wrong is not None:
        raise health.NumbersError(f"{wrong}; {where}")
    assert interruption.asked is not None
    raise Interrupted(interruption.asked, f"; {where}, the same command goes on from there")


def _compile(training: Training, train_state: TrainState) -> Any:
    """A chunk of iterations as one program that takes over the memory of `train_state`."""

    chunk = partial(iterate_many, iterations=training.config.chunk)
    specs = train_state_specs()
    whole = training.shards.map(chunk, (EVERYWHERE, specs, EVERYWHERE), (specs, EVERYWHERE))
    # Results are placed by name: the compiler would put empty parts elsewhere than it takes them.
    compiled = placed(whole, (specs, EVERYWHERE), training.shards, donate_argnums=1)
    lowered = compiled.lower(training.trainer, train_state, training.params)
    return lowered.compile(compilation.options(training.config.store_periods))
