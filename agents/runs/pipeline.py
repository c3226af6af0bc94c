"""A training from scenario to summary: tune, learn, evaluate, write everything down."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import pandas as pd

from agents.devices import is_first
from agents import files
from agents.runs import logs, processes, run_folder
from agents.runs.checkpoints import Checkpoints, Snapshot
from agents.learning.config import TrainConfig
from agents.policies.departments import Departments
from agents.evaluation.simulation import evaluate, interval, kpis, profit_per_period
from agents.policies.heuristics import STOCK_BLIND
from agents.runs.interruption import Interruption
from agents.runs.loop import Progress, Training, learn
from agents.report.pictures import draw_learning, draw_week
from agents.learning.regimes import REGIMES
from agents.devices import ONE, Shards
from agents.evaluation.trajectories import DAYS, record
from agents.evaluation.tuning import Effort, TunedPair, tune
from jaxsim import scenarios
from jaxsim.params import Params
from jaxsim.scenarios.scenario import Scenario

LEARNED = "learned"


def train(config: TrainConfig, announce: Callable[[str], None], progress: Progress) -> dict:
    """Runs one training, or what is left of it, and leaves its folder; returns the summary.

    Raises `ConfigError`, `ScheduleError`, `ScenarioError` or `RunError` before any work is done;
    later `RunError` where nothing can be written any more, `NumbersError` where numbers go wrong,
    and `Interrupted` when the process is asked to end.
    """
    config.validate()
    logs.check(config.log)
    shards = config.shards()
    config = dataclasses.replace(config, devices=shards.count)
    scenario = scenarios.get(config.scenario)
    folder = files.open_folder(config.folder)
    with (
        Interruption() as interruption,
        Checkpoints(folder, _settings(config, scenario)) as checkpoints,
    ):
        if checkpoints.newest is not None:
            checkpoints.check_settings()
            if processes.from_first((folder / run_folder.SUMMARY).exists):
                announce("this training is finished; another --out, or --seed, trains anew")
                return processes.from_first(lambda: run_folder.read_summary(folder))
        else:
            _prepare(config, scenario, folder, announce)
        tuned = _tuned(folder)
        start = starting_pair(config, tuned)
        training = Training(
            config=config,
            trainer=config.trainer(start.policy.heuristic, shards),
            params=scenario.params(),
            keys=keys_of(config.seed),
            folder=folder,
            checkpoints=checkpoints,
        )
        with interruption.deferred():
            snapshot = training.restored()
        interruption.heed()
        if snapshot is None:
            announce(f"best when tuned: {tuned[0].name}; compiling the training from {start.name}")
        else:
            announce(f"going on from iteration {snapshot.iteration}; compiling the training")
        snapshot, metrics, compile_seconds = learn(
            training, snapshot or training.start(), interruption, progress
        )
        announce("evaluating all policies on the same new customers")
        return _concluded(training, snapshot, metrics, tuned, compile_seconds)


def _prepare(
    config: TrainConfig, scenario: Scenario, folder: Path, announce: Callable[[str], None]
) -> None:
    """Leaves the tuned pairs in the folder, and nothing of an earlier training's end."""
    if is_first():
        (folder / run_folder.SUMMARY).unlink(missing_ok=True)
    run_folder.write_config(folder, config)
    announce("tuning every pair of heuristics")
    tuned = tune(keys_of(config.seed)["tune"], scenario.params(), Effort())
    run_folder.write_heuristics(folder, tuned)


def _tuned(folder: Path) -> list[TunedPair]:
    """The pairs in the folder of the first process: the others may have tuned a rounding apart."""
    path = folder / run_folder.HEURISTICS
    return run_folder.pairs_from(processes.from_first(lambda: files.read_json(path)), path)


def _concluded(
    training: Training,
    snapshot: Snapshot,
    metrics: pd.DataFrame,
    tuned: list[TunedPair],
    compile_seconds: float,
) -> dict:
    """Evaluates what was learned and writes it down: the summary last, as it says that all is."""
    config, folder, keys = training.config, training.folder, training.keys
    scenario = scenarios.get(config.scenario)
    departments = training.departments(snapshot.train_state).with_weights(snapshot.kept)
    run_folder.save_weights(folder, "best", departments.weights)
    summary = compare(config, scenario, tuned, departments, keys["evaluate"], training.shards) | {
        "compile_seconds": compile_seconds,
        "train_seconds": snapshot.seconds,
    }
    if not is_first():
        return summary
    best = summary["policies"][summary["best_heuristic"]]["profit_mean"]
    draw_learning(metrics, best, folder / "learning.png")
    trace = record(keys["trace"], departments, training.params, DAYS, config.burn_in)
    draw_week(trace.first(21), scenario, folder / "week.png")
    files.write_json(folder / run_folder.SUMMARY, summary)
    return summary


def _settings(config: TrainConfig, scenario: Scenario) -> dict[str, Any]:
    """All that the numbers of a training depend on, by name."""
    settings = dataclasses.asdict(config)
    for free in ("out", "log", "save_seconds"):
        del settings[free]
    store = scenario.model_dump(mode="json")
    return settings | {f"{field} of the store": value for field, value in store.items()}


def compare(
    config: TrainConfig,
    scenario: Scenario,
    tuned: list[TunedPair],
    departments: Departments,
    key: jax.Array,
    shards: Shards = ONE,
) -> dict:
    """Every tuned pair and the departments on the same customers, as a summary."""
    stores, periods, burn_in = (
        config.evaluation_stores, config.evaluation_periods, config.burn_in,
    )  # fmt: skip
    policies = {pair.name: pair.policy for pair in tuned} | {LEARNED: departments}
    totals = evaluate(key, policies, scenario.params(), stores, periods, burn_in, shards)
    profits = {name: profit_per_period(each, periods) for name, each in totals.items()}
    best = max((pair.name for pair in tuned), key=lambda name: profits[name].mean())
    rows = {}
    for name, each in totals.items():
        mean, ci95 = interval(profits[name])
        difference, difference_ci95 = interval(profits[name] - profits[best])
        rows[name] = {
            "profit_mean": mean,
            "profit_ci95": ci95,
            "difference_to_best_heuristic": difference,
            "difference_ci95": difference_ci95,
        } | {kpi: value for kpi, value in kpis(each, periods).items() if kpi != "profit"}
    gain = rows[LEARNED]
    return {
        "scenario": scenario.name,
        "regime": config.regime,
        "seed": config.seed,
        "store_periods": config.store_periods,
        "policies": rows,
        "best_heuristic": best,
        "gain_over_best_heuristic": {
            "mean": gain["difference_to_best_heuristic"],
            "ci95": gain["difference_ci95"],
            "percent": 100 * gain["difference_to_best_heuristic"] / abs(rows[best]["profit_mean"]),
        },
        "evaluation": {"stores": stores, "periods": periods, "burn_in": burn_in},
        "versions": run_folder.versions(),
    }


def load_departments(folder: Any, config: TrainConfig, tuned: list[TunedPair]) -> Departments:
    """The departments a run kept. Raises `RunError`."""
    like = departments_like(config, scenarios.get(config.scenario).params(), tuned)
    return like.with_weights(run_folder.load_weights(folder, "best", like.weights))


def departments_like(config: TrainConfig, params: Params, tuned: list[TunedPair]) -> Departments:
    """The departments at the start of a training, with shapes in place of weights."""
    trainer = config.trainer(starting_pair(config, tuned).policy.heuristic)
    return trainer.departments(jax.eval_shape(trainer.init, jax.random.key(0), params))


def starting_pair(config: TrainConfig, tuned: list[TunedPair]) -> TunedPair:
    """The pair that the departments correct: the best, or in a silo the best whose recommender
    does not look at stock."""
    if REGIMES[config.regime].shared_view:
        return tuned[0]
    return next(pair for pair in tuned if pair.name.split("+")[0] in STOCK_BLIND)


def keys_of(seed: int) -> dict[str, jax.Array]:
    """Separate randomness for each purpose: what is tuned on is never reported on.

    The heuristics are tuned on the same customers whatever the seed, so that trainings of one
    store with different seeds start from the same pair and are held against the same pairs.
    """
    names = ("tune", "learn", "validate", "evaluate", "trace")
    keys, first = (jax.random.split(jax.random.key(each), len(names)) for each in (seed, 0))
    return dict(zip(names, keys, strict=True)) | {"tune": first[0]}
