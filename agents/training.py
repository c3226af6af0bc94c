"""A training from scenario to summary: tune, learn, evaluate, write everything down."""

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import jax
import numpy as np
import pandas as pd

from agents import logs, runs
from agents.config import TrainConfig
from agents.departments import Departments
from agents.evaluation import evaluate, interval, kpis, profit_per_period, simulate
from agents.heuristics import STOCK_BLIND
from agents.learning import Learner
from agents.mtma import Trainer
from agents.pictures import draw_learning, draw_week
from agents.regimes import REGIMES
from agents.trace import DAYS, record
from agents.tuning import Effort, TunedPair, tune
from jaxsim import scenarios
from jaxsim.params import Params
from jaxsim.scenario import Scenario

LEARNED = "learned"
Progress = Callable[[dict[str, float]], None]


def train(config: TrainConfig, announce: Callable[[str], None], progress: Progress) -> dict:
    """Runs one training and leaves its folder; returns the summary.

    Raises `ConfigError`, `ScheduleError`, `ScenarioError` or `RunError` before any work is done.
    """
    config.validate()
    logs.check(config.log)
    scenario = scenarios.get(config.scenario)
    params = scenario.params()
    folder = runs.open_folder(config.folder)
    runs.write_config(folder, config)
    keys = keys_of(config.seed)

    announce("tuning every pair of heuristics")
    tuned = tune(keys["tune"], params, Effort())
    runs.write_heuristics(folder, tuned)
    start = starting_pair(config, tuned)
    announce(f"best when tuned: {tuned[0].name}; compiling the training from {start.name}")
    trainer = config.trainer(start.policy.knobs)
    with logs.writing(config.log, folder, asdict(config), done=0) as log:
        departments, metrics, seconds = _learn(config, trainer, params, keys, progress, log)
    runs.write_metrics(folder, metrics)
    runs.save_weights(folder, "best", _weights(departments))

    announce("evaluating all policies on the same new customers")
    summary = compare(config, scenario, tuned, departments, keys["evaluate"]) | seconds
    runs.write_json(folder / runs.SUMMARY, summary)
    best = summary["policies"][summary["best_heuristic"]]["profit_mean"]
    draw_learning(metrics, best, folder / "learning.png")
    trace = record(keys["trace"], departments, params, DAYS, config.burn_in)
    draw_week(trace.first(21), scenario, folder / "week.png")
    return summary


def compare(
    config: TrainConfig,
    scenario: Scenario,
    tuned: list[TunedPair],
    departments: Departments,
    key: jax.Array,
) -> dict:
    """Every tuned pair and the departments on the same customers, as a summary."""
    stores, periods, burn_in = (
        config.evaluation_stores, config.evaluation_periods, config.burn_in,
    )  # fmt: skip
    policies = {pair.name: pair.policy for pair in tuned} | {LEARNED: departments}
    totals = evaluate(key, policies, scenario.params(), stores, periods, burn_in)
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
        "store_periods": config.iterations * config.stores * config.horizon,
        "policies": rows,
        "best_heuristic": best,
        "gain_over_best_heuristic": {
            "mean": gain["difference_to_best_heuristic"],
            "ci95": gain["difference_ci95"],
            "percent": 100 * gain["difference_to_best_heuristic"] / abs(rows[best]["profit_mean"]),
        },
        "evaluation": {"stores": stores, "periods": periods, "burn_in": burn_in},
        "versions": runs.versions(),
    }


def load_departments(folder: Any, config: TrainConfig, tuned: list[TunedPair]) -> Departments:
    """The departments a run kept. Raises `RunError`."""
    params = scenarios.get(config.scenario).params()
    trainer = config.trainer(starting_pair(config, tuned).policy.knobs)
    shapes = Departments(
        *trainer.departments(jax.eval_shape(trainer.init, jax.random.key(0), params))
    )
    return _with_weights(shapes, runs.load_weights(folder, "best", _weights(shapes)))


def starting_pair(config: TrainConfig, tuned: list[TunedPair]) -> TunedPair:
    """The pair that the departments correct: the best, or in a silo the best whose recommender
    does not look at stock."""
    if REGIMES[config.regime].shared_view:
        return tuned[0]
    return next(pair for pair in tuned if pair.name.split("+")[0] in STOCK_BLIND)


def evaluation_key(seed: int) -> jax.Array:
    """The key of the customers that trainings with this seed are compared on."""
    return keys_of(seed)["evaluate"]


def _learn(
    config: TrainConfig,
    trainer: Trainer,
    params: Params,
    keys: dict,
    progress: Progress,
    log: logs.Write,
) -> tuple[Departments, pd.DataFrame, dict[str, float]]:
    """The compiled loop, chunk by chunk; keeps the weights best on validation customers."""
    learner = jax.jit(Trainer.init)(trainer, keys["learn"], params)
    started = time.perf_counter()
    chunk = _compile(trainer, learner, params, config.chunk)
    compile_seconds = time.perf_counter() - started

    rows: list[pd.DataFrame] = []
    best, best_profit = None, -np.inf
    per_iteration = config.stores * config.horizon
    chunks = config.iterations // config.chunk
    started = time.perf_counter()
    for number in range(1, chunks + 1):
        learner, metrics = chunk(trainer, learner, params)
        frame = pd.DataFrame(jax.device_get(metrics))
        frame.insert(0, "iteration", (number - 1) * config.chunk + 1 + np.arange(config.chunk))
        frame.insert(1, "store_periods", frame["iteration"].astype("int64") * per_iteration)
        frame["greedy_profit"] = np.nan
        if number in config.checks:
            departments = Departments(*trainer.departments(learner))
            profit = _validate(config, keys["validate"], departments, params)
            frame.loc[frame.index[-1], "greedy_profit"] = profit
            if profit > best_profit:
                best, best_profit = jax.device_get(_weights(departments)), profit
        rows.append(frame)
        log(frame)
        elapsed = time.perf_counter() - started
        progress(
            frame.iloc[-1].to_dict()
            | {"per_second": number * config.chunk * per_iteration / elapsed}
        )
    departments = _with_weights(Departments(*trainer.departments(learner)), best)
    seconds = {
        "compile_seconds": compile_seconds,
        "train_seconds": time.perf_counter() - started,
    }
    return departments, pd.concat(rows, ignore_index=True), seconds


def _compile(trainer: Trainer, learner: Learner, params: Params, length: int) -> Any:
    """`length` iterations as one program that takes over the learner's memory."""

    @partial(jax.jit, donate_argnums=1)
    def chunk(trainer: Trainer, learner: Learner, params: Params) -> tuple[Learner, dict]:
        return jax.lax.scan(
            lambda carried, _: trainer.iterate(carried, params), learner, length=length
        )

    return chunk.lower(trainer, learner, params).compile()


def _validate(config: TrainConfig, key: jax.Array, policy: Departments, params: Params) -> float:
    totals = simulate(
        key, policy, params, config.evaluation_stores, config.evaluation_periods, config.burn_in
    )
    return float(profit_per_period(totals, config.evaluation_periods).mean())


def _weights(departments: Departments) -> dict[str, Any]:
    return {
        "replenishment": departments.replenishment.weights,
        "recommendation": departments.recommendation.weights,
    }


def _with_weights(departments: Departments, weights: dict[str, Any]) -> Departments:
    return Departments(
        replenishment=departments.replenishment.replace(weights=weights["replenishment"]),
        recommendation=departments.recommendation.replace(weights=weights["recommendation"]),
    )


def keys_of(seed: int) -> dict[str, jax.Array]:
    """Separate randomness for each purpose: what is tuned on is never reported on.

    The heuristics are tuned on the same customers whatever the seed, so that trainings of one
    store with different seeds start from the same pair and are held against the same pairs.
    """
    names = ("tune", "learn", "validate", "evaluate", "trace")
    keys, first = (jax.random.split(jax.random.key(each), len(names)) for each in (seed, 0))
    return dict(zip(names, keys, strict=True)) | {"tune": first[0]}
