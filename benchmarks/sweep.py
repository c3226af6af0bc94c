"""Seeds per hour, in one program against one after the other: `python -m benchmarks.sweep`.

Also the memory a program was estimated to take beside what the process really grew by. Writes a
JSON file with every row.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import psutil
from rich.console import Console
from rich.table import Table

from agents.files import open_folder, write_json
from agents.learning.config import TrainConfig
from agents.sweeps import memory, vectorised
from agents.sweeps.vectorised import Runs
from benchmarks import command
from benchmarks.workloads import default_heuristic
from jaxsim import scenarios


@dataclass(frozen=True)
class Config:
    """Time the learning of several seeds side by side, and weigh it."""

    out: Path = Path("runs/benchmark-sweep")
    """Folder for vectorised.json."""
    scenario: str = "boutique"
    """A registered scenario or the path of a scenario file."""
    seeds: tuple[int, ...] = (1, 4, 16)
    """Numbers of seeds in one program."""
    stores: int = 256
    """Stores of each training."""
    timed: int = 4
    """Iterations timed; a training is 240."""


def row_of(config: Config, seeds: int, console: Console) -> dict[str, Any]:
    """One program of `seeds` trainings: compiled, weighed and timed."""
    training = TrainConfig.by_score(scenario=config.scenario, stores=config.stores)
    shapes = jax.eval_shape(lambda: started(training, seeds))
    began = time.perf_counter()
    program = vectorised.learn.lower({"all": shapes}, 1).compile()
    compiling = time.perf_counter() - began
    console.print(f"[dim]{seeds} seeds: compiled in {compiling:.0f} s[/dim]")
    groups = {"all": jax.block_until_ready(started(training, seeds))}
    groups, grown = watched(lambda: jax.block_until_ready(program(groups)[0]))
    began = time.perf_counter()
    for _ in range(config.timed):
        groups, _ = program(groups)
    jax.block_until_ready(groups)
    iteration = (time.perf_counter() - began) / config.timed
    one_program = compiling + training.iterations * iteration
    return {
        "kind": "seeds",
        "name": "seeds in one program",
        "by": "jaxsim",
        "unit": "store-periods",
        "stores": seeds * training.stores,
        "seeds": seeds,
        "compile_seconds": compiling,
        "iteration_seconds": iteration,
        "per_second": seeds * training.stores * training.horizon / iteration,
        "seeds_per_hour": 3600 * seeds / one_program,
        "estimated_bytes": memory.peak_bytes(program),
        "measured_bytes": grown,
    }


def started(training: TrainConfig, seeds: int) -> Runs:
    params = scenarios.get(training.scenario).params()
    both = (
        vectorised.repeated(each, seeds) for each in (training.trainer(default_heuristic()), params)
    )
    return vectorised.start(jax.random.split(jax.random.key(0), seeds), *both)


def watched(call: Callable[[], Any]) -> tuple[Any, int]:
    """What the call returns, and the most bytes that the process was above its size before, seen
    every 5 ms."""
    process, done = psutil.Process(), threading.Event()
    before = process.memory_info().rss
    most = [before]

    def watch() -> None:
        while not done.wait(0.005):
            most[0] = max(most[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return call(), max(most[0], process.memory_info().rss) - before
    finally:
        done.set()
        watcher.join()


def main(config: Config) -> None:
    console = Console(width=110)
    folder = open_folder(config.out)
    rows = [row_of(config, seeds, console) for seeds in config.seeds]
    alone = rows[0]["iteration_seconds"]
    device = f"{jax.devices()[0].device_kind}, JAX {jax.__version__}"
    table = Table(
        "seeds", "compile s", "s per iteration", "against in turn", "seeds per hour",
        "estimated", "measured", title=f"{config.scenario}, {config.stores} stores: {device}",
    )  # fmt: skip
    for row in rows:
        row["ratio_to_in_turn"] = row["seeds"] * alone / row["iteration_seconds"]
        table.add_row(
            str(row["seeds"]),
            f"{row['compile_seconds']:.1f}",
            f"{row['iteration_seconds']:.3f}",
            f"{row['ratio_to_in_turn']:.2f}x",
            f"{row['seeds_per_hour']:.1f}",
            memory.readable(row["estimated_bytes"]),
            memory.readable(row["measured_bytes"]),
        )
    console.print(table)
    write_json(folder / "sweep.json", {"device": device, "rows": rows})


if __name__ == "__main__":
    command.run(main, Config)
