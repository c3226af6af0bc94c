"""The compiled loop, chunk by chunk: learn, check on validation customers, save, stop when asked.

Saves are made where the weights are the best so far, whenever `save_seconds` have gone by, at the
end, and when the process is asked to end: never while numbers go wrong, so that the newest
checkpoint is a good one.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np
import pandas as pd

from agents.learning import compilation, health
from agents.runs import logs, processes, run_folder
from agents.runs.checkpoints import Checkpoints, Standing
from agents.learning.config import TrainConfig
from agents.policies.departments import Departments
from agents.evaluation.simulation import profit_per_period, simulate
from agents.runs.interruption import Interrupted, Interruption
from agents.learning.train_state import Learner, learner_specs
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

    def start(self) -> Standing:
        """A training that has not begun; what is kept is how the departments start."""
        init = placed(Trainer.init, learner_specs(), self.shards)
        learner = init(self.trainer, self.keys["learn"], self.params)
        return Standing(learner, jax.device_get(self.departments(learner).weights))

    @property
    def shards(self) -> Shards:
        return self.trainer.shape.shards

    def departments(self, learner: Learner) -> Departments:
        return Departments(*self.trainer.departments(learner))

    def restored(self) -> Standing | None:
        """Where the training stood at its newest checkpoint, if it has one. Raises `RunError`."""
        learner = jax.eval_shape(self.trainer.init, self.keys["learn"], self.params)
        found = self.checkpoints.restore(Standing(learner, self.departments(learner).weights))
        if found is None:
            return None
        place = placed(lambda learner: learner, learner_specs(), self.shards)
        return dataclasses.replace(found, learner=place(found.learner))


def learn(
    training: Training, standing: Standing, interruption: Interruption, progress: Progress
) -> tuple[Standing, pd.DataFrame, float]:
    """Goes on to the last iteration: the standing there, all metrics, seconds of compilation.

    Raises `RunError` where nothing can be written, `NumbersError` where too many updates in a row
    were not finite, `Interrupted` when the process was asked to end; what was saved stays.
    """
    config, checkpoints = training.config, training.checkpoints
    metrics = pd.DataFrame()
    if processes.is_first():
        metrics = run_folder.read_metrics_until(training.folder, standing.iteration)
    started = time.perf_counter()
    chunk = _compile(training, standing.learner)
    compiled = saved = time.perf_counter()
    before, settings = standing.seconds, dataclasses.asdict(config)
    written = config.log if processes.is_first() else ()
    with (
        logs.writing(written, training.folder, settings, standing.store_periods) as log,
        interruption.deferred(),
    ):
        if standing.iteration == 0:
            checkpoints.save(standing, is_best=False)
        while standing.iteration < config.iterations:
            best = standing.kept_profit
            standing, news = _one_chunk(training, chunk, standing)
            now = time.perf_counter()
            standing = dataclasses.replace(standing, seconds=before + now - compiled)
            metrics = pd.concat([metrics, news], ignore_index=True)
            log(news)
            speed = standing.store_periods / standing.seconds
            progress(news.iloc[-1].to_dict() | {"per_second": speed})
            is_best = standing.kept_profit > best
            wrong = health.why_to_stop(standing.learner.health, training.trainer.learners)
            due, interruption.asked = processes.agreed(
                now - saved >= config.save_seconds, interruption.asked
            )
            stopping = wrong is not None or interruption.asked is not None
            over = standing.iteration == config.iterations or stopping
            if is_best or over or due:
                run_folder.write_metrics(training.folder, metrics)
                saved = now
                if health.is_sound(standing.learner.health):
                    checkpoints.save(standing, is_best)
            if stopping:
                _stop(training, wrong, interruption)
    checkpoints.finish()
    return standing, metrics, compiled - started


def _one_chunk(training: Training, chunk: Any, standing: Standing) -> tuple[Standing, pd.DataFrame]:
    """The standing one chunk later, and its metrics, a row for each iteration."""
    config = training.config
    learner, metrics = chunk(training.trainer, standing.learner, training.params)
    news = pd.DataFrame(jax.device_get(metrics))
    iterations = standing.iteration + 1 + np.arange(config.chunk)
    per_iteration = config.stores * config.horizon
    news.insert(0, "iteration", iterations)
    news.insert(1, "store_periods", iterations.astype("int64") * per_iteration)
    news["greedy_profit"] = np.nan
    standing = dataclasses.replace(
        standing,
        learner=learner,
        iteration=int(iterations[-1]),
        store_periods=standing.store_periods + config.chunk * per_iteration,
    )
    if standing.iteration // config.chunk in config.checks:
        standing, profit = _checked(training, standing)
        news.loc[news.index[-1], "greedy_profit"] = profit
    return standing, news


def _checked(training: Training, standing: Standing) -> tuple[Standing, float]:
    """Keeps the weights where they earn more on validation customers than those kept before."""
    config, departments = training.config, training.departments(standing.learner)
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
    if profit > standing.kept_profit:
        kept = jax.device_get(departments.weights)
        standing = dataclasses.replace(standing, kept=kept, kept_profit=profit)
    return standing, profit


def _stop(training: Training, wrong: str | None, interruption: Interruption) -> NoReturn:
    """Raises what ends the training before its time, once everything is written."""
    training.checkpoints.finish()
    where = f"iteration {training.checkpoints.newest} is saved in {training.folder}"
    if wrong is not None:
        raise health.NumbersError(f"{wrong}; {where}")
    assert interruption.asked is not None
    raise Interrupted(interruption.asked, f"; {where}, the same command goes on from there")


def _compile(training: Training, learner: Learner) -> Any:
    """A chunk of iterations as one program that takes over the learner's memory."""

    def chunk(trainer: Trainer, learner: Learner, params: Params) -> tuple[Learner, dict]:
        return jax.lax.scan(
            lambda carried, _: trainer.iterate(carried, params),
            learner,
            length=training.config.chunk,
        )

    specs = learner_specs()
    whole = training.shards.map(chunk, (EVERYWHERE, specs, EVERYWHERE), (specs, EVERYWHERE))
    # Told where, as the compiler would put parts without numbers elsewhere than it takes them.
    compiled = placed(whole, (specs, EVERYWHERE), training.shards, donate_argnums=1)
    lowered = compiled.lower(training.trainer, learner, training.params)
    return lowered.compile(compilation.options(training.config.store_periods))
