"""Many trainings in one compiled program: over seeds, stores and rates alike.

Runs are independent and share only their shapes: what is static is one for all, every array has a
leading axis of runs. Several devices share the runs, whose number they must divide, and exchange
nothing.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Key

from agents.devices import RUNS, mapped
from agents.evaluation.simulation import Totals, simulate
from agents.learning import health
from agents.learning.iteration import iterate_many
from agents.learning.train_state import TrainState
from agents.learning.trainer import Trainer
from agents.policies.departments import Departments
from jaxsim.params import Params


class Runs(struct.PyTreeNode):
    """Trainings side by side, each with the weights that did best on validation customers."""

    trainer: Trainer
    params: Params
    train_state: TrainState
    kept: Departments
    kept_profit: Float[Array, " runs"]  # money per period, on validation customers
    failed: Bool[Array, " runs"]  # updates stopped being finite: alone, it would have ended

    @property
    def skipped_updates(self) -> Int[Array, " runs"]:
        """Updates of all clocks that were not finite, and not made."""
        return health.skipped_updates(self.train_state.health)


def repeated(tree: Any, times: int) -> Any:
    """The same for every run."""
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (times, *jnp.shape(leaf))), tree)


def stacked(trees: list[Any]) -> Any:
    """One for each run."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


@partial(jax.jit, static_argnames="devices")
def start(keys: Key[Array, " runs"], trainer: Trainer, params: Params, devices: int = 1) -> Runs:
    """Runs at their start; `keys`, `trainer` and `params` have a leading axis of runs."""

    def started(keys: Key[Array, " runs"], trainer: Trainer, params: Params) -> Runs:
        train_state = jax.vmap(Trainer.init)(trainer, keys, params)
        kept, worst = _departments(trainer, train_state), jnp.full(len(keys), -jnp.inf)
        return Runs(trainer, params, train_state, kept, worst, jnp.zeros(len(keys), bool))

    return _shared_out(started, devices)(keys, trainer, params)


@partial(jax.jit, static_argnames=("length", "devices"), donate_argnums=0)
def learn(
    groups: dict[str, Runs], length: int, devices: int = 1
) -> tuple[dict[str, Runs], dict[str, dict]]:
    """`length` iterations of every run of every group, whose static settings may differ: the runs,
    and metrics with leading axes (runs, iterations)."""
    learn_one = _shared_out(partial(_learn, length=length), devices)
    learned = {name: learn_one(runs) for name, runs in groups.items()}
    runs, metrics = ({name: each[part] for name, each in learned.items()} for part in (0, 1))
    return runs, metrics


@partial(jax.jit, static_argnames=("stores", "periods", "burn_in", "devices"))
def evaluate(
    keys: Key[Array, " runs"],
    policies: Departments,
    params: Params,
    stores: int,
    periods: int,
    burn_in: int,
    devices: int = 1,
) -> Totals:
    """The departments of every run without exploration, each on the customers of its own key:
    totals with leading axes (runs, stores)."""

    def evaluated(*runs: Any) -> Totals:
        return jax.lax.map(lambda run: simulate(*run, stores, periods, burn_in), runs)

    return _shared_out(evaluated, devices)(keys, policies, params)


@jax.jit
def keep_better(runs: Runs, earned: Float[Array, " runs"]) -> Runs:
    """Keeps the departments as they are now where they earn more (money per period, on validation
    customers) than those kept before. Earnings that are no number are not more."""
    better = earned > runs.kept_profit

    def choose(new: Array, old: Array) -> Array:
        return jnp.where(better.reshape(-1, *(1,) * (new.ndim - 1)), new, old)

    kept = jax.tree.map(choose, current(runs), runs.kept)
    return runs.replace(kept=kept, kept_profit=jnp.where(better, earned, runs.kept_profit))


def current(runs: Runs) -> Departments:
    """The departments of every run as they are now."""
    return _departments(runs.trainer, runs.train_state)


def policies(runs: Runs) -> list[Departments]:
    """The kept departments of every run, one by one, on the host."""
    kept = jax.device_get(runs.kept)
    return [
        jax.tree.map(lambda leaf, at=number: leaf[at], kept)
        for number in range(runs.kept_profit.shape[0])
    ]


def _learn(runs: Runs, length: int) -> tuple[Runs, dict[str, Array]]:
    one_run = partial(iterate_many, iterations=length)
    train_state, metrics = jax.vmap(one_run)(runs.trainer, runs.train_state, runs.params)
    in_a_row = [each.in_a_row for each in train_state.health.values()]
    failing = jnp.stack(in_a_row).max(0) >= health.STOP_AFTER
    return runs.replace(train_state=train_state, failed=runs.failed | failing), metrics


def _departments(trainer: Trainer, train_state: TrainState) -> Departments:
    return jax.vmap(Trainer.departments)(trainer, train_state)


def _shared_out(function: Callable, devices: int) -> Callable:
    """The function of some runs, each device with runs of its own; every array has them in front.

    Nothing is replicated here, so there is no replication to check.
    """
    runs = jax.P(RUNS)
    return mapped(function, RUNS, devices, runs, runs, check_vma=False)
