"""A chunk of a sweep: runs that one compiled program trains side by side, and what comes of them.

A chunk holds all that its training takes, and no folder is touched: it can be trained anywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax.sharding import NamedSharding

from agents.devices import RUNS, count_devices, mesh
from agents.errors import ConfigError
from agents.evaluation.keys import keys_of
from agents.evaluation.simulation import Totals, profit_per_period
from agents.learning import compilation
from agents.learning.trainer import Trainer
from agents.policies.departments import Departments
from agents.policies.heuristics import HeuristicParams
from agents.sweeps import memory, sweep_folder, vectorised
from agents.sweeps.baselines import Baseline, heuristic_row, run_row
from agents.sweeps.engine import Tell
from agents.sweeps.grid import PlannedRun
from agents.sweeps.vectorised import Runs
from jaxsim.params import Params


@dataclass(frozen=True)
class Member:
    """A run of a sweep, with the tuned pair that it starts from and the one that it is held
    against."""

    run: PlannedRun
    start: HeuristicParams
    best: Baseline


@dataclass(frozen=True)
class Chunk:
    """Runs of the same static settings, and the program that trains them."""

    members: Sequence[Member]
    together: int  # runs in the program, as many as the longest chunk of the sweep has
    devices: int  # that share them, and divide their number
    limit: int | None = None  # bytes that the program may take; None: most of what is free


@dataclass(frozen=True)
class Trained:
    """What a chunk leaves: tables by file name, and weights by the number of their run."""

    tables: Mapping[str, pd.DataFrame]
    weights: Mapping[int, Any]


@dataclass(frozen=True)
class Programs:
    """The compiled parts of a chunk of trainings, and the bytes that the largest takes of one
    memory."""

    start: Any
    learn: Any
    evaluate: Any
    size: int


def cut(
    members: Sequence[Member], together: int, devices: int, limit: int | None = None
) -> list[Chunk]:
    """Runs in chunks of so many, one after the other."""
    return [
        Chunk(members[first : first + together], together, devices, limit)
        for first in range(0, len(members), together)
    ]


def train(chunk: Chunk, tell: Tell) -> Trained:
    """Trains every run of a chunk to its end. Raises `ConfigError` where its program does not fit,
    or where there are not so many devices."""
    programs = _fitting(chunk)
    learned, curves = _learned(chunk, programs, tell)
    totals = _evaluated(chunk, programs, "evaluate", learned.kept, learned.params)
    rows, heuristics, weights = [], [], {}
    health = {
        "skipped_updates": np.asarray(learned.skipped_updates),
        "failed": np.asarray(learned.failed),
    }
    each = zip(chunk.members, vectorised.policies(learned), totals, strict=False)
    for at, (member, departments, own) in enumerate(each):
        row = run_row(member.run, own, member.best)
        rows.append(row | {name: of[at] for name, of in health.items()})
        heuristics.append(heuristic_row(member.run, member.best))
        weights[member.run.number] = departments.weights
    tables = {
        sweep_folder.RUNS: pd.DataFrame(rows),
        sweep_folder.HEURISTICS: pd.DataFrame(heuristics),
        sweep_folder.CURVES: curves,
    }
    return Trained(tables, weights)


def compiled(chunk: Chunk) -> Programs:
    """The programs of a chunk. JAX keeps them in this process: chunks of the same shapes after the
    first get them at once."""
    config = chunk.members[0].run.config
    lowered, options = _lowered(chunk), compilation.options(config.store_periods)
    with ThreadPoolExecutor() as pool:  # compilation leaves Python free to trace the next
        compiling = [pool.submit(each.compile, options) for each in lowered]
        start, learn, evaluate = (each.result() for each in compiling)
    largest = max(memory.peak_bytes(each) for each in (start, learn, evaluate))
    return Programs(start, learn, evaluate, largest * memory.in_one_memory(chunk.devices))


def _fitting(chunk: Chunk) -> Programs:
    """The programs of a chunk, on devices that are there and within its limit."""
    if chunk.devices > 1:
        count_devices(chunk.devices)
    limit = memory.limit_of(None) if chunk.limit is None else chunk.limit
    programs = compiled(chunk)
    if programs.size > limit:
        takes = memory.readable(programs.size)
        raise ConfigError(
            f"memory: {memory.readable(limit)}; allowed: at least {takes}, "
            f"what a program with {chunk.together} of the runs takes"
        )
    return programs


def _learned(chunk: Chunk, programs: Programs, tell: Tell) -> tuple[Runs, pd.DataFrame]:
    """Every run of a chunk to its end, and their learning curves."""
    config, count = chunk.members[0].run.config, len(chunk.members)
    runs, frames = programs.start(*_beginning(chunk)), []
    # What was learned is kept only where it beats the start.
    runs = vectorised.keep_better(runs, _validated(chunk, programs, runs))
    share = count * config.chunk / config.iterations
    for number in range(1, config.iterations // config.chunk + 1):
        groups, metrics = programs.learn({"all": runs})
        runs, greedy = groups["all"], np.full(chunk.together, np.nan)
        if number in config.checks:
            earned = _validated(chunk, programs, runs)
            runs, greedy = vectorised.keep_better(runs, earned), np.asarray(earned, float)
        metrics = jax.device_get(metrics["all"])
        first = (number - 1) * config.chunk + 1
        for at, member in enumerate(chunk.members):
            own = {name: values[at] for name, values in metrics.items()}
            frames.append(_curve(member.run, first, own, greedy[at]))
        tell(f"profit {metrics['profit'][:count, -1].mean():,.2f}", share)
    return runs, pd.concat(frames, ignore_index=True)


def _validated(chunk: Chunk, programs: Programs, runs: Runs) -> jax.Array:
    """What every run's departments, as they are now, earn on validation customers."""
    periods = chunk.members[0].run.config.evaluation_periods
    totals = _evaluated(chunk, programs, "validate", vectorised.current(runs), runs.params)
    return jnp.float32(np.array([profit_per_period(each, periods).mean() for each in totals]))


def _evaluated(
    chunk: Chunk, programs: Programs, purpose: str, policies: Departments, params: Params
) -> list[Totals]:
    """What each run's departments did on its customers of this purpose."""
    totals = jax.device_get(programs.evaluate(_keys(chunk, purpose), policies, params))
    return [jax.tree.map(lambda leaf, at=at: leaf[at], totals) for at in range(chunk.together)]


def _curve(run: PlannedRun, first: int, metrics: dict[str, Any], greedy: float) -> pd.DataFrame:
    """A row for each iteration; `greedy` belongs to the last."""
    frame = pd.DataFrame(metrics)
    iteration = first + np.arange(len(frame))
    frame.insert(0, "run", run.number)
    frame.insert(1, "iteration", iteration)
    frame.insert(2, "store_periods", iteration * run.config.stores * run.config.horizon)
    frame["greedy_profit"] = np.where(np.arange(len(frame)) == len(frame) - 1, greedy, np.nan)
    return frame


def _lowered(chunk: Chunk) -> Iterator[jax.stages.Lowered]:
    """Starting, learning and evaluating, traced one after the other."""
    config, beginning, devices = chunk.members[0].run.config, _beginning(chunk), chunk.devices
    lying = partial(_lying, devices)
    shapes = lying(jax.eval_shape(partial(vectorised.start, devices=devices), *beginning))
    yield vectorised.start.lower(*beginning, devices=devices)
    yield vectorised.learn.lower({"all": shapes}, config.chunk, devices)
    sizes = (config.evaluation_stores, config.evaluation_periods, config.burn_in)
    policies = lying(jax.eval_shape(vectorised.current, shapes))
    keys = _keys(chunk, "evaluate")
    yield vectorised.evaluate.lower(keys, policies, shapes.params, *sizes, devices)


def _lying(devices: int, shapes: Any) -> Any:
    """Shapes, and where they lie: what a program takes is where the program before left it, also
    what it makes no use of."""
    if devices == 1:
        return shapes
    where = NamedSharding(mesh(RUNS, devices), jax.P(RUNS))
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where), shapes
    )


def _beginning(chunk: Chunk) -> tuple[jax.Array, Trainer, Params]:
    """What each run starts from."""
    members = _filled(chunk)
    trainers = [each.run.config.trainer(each.start) for each in members]
    params = vectorised.stacked([each.run.scenario.params() for each in members])
    return _keys(chunk, "learn"), vectorised.stacked(trainers), params


def _filled(chunk: Chunk) -> list[Member]:
    """A chunk that is short repeats its last run, so that one program serves all chunks."""
    missing = chunk.together - len(chunk.members)
    return [*chunk.members, *[chunk.members[-1]] * missing]


def _keys(chunk: Chunk, purpose: str) -> jax.Array:
    return jnp.stack([keys_of(each.run.config.seed)[purpose] for each in _filled(chunk)])
