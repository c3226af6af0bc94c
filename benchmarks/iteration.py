"""Where the time of a training iteration goes: `python -m benchmarks.iteration`.

The default training's own program, and each part of an iteration compiled alone. The operations of
all matrix products are counted in the traced program and held against the rate at which this
machine multiplies large matrices. Parts of the trajectory run on the same stores for as many
periods; apart they write down what together they would pass on, so that parts can add up to more
than the whole.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import psutil
from jax.extend import core
from jaxtyping import Array, PRNGKeyArray
from rich.console import Console

from agents.files import open_folder, write_json
from agents.learning.config import TrainConfig
from agents.learning.experience import collect
from agents.learning.iteration import iterate_many
from agents.learning.score import advantages, learn_values
from agents.learning.train_state import TrainState
from agents.learning.trainer import Trainer
from agents.learning.updates import update_departments
from benchmarks import command, limits, measure
from benchmarks.results import printed
from benchmarks.workloads import default_heuristic
from jaxsim import scenarios, store
from jaxsim.params import Params
from jaxsim.records import Action

Part = tuple[Callable[..., Any], tuple[Any, ...]]  # a function to compile, and what it is given


@dataclass(frozen=True)
class Settings:
    """Time the parts of a training iteration."""

    out: Path = Path("runs/benchmarks")
    """Folder for iteration.json."""
    scenario: str = "grocery"
    """A registered scenario or the path of a scenario file."""
    repeats: int = 10
    """Timed calls of each part."""
    matrix_rate: float | None = None
    """Operations a second of large matrix products, where they were measured before."""


def rows(settings: Settings, matrix_rate: float) -> list[dict[str, Any]]:
    """A row for the iteration and for each of its parts; `matrix_rate`: operations a second."""
    config = TrainConfig.by_score(scenario=settings.scenario)
    trainer, params = config.trainer(default_heuristic()), scenarios.get(config.scenario).params()
    train_state = jax.jit(Trainer.init)(trainer, jax.random.key(0), params)
    chunk = partial(iterate_many, iterations=config.chunk)
    of_chunk = (chunk, (trainer, train_state, params))
    whole = _timed("iteration", of_chunk, settings.repeats, config.chunk)
    found = [whole]
    for name, part in parts(trainer, train_state, params).items():
        found.append(_timed(name, part, settings.repeats))
    for row in found:
        row["share_of_iteration"] = row["seconds"] / whole["seconds"]
        row["share_of_matrix_rate"] = row["matrix_operations"] / row["seconds"] / matrix_rate
    return found


def parts(trainer: Trainer, train_state: TrainState, params: Params) -> dict[str, Part]:
    """The parts of an iteration, in their order."""
    horizon, stores = trainer.static.horizon, trainer.static.stores
    keys = jax.random.split(jax.random.key(1), (horizon, stores))
    _, trajectory = jax.jit(collect)(trainer, train_state, params)
    _, minibatch = jax.jit(advantages)(trainer, train_state, trajectory, params)
    departments = trainer.departments(train_state)
    orders_memory, slates_memory = train_state.memories
    slates = trajectory.slates.slate[0]
    nothing, warm = jnp.zeros(params.products), trainer.hyperparams.temperature

    def every_period(one_store: Callable) -> Callable:
        over_stores = jax.vmap(one_store)
        return lambda *given: jax.lax.scan(
            lambda carried, key: over_stores(key, carried, *given[2:]), given[1], given[0]
        )

    def customers(key: PRNGKeyArray, state: Any, slate: Array) -> tuple[Any, Any]:
        order = jnp.round(state.forecast)
        return store.step(key, state, Action(order=order, slate=slate), params)

    def shows(key: PRNGKeyArray, memory: Array, state: Any) -> tuple[Array, Any]:
        _, record, memory = departments.recommendation.explore(key, warm, memory, state, params)
        return memory, record

    def orders(key: PRNGKeyArray, memory: Array, state: Any) -> tuple[Array, Any]:
        _, record, memory = departments.replenishment.explore(key, memory, state, params, nothing)
        return memory, record

    return {
        "trajectory": (collect, (trainer, train_state, params)),
        "trajectory: customers, step": (
            every_period(customers),
            (keys, train_state.states, slates),
        ),
        "trajectory: recommendation": (
            every_period(shows),
            (keys, slates_memory, train_state.states),
        ),
        "trajectory: replenishment": (
            every_period(orders),
            (keys, orders_memory, train_state.states),
        ),
        "critic's passes": (learn_values, (trainer, train_state, trajectory, params)),
        "advantages": (advantages, (trainer, train_state, trajectory, params)),
        "departments' updates": (update_departments, (trainer, train_state, minibatch)),
    }


def matrix_operations(jaxpr: core.Jaxpr) -> float:
    """Floating-point operations of all matrix products in a traced program, loops run out."""
    total = 0.0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            left, out = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
            total += 2.0 * math.prod(out) * math.prod(left[axis] for axis in contracted)
        times = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        total += times * sum(map(matrix_operations, _inner(equation.params)))
    return total


def _inner(parameters: dict[str, Any]) -> Iterator[core.Jaxpr]:
    """The programs that an operation is made of."""
    for value in parameters.values():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, core.ClosedJaxpr):
                yield each.jaxpr
            elif isinstance(each, core.Jaxpr):
                yield each


def _timed(name: str, part: Part, repeats: int, iterations: int = 1) -> dict[str, Any]:
    function, given = part
    began, worked = time.perf_counter(), _processor_seconds()
    traced = jax.jit(function).trace(*given)
    program = traced.lower().compile()
    compiling = {
        "compile_seconds": time.perf_counter() - began,
        "compile_cpu_seconds": _processor_seconds() - worked,
    }
    seconds = [each / iterations for each in measure.times(lambda: program(*given), repeats)]
    return {
        "kind": "iteration",
        "name": "training iteration",
        "by": "jaxsim",
        "part": name,
        "unit": "iterations",
        "seconds": float(np.median(seconds)),
        **measure.rates(1, seconds),
        "matrix_operations": matrix_operations(traced.jaxpr.jaxpr) / iterations,
        **compiling,
    }


def _processor_seconds() -> float:
    spent = psutil.Process().cpu_times()
    return spent.user + spent.system


def main(settings: Settings) -> None:
    jax.config.update("jax_enable_compilation_cache", False)  # compilation is timed from nothing
    folder, console = open_folder(settings.out), Console(width=110)
    limit = settings.matrix_rate or limits.matrix_rate(settings.repeats)["per_second"]
    found = rows(settings, limit)
    write_json(folder / "iteration.json", {"rows": found})
    for table in printed({"rows": found}):
        console.print(table)
    console.print(
        f"The machine multiplies large matrices at {limit / 1e9:.0f} G operations a second. The "
        f"default training's program was compiled in {found[0]['compile_seconds']:.1f} s, "
        f"{found[0]['compile_cpu_seconds']:.1f} s of processor time."
    )


if __name__ == "__main__":
    command.run(main, Settings)
