"""How the time of an iteration falls with devices: a calculation beside what is measured.

`python -m benchmarks.scaling`. On a CPU devices are forced on the host and share its cores, so that
more devices than cores gain nothing. Every measurement has a process of its own.
"""

import dataclasses
import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import psutil
import tyro
from rich.console import Console
from rich.table import Table

from agents.devices import EVERYWHERE, SPREAD, Shards, placed
from agents.files import open_folder, write_json
from agents.learning.config import TrainConfig
from agents.learning.iteration import iterate
from agents.learning.settings import StaticConfig
from agents.learning.train_state import TrainState, train_state_specs
from agents.learning.trainer import Trainer
from agents.policies.heuristics import HeuristicParams
from benchmarks.measure import cores, machine, times
from jaxsim import scenarios

What = Literal["iteration", "alone", "reduction"]
IN_A_ROW = 1000  # reductions


@dataclass(frozen=True)
class Config:
    """Time one iteration of a training on 1, 2 and 4 devices, and predict it."""

    out: Path = Path("runs/benchmark-scaling")
    """Folder for scaling.json."""
    scenario: str = "boutique"
    """A registered scenario or the path of a scenario file."""
    stores: int = 256
    """Stores of the training, on however many devices."""
    devices: tuple[int, ...] = (1, 2, 4)
    """Numbers of devices."""
    timed: int = 10
    """Iterations timed; the median counts."""
    only: What | None = None
    """One measurement, in seconds: an iteration on the devices; one on a single device with its
    share of the stores; one reduction of the largest weights on the devices."""

    def training(self, stores: int) -> TrainConfig:
        return TrainConfig.by_score(scenario=self.scenario, stores=stores)


def reductions(shape: StaticConfig) -> int:
    """Sums over devices in an iteration, if the compiler merges none of them."""
    updates = shape.critic_epochs * shape.minibatches
    fast = shape.policy_epochs * shape.minibatches
    slow = 0 if shape.regime.one_network else fast // shape.fast_per_slow
    in_an_update = 3 if shape.regime.one_network else 2  # decisions counted, then the gradient
    statistics = 2 * 2 + 1 + 3  # two means and spreads, average profit, profit and fill rate
    return updates + in_an_update * (fast + slow) + statistics


def weight_bytes(train_state: TrainState) -> dict[str, int]:
    """What a reduction of each part's gradient carries."""
    parts = ("critics", "recommendation", "replenishment")

    def size(tree):
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))

    return {part: size(getattr(train_state, part)) for part in parts}


def predicted(alone: float, reduction: float, count: int, devices: int, cores: int | None) -> float:
    """Seconds of an iteration: a device's own work, in turns where there are fewer cores than
    devices, and the reductions."""
    turns = 1 if cores is None else math.ceil(devices / cores)
    return alone * turns + (count * reduction if devices > 1 else 0.0)


def seconds_of(config: Config, devices: int) -> float:
    """One measurement, in this process."""
    if config.only == "reduction":
        return _reduction_seconds(config, devices)
    if config.only == "alone":
        return _iteration_seconds(config, config.stores // devices, 1)
    return _iteration_seconds(config, config.stores, devices)


def _iteration_seconds(config: Config, stores: int, devices: int) -> float:
    trainer, train_state = started(config, stores, Shards(devices))
    shards, params = trainer.static.shards, scenarios.get(config.scenario).params()
    specs = train_state_specs()
    whole = shards.map(iterate, (EVERYWHERE, specs, EVERYWHERE), (specs, EVERYWHERE))
    program = (
        placed(whole, (specs, EVERYWHERE), shards, donate_argnums=1)
        .lower(trainer, train_state, params)
        .compile()
    )
    carried = [train_state]

    def call() -> Any:
        carried[0], metrics = program(trainer, carried[0], params)
        return metrics

    return float(np.median(times(call, config.timed)))


def _reduction_seconds(config: Config, devices: int) -> float:
    """Of the largest weights, one after another as updates are."""
    _, train_state = started(config, devices * 16, Shards(devices))
    numbers, shards = max(weight_bytes(train_state).values()) // 4, Shards(devices)

    def in_a_row(own: jax.Array) -> jax.Array:
        def mean(carried, _):
            return (shards.apart(shards.mean(carried)) + own, None)

        return jax.lax.scan(mean, own, length=IN_A_ROW)[0]

    own = placed(lambda: jnp.ones(devices * numbers), SPREAD, shards)()
    program = jax.jit(shards.map(in_a_row, (SPREAD,), SPREAD))
    return float(np.median(times(lambda: program(own), config.timed))) / IN_A_ROW


def started(config: Config, stores: int, shards: Shards) -> tuple[Trainer, TrainState]:
    heuristic = HeuristicParams(recommender="balancing", cap=1.5)
    trainer = config.training(stores).trainer(heuristic, shards)
    init = placed(Trainer.init, train_state_specs(), shards)
    return trainer, init(trainer, jax.random.key(0), scenarios.get(config.scenario).params())


def measured(config: Config, what: What, devices: int) -> float:
    """One measurement, in a process of its own; a device alone has its share of the cores."""
    one = dataclasses.replace(config, only=what, devices=(devices,))
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    own = sorted(psutil.Process().cpu_affinity())
    part = own[: max(1, len(own) // devices)] if what == "alone" else own
    command = [sys.executable, "-m", "benchmarks.scaling", *_arguments(one)]
    done = subprocess.run(
        command,
        env=os.environ | flags,
        preexec_fn=partial(os.sched_setaffinity, 0, part),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def _arguments(config: Config) -> list[str]:
    fields = dataclasses.asdict(config) | {"devices": config.devices[0]}
    return [f"--{name}={value}" for name, value in fields.items()]


def main(config: Config) -> None:
    if config.only is not None:
        print(json.dumps(seconds_of(config, config.devices[0])))
        return
    console = Console(width=110)
    shape = config.training(config.stores).static_config()
    train_state = jax.eval_shape(lambda: started(config, config.stores, Shards())[1])
    count, sizes, rows = reductions(shape), weight_bytes(train_state), []
    for devices in config.devices:
        console.print(f"[dim]{devices} devices[/dim]")
        alone = measured(config, "alone", devices)
        reduction = measured(config, "reduction", devices) if devices > 1 else 0.0
        rows.append(
            {
                "devices": devices,
                "alone_seconds": alone,
                "reduction_seconds": reduction,
                "predicted_seconds": predicted(alone, reduction, count, devices, cores()),
                "measured_seconds": measured(config, "iteration", devices),
            }
        )
    table = Table(
        "devices", "its stores alone, ms", "a reduction, µs", "predicted, ms", "measured, ms",
        title=f"{config.scenario}, {config.stores} stores, {cores()} cores",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            str(row["devices"]),
            f"{1e3 * row['alone_seconds']:.1f}",
            f"{1e6 * row['reduction_seconds']:.1f}",
            f"{1e3 * row['predicted_seconds']:.1f}",
            f"{1e3 * row['measured_seconds']:.1f}",
        )
    console.print(table)
    console.print(f"{count} reductions in an iteration, bytes of a gradient: {sizes}")
    body = {"machine": machine(), "reductions": count, "gradient_bytes": sizes, "rows": rows}
    write_json(open_folder(config.out) / "scaling.json", body)


if __name__ == "__main__":
    main(tyro.cli(Config))
