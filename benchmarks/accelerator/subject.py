"""What of the project is measured: the one room that knows the names of its parts."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import PRNGKeyArray

from agents import checksums, schemas
from agents.evaluation import simulation
from agents.evaluation.simulation import Totals, simulate
from agents.evaluation.tuning import Effort, TunedPair, tune
from agents.learning.config import TrainConfig
from agents.learning.iteration import iterate
from agents.learning.trainer import Trainer
from agents.policies.departments import Departments
from agents.policies.heuristics import HeuristicPair
from agents.runs import run_folder
from agents.runs.run_schemas import Heuristics
from agents.sweeps import vectorised
from benchmarks.accelerator.sizes import Batch
from benchmarks.workloads import default_heuristic
from jaxsim import scenarios
from jaxsim.params import Params

Carried = tuple[Any, ...]
"""Trainer, its state, the store's params, and the sum of all metrics so far."""

UNITS_OF_TOTALS = ("asked", "served", "sold", "left", "stockouts", "ordered")
MONEY_OF_TOTALS = ("profit", "revenue", "purchase", "holding", "penalty", "demand_value")
UNITS_OF_STORES = ("on_hand", "pipeline", "backlog", "sold", "lost", "period")
"""Which fields are whole numbers, and which are money of a store."""

NOISE = 0.05
"""Standard deviation of weights at random, about that of the untrained layers."""


def params_of(scenario: str) -> Params:
    return scenarios.get(scenario).params()


def classical() -> HeuristicPair:
    """A pair of classical departments, tuned once; which one does not change the time."""
    return HeuristicPair(default_heuristic())


# -- a training ------------------------------------------------------------------------------


def config_of(scenario: str, batch: Batch, horizon: int) -> TrainConfig:
    """The learner's default training with another batch."""
    changed = dict(
        scenario=scenario, stores=batch.stores, iterations=batch.iterations, horizon=horizon
    )
    if batch.learner == "score":
        return TrainConfig.by_score(**changed)
    return TrainConfig(**changed, rematerialise=batch.again)


def started(config: TrainConfig, pair: HeuristicPair, key: PRNGKeyArray) -> Carried:
    """A training at its start, from this pair."""
    trainer, params = config.trainer(pair.heuristic), params_of(config.scenario)
    return trainer, Trainer.init(trainer, key, params), params, jnp.float32(0)


def learned(carried: Carried, iterations: int) -> Carried:
    """So many iterations of the loop that `train` runs."""

    def one(carried: Carried, _: None) -> tuple[Carried, None]:
        trainer, train_state, params, total = carried
        train_state, metrics = iterate(trainer, train_state, params)
        return (trainer, train_state, params, total + _sum(metrics)), None

    return jax.lax.scan(one, carried, length=iterations)[0]


def iterated(carried: Carried) -> tuple[Carried, dict[str, Any]]:
    """One iteration, and its metrics."""
    trainer, train_state, params, total = carried
    train_state, metrics = iterate(trainer, train_state, params)
    return (trainer, train_state, params, total), metrics


def departments_of(carried: Carried) -> Departments:
    return carried[0].departments(carried[1])


def weights_of(carried: Carried) -> dict[str, Any]:
    """What both departments have learned."""
    return departments_of(carried).weights


def at_random(config: TrainConfig) -> Departments:
    """Departments whose networks have a say: at the start they leave the pair as it is."""
    departments = departments_of(started(config, classical(), jax.random.key(4)))
    flat, back = ravel_pytree(departments.weights)
    noise = NOISE * jax.random.normal(jax.random.key(5), flat.shape)
    return departments.with_weights(back(flat + noise))


# -- many trainings --------------------------------------------------------------------------


def seeds_started(config: TrainConfig, seeds: int) -> Carried:
    """Trainings that differ in their seed alone, side by side, and the sum of all metrics."""
    trainer, params = config.trainer(default_heuristic()), params_of(config.scenario)
    both = (vectorised.repeated(each, seeds) for each in (trainer, params))
    runs = vectorised.start(jax.random.split(jax.random.key(0), seeds), *both)
    return {"all": runs}, jnp.float32(0)


def seeds_learned(carried: Carried) -> Carried:
    """An iteration of every seed, as a sweep runs it."""
    groups, total = carried
    groups, metrics = vectorised.learn(groups, 1)
    return groups, total + _sum(metrics)


# -- policies --------------------------------------------------------------------------------


def totals(
    key: PRNGKeyArray, policy: Any, params: Params, stores: int, periods: int, burn_in: int
) -> Totals:
    """What a policy comes to in each store, on the customers of the key."""
    return simulate(key, policy, params, stores, periods, burn_in)


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean over stores, and its 95 % interval."""
    mean, (low, high) = simulation.interval(values)
    return mean, low, high


def tuned_pairs(scenario: str, effort: Effort, path: Path) -> list[TunedPair]:
    """Every pair tuned, best first, as the file has them: if there is none, they are tuned."""
    if not path.exists():
        run_folder.write_heuristics(
            path.parent, tune(params_of(scenario), effort, jax.random.key(1))
        )
    found = schemas.parse(checksums.bytes_of(path), path, Heuristics)
    return run_folder.pairs_from(found.model_dump())


def units_of_totals(totals: Totals) -> np.ndarray:
    """All whole numbers: (stores, entries)."""
    return _table(totals, UNITS_OF_TOTALS)


def money_of_totals(totals: Totals) -> np.ndarray:
    """All sums of money: (stores, entries)."""
    return _table(totals, MONEY_OF_TOTALS)


def units_of_stores(carried: Carried) -> np.ndarray:
    """All whole numbers of the stores that a training goes on in: (stores, entries)."""
    return _table(carried[1].states, UNITS_OF_STORES)


def _table(tree: Any, fields: tuple[str, ...]) -> np.ndarray:
    arrays = [np.asarray(getattr(tree, name)) for name in fields]
    return np.concatenate([each.reshape(len(each), -1) for each in arrays], axis=1)


def _sum(metrics: dict[str, Any]) -> Any:
    return sum(leaf.sum() for leaf in jax.tree.leaves(metrics))
