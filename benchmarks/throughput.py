"""One row of the benchmark, in a process of its own: `python -m benchmarks.throughput --help`.

Prints the row as one line of JSON. The unit is the store-period: one store, one period.
"""

import json
import math
import time
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np
import tyro

from benchmarks import measure
from benchmarks.workloads import BLOCK, LEVELS, Row, given_actions, walk_of

By = Literal["jaxsim", "numba"]
BY_HAND = ("step", "random", "lost-sales")  # rows that the numba kernel has too


@dataclass(frozen=True)
class Config:
    """Time one thing at one size."""

    name: Literal[
        "step",
        "thirty customers",
        "random",
        "learned",
        "training iteration",
        "lost-sales",
        "backlog",
    ] = "step"
    """Actions given, also with 30 customers a period; drawn; decided by untrained departments; an
    iteration of `train`; one-product stores under their best base-stock policy."""
    by: By = "jaxsim"
    """`numba` is the kernel written by hand (step, random and lost-sales)."""
    stores: int = 4096
    """Stores side by side."""
    products: int = 10
    """Products of a store."""
    lead_time: int = 2
    """Lead time of every product."""
    periods: int = 16
    """Periods in a call."""
    repeats: int = 10
    """Calls timed."""

    @property
    def row(self) -> Row:
        return Row(self.name, self.stores, self.products, self.lead_time, self.periods)


def timed_by_hand(row: Row, repeats: int) -> dict[str, Any]:
    """The same row by the numba kernel: same stores, same actions, same random numbers."""
    import numba

    threads = measure.cores()
    numba.set_num_threads(threads)
    # Blocks as in jaxsim's own walk, at least one for each thread.
    blocks = threads * math.ceil(row.stores * row.products / threads / BLOCK)
    call = _lost_sales(row, blocks) if row.name == "lost-sales" else _periods(row, blocks)
    began = time.perf_counter()
    call()
    compile_seconds = time.perf_counter() - began
    seconds = measure.times(call, repeats)
    return measure.result(row, "numba", seconds, compile_seconds)


def _periods(row: Row, blocks: int) -> Any:
    from benchmarks import by_hand

    _, params, walk = walk_of(row)
    keys = np.asarray(jax.random.key_data(walk.keys))
    stores, numbers = by_hand.of_state(walk.stores.state), by_hand.of_params(params)
    drawn, now = row.name == "random", [0]
    given = given_actions(params, row.stores)
    actions = np.asarray(given.order), np.asarray(given.slate)

    def call() -> float:
        first, now[0] = now[0], now[0] + row.periods
        return by_hand.periods(keys, stores, numbers, *actions, drawn, first, row.periods, blocks)

    return call


def _lost_sales(row: Row, blocks: int) -> Any:
    from benchmarks import by_hand

    _, params, walk = walk_of(row)
    keys = np.asarray(jax.random.key_data(walk.keys))
    on_hand, pipeline = by_hand.lost_sales_state(walk.stores.state)
    traced = (LEVELS["lost-sales"], params.arrivals[0], params.holding[0], params.penalty[0])
    numbers = [np.float32(each) for each in traced]
    now = [0]

    def call() -> float:
        first, now[0] = now[0], now[0] + row.periods
        return by_hand.lost_sales(keys, on_hand, pipeline, *numbers, first, row.periods, blocks)

    return call


def main(config: Config) -> None:
    if config.by == "numba" and config.name not in BY_HAND:
        raise SystemExit(f"by: numba; allowed with {', '.join(BY_HAND)}, not {config.name}")
    jax.config.update("jax_enable_compilation_cache", False)  # compilation is timed from nothing
    jax.config.update("jax_num_cpu_devices", measure.cores())
    one = timed_by_hand if config.by == "numba" else measure.measure
    print(json.dumps(one(config.row, config.repeats)))


if __name__ == "__main__":
    main(tyro.cli(Config))
