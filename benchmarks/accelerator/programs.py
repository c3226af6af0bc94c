"""Programs that go on from where they were: compiled side by side, then timed one by one.

Compilation is timed by itself. As several programs are compiled at once, its seconds are those of a
busy machine; tracing and lowering, which happen one after the other, are in them.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from agents.learning import compilation
from agents.sweeps.memory import peak_bytes
from benchmarks import measure
from benchmarks.accelerator.ledger import Deadline, Ledger, Row
from benchmarks.accelerator.sizes import Sizes


@dataclass(frozen=True)
class Work:
    """One thing to time."""

    part: str
    name: str
    scenario: str
    stores: int
    products: int
    periods: int  # of every store, in a call
    call: Callable[[Any], Any]  # takes over what it is given and returns the same shapes
    start: Callable[[], Any]
    more: dict[str, Any] = field(default_factory=dict)  # for the row

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.part, self.name, self.scenario, self.stores


@dataclass(frozen=True)
class Compiled:
    """A program ready to run, and what it starts from."""

    work: Work
    program: Any
    start: Any
    seconds: float  # of compilation

    @property
    def asked(self) -> int:
        """Bytes alive at once while it runs, as the compiler says."""
        return peak_bytes(self.program)


def measured(works: list[Work], ledger: Ledger, deadline: Deadline, sizes: Sizes) -> None:
    """Rows of all that is not in the ledger yet, if there is time to begin: what was compiled is
    timed."""
    missing = [work for work in works if not ledger.has(*work.key)]
    if deadline.is_past:
        return
    for work, compiled in compiled_together(missing, sizes.together):
        if isinstance(compiled, Compiled):
            ledger.add(timed(compiled, sizes.repeats))
        else:
            ledger.add(left_out(work, compiled))


def compiled_together(works: list[Work], workers: int) -> Iterator[tuple[Work, Compiled | str]]:
    """Every work with its program, or with the reason why it has none."""
    lowered = [_lowered(work) for work in works]
    with ThreadPoolExecutor(workers) as pool:
        done = list(pool.map(_compiled, works, lowered))
    return zip(works, done, strict=True)


def timed(compiled: Compiled, repeats: int) -> Row:
    """A row: the median call of `repeats`, after one that is left out."""
    work, before = compiled.work, peak_in_use()
    try:
        go_on = measure.going_on(compiled.program, jax.block_until_ready(compiled.start()))
        seconds = measure.times(go_on, repeats)
    except jax.errors.JaxRuntimeError as error:
        return left_out(work, first_line(error)) | {"program_bytes": compiled.asked}
    after = peak_in_use()
    return row(work, seconds, compiled.seconds) | {
        "program_bytes": compiled.asked,
        "peak_bytes_in_use": after,
        "peak_is_of_this_row": after is not None and after > before,
    }


def row(work: Work, seconds: list[float], compile_seconds: float) -> Row:
    """What every row has: seconds of a call, and store-periods and product-periods per second."""
    median = float(np.median(seconds))
    units = work.stores * work.periods
    return {
        "part": work.part,
        "name": work.name,
        "scenario": work.scenario,
        "stores": work.stores,
        "products": work.products,
        "periods_a_call": work.periods,
        "seconds": median,
        "seconds_least": min(seconds),
        "seconds_most": max(seconds),
        "repeats": len(seconds),
        "store_periods_per_s": units / median,
        "product_periods_per_s": units * work.products / median,
        "compile_seconds": compile_seconds,
        **work.more,
    }


def left_out(work: Work, reason: str) -> Row:
    """A row that says why nothing was timed."""
    return dict(zip(("part", "name", "scenario", "stores"), work.key, strict=True)) | {
        "left_out": reason
    }


def peak_in_use() -> int | None:
    """Bytes of the device in use at most since the process began, where the device counts them."""
    stats = jax.local_devices()[0].memory_stats()
    return stats.get("peak_bytes_in_use") if stats else None


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def compiled_program(
    lowered: tuple[Any, float], options: dict[str, Any] | None = None
) -> tuple[Any, float]:
    """The program and the seconds it took, those of lowering included. Short programs on a CPU are
    compiled lightly."""
    program, seconds = lowered
    began = time.perf_counter()
    program = program.compile(options or compilation.options(0))
    return program, seconds + time.perf_counter() - began


def _lowered(work: Work) -> tuple[tuple[Any, float], Any]:
    """The program with its seconds, and the start, neither compiled yet."""
    start = jax.jit(work.start).lower()
    began = time.perf_counter()
    program = jax.jit(work.call, donate_argnums=0).lower(jax.eval_shape(work.start))
    return (program, time.perf_counter() - began), start


def _compiled(work: Work, lowered: tuple[tuple[Any, float], Any]) -> Compiled | str:
    """Ready to run, or why not."""
    try:
        program, seconds = compiled_program(lowered[0])
        return Compiled(work, program, lowered[1].compile(compilation.options(0)), seconds)
    except jax.errors.JaxRuntimeError as error:
        return first_line(error)
