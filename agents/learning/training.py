"""A training as chunks of compiled iterations, checked on validation customers. No disk is touched.

`agents.runs` writes what comes of it into a folder, and goes on from there.
"""

import math
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np
import pandas as pd

from agents.devices import EVERYWHERE, ONE, Shards, gathered, placed
from agents.evaluation.keys import keys_of
from agents.evaluation.simulation import profit_per_period, simulate
from agents.evaluation.tuning import TunedPair
from agents.learning import compilation
from agents.learning.config import TrainConfig
from agents.learning.iteration import iterate_many
from agents.learning.networks import Networks
from agents.learning.regimes import REGIMES
from agents.learning.train_state import TrainState, train_state_specs
from agents.learning.trainer import Trainer
from agents.policies.departments import Departments
from agents.policies.heuristics import STOCK_BLIND, HeuristicParams
from jaxsim.params import Params

NEVER = float("-inf")


@dataclass(frozen=True)
class Snapshot:
    """Where a training is, with all that it needs to go on."""

    train_state: TrainState
    kept: dict[str, Any]  # the weights that did best on validation customers, by department
    kept_profit: float = NEVER  # what they earned there, money per period
    iteration: int = 0
    store_periods: int = 0  # of experience; Python's whole numbers do not overflow
    seconds: float = 0.0  # spent training, by every process that had a part in it


@dataclass(frozen=True)
class Training:
    """What is trained, on which store, with whose randomness."""

    config: TrainConfig
    trainer: Trainer
    params: Params
    keys: dict[str, jax.Array]  # `keys_of` the seed

    @property
    def shards(self) -> Shards:
        return self.trainer.static.shards

    def start(self) -> Snapshot:
        """A training that has not begun; what is kept is how the departments start."""
        init = placed(Trainer.init, train_state_specs(), self.shards)
        given = self.trainer, self.keys["learn"], self.params
        train_state = init.lower(*given).compile(compilation.options(0))(*given)  # called once
        return Snapshot(train_state, jax.device_get(self.departments(train_state).weights))

    def departments(self, train_state: TrainState) -> Departments:
        """Both departments as they now are."""
        return self.trainer.departments(train_state)

    def best(self, snapshot: Snapshot) -> Departments:
        """Both departments with the weights that did best on validation customers."""
        return self.departments(snapshot.train_state).with_weights(snapshot.kept)

    def compiled(self, train_state: TrainState) -> Any:
        """A chunk of iterations as one program that takes over the memory of `train_state`."""
        chunk = partial(iterate_many, iterations=self.config.chunk)
        specs = train_state_specs()
        whole = self.shards.map(chunk, (EVERYWHERE, specs, EVERYWHERE), (specs, EVERYWHERE))
        # Results are placed by name: empty parts would else lie elsewhere than they are taken.
        program = placed(whole, (specs, EVERYWHERE), self.shards, donate_argnums=1)
        lowered = program.lower(self.trainer, train_state, self.params)
        return lowered.compile(compilation.options(self.config.store_periods))


def prepared(
    config: TrainConfig,
    params: Params,
    tuned: list[TunedPair],
    shards: Shards = ONE,
    networks: Networks | None = None,
) -> Training:
    """A training that starts from the best of the tuned pairs."""
    heuristic = starting_pair(config, tuned).policy.heuristic
    return _from(heuristic, config, params, shards, networks)


def compiled_ahead(
    config: TrainConfig, params: Params, networks: Networks | None = None
) -> Future[Any]:
    """The program of a training on one device, compiled in a thread while its pairs are tuned:
    which pair it starts from is data to it."""
    training = _from(HeuristicParams(), config, params, ONE, networks)
    shapes = jax.eval_shape(training.trainer.init, training.keys["learn"], params)
    pool = ThreadPoolExecutor(1)
    program = pool.submit(training.compiled, shapes)
    pool.shutdown(wait=False)
    return program


def _from(
    heuristic: HeuristicParams,
    config: TrainConfig,
    params: Params,
    shards: Shards,
    networks: Networks | None,
) -> Training:
    """A training that starts from these rules."""
    trainer = config.trainer(heuristic, shards, networks)
    return Training(config, trainer, params, keys_of(config.seed))


def chunks(
    training: Training, program: Any, snapshot: Snapshot
) -> Iterator[tuple[Snapshot, pd.DataFrame]]:
    """The snapshot after each chunk to the last iteration, and the chunk's metrics, a row for each
    iteration. `program` is `Training.compiled`."""
    while snapshot.iteration < training.config.iterations:
        began = time.perf_counter()
        snapshot, news = _next(training, program, snapshot)
        snapshot = replace(snapshot, seconds=snapshot.seconds + time.perf_counter() - began)
        yield snapshot, news


def starting_pair(config: TrainConfig, tuned: list[TunedPair]) -> TunedPair:
    """The pair that the departments correct: the best, or in a silo the best whose recommender
    does not look at stock."""
    if REGIMES[config.regime].shared_view:
        return tuned[0]
    return next(pair for pair in tuned if pair.name.split("+")[0] in STOCK_BLIND)


def _next(training: Training, program: Any, snapshot: Snapshot) -> tuple[Snapshot, pd.DataFrame]:
    """The snapshot one chunk later, and its metrics."""
    config = training.config
    train_state, metrics = program(training.trainer, snapshot.train_state, training.params)
    news = pd.DataFrame(jax.device_get(metrics))
    iterations = snapshot.iteration + 1 + np.arange(config.chunk)
    per_iteration = config.stores * config.horizon
    news.insert(0, "iteration", iterations)
    news.insert(1, "store_periods", iterations.astype("int64") * per_iteration)
    news["greedy_profit"] = np.nan
    snapshot = replace(
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
    """Keeps the weights where they earn more on validation customers than those kept before, which
    at first are those of the start: what was learned is adopted only where it beats the tuned
    pair."""
    departments = training.departments(snapshot.train_state)
    if snapshot.kept_profit == NEVER:
        started = _validated(training, training.best(snapshot))
        snapshot = replace(snapshot, kept_profit=started if math.isfinite(started) else NEVER)
    profit = _validated(training, departments)
    if profit > snapshot.kept_profit:
        kept = jax.device_get(departments.weights)
        snapshot = replace(snapshot, kept=kept, kept_profit=profit)
    return snapshot, profit


def _validated(training: Training, departments: Departments) -> float:
    """Profit per period on validation customers, money."""
    config = training.config
    totals = simulate(
        training.keys["validate"],
        departments,
        training.params,
        config.evaluation_stores,
        config.evaluation_periods,
        config.burn_in,
        training.shards,
    )
    return float(profit_per_period(gathered(totals), config.evaluation_periods).mean())
