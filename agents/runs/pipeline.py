"""A training from settings to result: resolve the store → tune → learn → compare → write.

`train` keeps everything in memory; `train_in_folder` does the same steps and leaves a run folder,
from which a training that was stopped goes on.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import pandas as pd

from agents import checksums, locks, schemas
from agents.devices import Shards, is_first
from agents.errors import NumbersError
from agents.evaluation.comparison import compare
from agents.evaluation.simulation import undefined
from agents.evaluation.tuning import Effort, TunedPair, tune
from agents.learning import health
from agents.learning.config import TrainConfig
from agents.learning.networks import Networks
from agents.learning.training import (
    Snapshot,
    Training,
    chunks,
    compiled_ahead,
    prepared,
)
from agents.policies.departments import Departments
from agents.runs import logs, processes, run_folder
from agents.runs.checkpoints import Checkpoints
from agents.runs.interruption import Interruption
from agents.runs.loop import Progress, learn, restored
from agents.runs.run_schemas import LEARNED, Heuristics
from agents.runs.stopwatch import Stopwatch
from jaxsim import scenarios, versions
from jaxsim.params import Params
from jaxsim.scenarios.scenario import Scenario

FIXED_COSTS = "a fixed cost per order has no slope: orders ignore it; --learner score learns it"


@dataclass(frozen=True)
class Result:
    """What a training came to."""

    departments: Departments  # the best on validation customers
    metrics: pd.DataFrame  # a row for each iteration
    summary: dict[str, Any]  # all policies on the same new customers: `compared`
    tuned: list[TunedPair]  # the classical pairs, best first

    @property
    def gain(self) -> dict[str, Any]:
        """Profit per period more than the best tuned pair: mean, 95 % interval, percent."""
        return self.summary["gain_over_best_heuristic"]


def train(
    config: TrainConfig | None = None,
    scenario: str | Scenario | Params | None = None,
    progress: Progress | None = None,
    networks: Networks | None = None,
) -> Result:
    """Trains both departments of a store and compares them with the tuned heuristics, in memory.

    scenario: a name, a file, a scenario or the numbers of a store; by default the config's.
    progress: called after each chunk of iterations with the metrics of its last one.
    networks: modules of your own in the place of the project's.
    Raises `UserError` before any work is done, `NumbersError` where too many updates in a row were
    not finite.
    """
    config = config or TrainConfig()
    config.validate()
    shards = config.shards()
    name, params = resolve(config.scenario if scenario is None else scenario)
    watch, frames = Stopwatch(), []
    compiling = compiled_ahead(config, params, networks) if shards.count == 1 else None
    with watch.timing("tune"):
        tuned = tune(params, Effort().times(config.tuning_effort))
    training = prepared(config, params, tuned, shards, networks)
    start = training.start()
    with watch.timing("compile"):
        program = compiling.result() if compiling else training.compiled(start.train_state)
    snapshot = start
    for snapshot, news in chunks(training, program, start):
        frames.append(news)
        wrong = health.why_to_stop(snapshot.train_state.health, training.trainer.learners)
        if wrong is not None:
            raise NumbersError(wrong)
        if progress is not None:
            speed = snapshot.store_periods / snapshot.seconds
            progress(news.iloc[-1].to_dict() | {"per_second": speed})
    metrics = pd.concat(frames, ignore_index=True)
    return _concluded(training, snapshot, metrics, name, tuned, watch)


def train_in_folder(
    config: TrainConfig, announce: Callable[[str], None], progress: Progress
) -> Result | None:
    """Runs one training, or what is left of it, and leaves its folder. Of several processes the
    first alone reads a training that is finished; the others get none.

    Raises `UserError` before any work is done; later `RunError` where nothing can be written any
    more, `NumbersError` where numbers go wrong, and `Interrupted` when the process is asked to end.
    """
    config.validate()
    logs.check(config.log)
    config = dataclasses.replace(config, devices=config.shards().count)
    scenario, watch, compiling = scenarios.get(config.scenario), Stopwatch(), None
    with (
        Interruption() as interruption,
        locks.opened(config.folder, "a training") as folder,
        Checkpoints(folder, settings_of(config, scenario)) as checkpoints,
    ):
        if checkpoints.newest is not None:
            checkpoints.check_settings()
            if processes.from_first((folder / run_folder.SUMMARY).exists):
                announce("this training is finished; another --out, or --seed, trains anew")
                return load(folder) if is_first() else None
            checksums.tell_if_unsealed(folder)
        else:
            if config.devices == 1:
                compiling = compiled_ahead(config, scenario.params())
            _begin(config, scenario, folder, announce, watch)
        tuned = _tuned(folder)
        training = prepared(config, scenario.params(), tuned, config.shards())
        with interruption.deferred():
            snapshot = restored(training, checkpoints, announce)
        interruption.check()
        if config.learner == "path" and (training.params.order_cost > 0).any():
            announce(FIXED_COSTS)
        if snapshot is None:
            announce(f"best when tuned: {tuned[0].name}; compiling the training")
        else:
            announce(f"going on from iteration {snapshot.iteration}; compiling the training")
        start = snapshot or training.start()
        with watch.timing("compile"):
            program = compiling.result() if compiling else training.compiled(start.train_state)
        snapshot, metrics = learn(
            training,
            program,
            start,
            folder,
            checkpoints,
            interruption,
            progress,
            watch,
        )
        announce("evaluating all policies on the same new customers")
        result = _concluded(training, snapshot, metrics, scenario.name, tuned, watch)
        run_folder.conclude(folder, metrics, result.departments.weights, result.summary)
        return result


def load(folder: Path) -> Result:
    """What a finished training left in its folder. Raises `RunError`, or `ScenarioError` where the
    store is missing."""
    folder = Path(folder)
    config, tuned = run_folder.read_config(folder), run_folder.read_heuristics(folder)
    return Result(
        departments=load_departments(folder, config, tuned),
        metrics=run_folder.read_metrics(folder),
        summary=run_folder.read_summary(folder),
        tuned=tuned,
    )


def resolve(store: str | Scenario | Params) -> tuple[str, Params]:
    """A store's name and its numbers. Raises `ScenarioError`."""
    if isinstance(store, Params):
        return "store", store
    scenario = scenarios.get(store) if isinstance(store, str) else store
    return scenario.name, scenario.params()


def compared(
    config: TrainConfig,
    name: str,
    params: Params,
    tuned: list[TunedPair],
    departments: Departments,
    key: jax.Array,
    shards: Shards,
) -> dict[str, Any]:
    """Every tuned pair and the departments on the same customers, as a summary. What cannot be
    computed is NaN, null in a file, and `why_null` says why."""
    sizes = config.evaluation_stores, config.evaluation_periods, config.burn_in
    policies = {pair.name: pair.policy for pair in tuned}
    found = compare(key, policies | {LEARNED: departments}, params, *sizes, policies, shards)
    gain, best = found.rows[LEARNED], abs(found.rows[found.best]["profit_mean"])
    why_null = undefined(found.rows.values())
    if not best:
        why_null |= {"percent": "the best heuristic earns 0"}
    return {
        "scenario": name,
        "regime": config.regime,
        "learner": config.learner,
        "seed": config.seed,
        "store_periods": config.store_periods,
        "policies": found.rows,
        "best_heuristic": found.best,
        "gain_over_best_heuristic": {
            "mean": gain["difference_to_best_heuristic"],
            "ci95": gain["difference_ci95"],
            "percent": 100 * gain["difference_to_best_heuristic"] / best if best else math.nan,
        },
        "never_ordered": {name: found.never_ordered[name] for name in (LEARNED, found.best)},
        "why_null": why_null,
        "evaluation": dict(zip(("stores", "periods", "burn_in"), sizes, strict=True)),
        "versions": versions() | {"device": jax.devices()[0].device_kind},
    }


def load_departments(folder: Path, config: TrainConfig, tuned: list[TunedPair]) -> Departments:
    """The departments a run kept. Raises `RunError` or `ScenarioError`."""
    like = departments_like(config, run_folder.read_scenario(folder).params(), tuned)
    return like.with_weights(run_folder.load_weights(folder, run_folder.BEST, like.weights))


def departments_like(config: TrainConfig, params: Params, tuned: list[TunedPair]) -> Departments:
    """The departments at the start of a training, with shapes in place of weights."""
    trainer = prepared(config, params, tuned).trainer
    return trainer.departments(jax.eval_shape(trainer.init, jax.random.key(0), params))


def _begin(
    config: TrainConfig,
    scenario: Scenario,
    folder: Path,
    announce: Callable[[str], None],
    watch: Stopwatch,
) -> None:
    """Leaves the settings, the store and the tuned pairs in the folder, sealed, and nothing of an
    earlier training's end."""
    if is_first():
        for end in (run_folder.SUMMARY, checksums.SUMS):
            (folder / end).unlink(missing_ok=True)
    run_folder.write_config(folder, config)
    run_folder.write_scenario(folder, scenario)
    announce("tuning every pair of heuristics")
    with watch.timing("tune"):
        tuned = tune(scenario.params(), Effort().times(config.tuning_effort))
    run_folder.write_heuristics(folder, tuned)
    run_folder.seal_the_start(folder)


def _tuned(folder: Path) -> list[TunedPair]:
    """The pairs in the folder of the first process: those of others may differ by a rounding."""
    read = partial(schemas.read, folder, run_folder.HEURISTICS, Heuristics)
    return run_folder.pairs_from(processes.from_first(lambda: read().model_dump()))


def _concluded(
    training: Training,
    snapshot: Snapshot,
    metrics: pd.DataFrame,
    name: str,
    tuned: list[TunedPair],
    watch: Stopwatch,
) -> Result:
    """The best departments, held against the tuned pairs on new customers."""
    config, departments = training.config, training.best(snapshot)
    key, shards = training.keys["evaluate"], training.shards
    with watch.timing("evaluate"):
        summary = compared(config, name, training.params, tuned, departments, key, shards)
    seconds = watch.seconds | {"learn": snapshot.seconds}
    return Result(departments, metrics, summary | {"seconds": seconds}, tuned)


def settings_of(config: TrainConfig, scenario: Scenario) -> dict[str, Any]:
    """All that the numbers of a training depend on, by name."""
    settings = dataclasses.asdict(config)
    for free in ("out", "log", "save_seconds"):
        del settings[free]
    store = scenario.model_dump(mode="json")
    return settings | {f"{field} of the store": value for field, value in store.items()}
