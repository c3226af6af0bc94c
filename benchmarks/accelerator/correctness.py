"""Is it right there? The device against the CPU of the same process, and against itself.

Both start from the same arrays and keys. They round differently, and where a draw is on the edge
between two whole numbers that is a unit; a store that is a unit off goes its own way from then on.
So shares of whole numbers are bounded, and money in the stores whose whole numbers all agree.

A GPU rounds the factors of matrix products to TF32 unless it is told otherwise (`float32`): both
are held against the CPU.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax

from benchmarks import measure as measuring
from benchmarks.accelerator import differences, subject
from benchmarks.accelerator.differences import Apart
from benchmarks.accelerator.ledger import Deadline, Ledger, Row
from benchmarks.accelerator.programs import Work, compiled_program, row
from benchmarks.accelerator.sizes import Sizes

PART, SCENARIO = "correctness", "grocery"
PRECISIONS = ("default", "float32")
"""Of matrix products: what a training gets, and what the CPU always has."""
TWICE = "same seed twice"
IN_ORDER = {"xla_gpu_deterministic_ops": True}
"""XLA's option that keeps the order of every sum."""


@dataclass(frozen=True)
class Check:
    """A program, how far two of its results are apart, and how far they may be."""

    work: Work  # its call gives a result and does not go on from it
    apart: Callable[[Any, Any, Any], Apart]  # of what was given, the device's and the CPU's result
    allowed: dict[str, Apart]  # by precision

    @property
    def names(self) -> list[str]:
        """Of its rows."""
        return [*(self.against_cpu(each) for each in precisions()), self.twice]

    def against_cpu(self, precision: str) -> str:
        return f"{self.work.name}, {precision} products"

    @property
    def twice(self) -> str:
        return f"{self.work.name}, {TWICE}"


@dataclass(frozen=True)
class Sides:
    """A check's programs, each with its seconds of compilation, and what they are given. Where the
    device is the CPU they are one."""

    given: Any
    device: dict[str, tuple[Any, float]]  # by precision
    cpu: tuple[Any, float]


def measure(ledger: Ledger, deadline: Deadline, sizes: Sizes) -> None:
    missing = [check for check in checks(sizes) if not _is_there(check, ledger)]
    if deadline.is_past:
        return
    for check, sides in zip(missing, sides_of(missing), strict=True):
        against_the_cpu(check, sides, ledger)
        against_itself(check, sides, ledger)


def checks(sizes: Sizes) -> list[Check]:
    return [step(sizes), iteration(sizes), evaluation(sizes)]


def step(sizes: Sizes) -> Check:
    """Many stores through a few periods under a classical pair."""
    rounded = {"units": 0.05, "stores": 0.5, "money": 1e-4, "mean profit": 1e-3}
    exact = {"units": 1e-3, "stores": 0.02, "money": 1e-5, "mean profit": 1e-4}
    return Check(
        work=_simulated("step", sizes.check_stores, sizes.check_periods, subject.classical),
        apart=differences.of_totals,
        allowed=dict(zip(PRECISIONS, (rounded, exact), strict=True)),
    )


def iteration(sizes: Sizes) -> Check:
    """One iteration of a training."""
    config = subject.config_of(SCENARIO, sizes.check_training, sizes.horizon)
    rounded = {"units": 0.2, "profit": 1e-2, "fill rate": 1e-2, "weights": 0.6}
    exact = {"units": 5e-3, "profit": 5e-4, "fill rate": 1e-4, "weights": 0.1}
    work = Work(
        part=PART,
        name="training iteration",
        scenario=SCENARIO,
        stores=config.stores,
        products=subject.params_of(SCENARIO).products,
        periods=sizes.horizon,
        call=subject.iterated,
        start=partial(subject.started, config, subject.classical(), jax.random.key(3)),
    )
    allowed = dict(zip(PRECISIONS, (rounded, exact), strict=True))
    return Check(work, differences.of_iterations, allowed)


def evaluation(sizes: Sizes) -> Check:
    """Networks decide without exploration, for many periods."""
    stores, periods = sizes.check_training.stores, sizes.check_evaluation_periods
    config = subject.config_of(SCENARIO, sizes.check_training, sizes.horizon)
    rounded = {"units": 1.0, "stores": 1.0, "money": 1e-4, "mean profit": 5e-3}
    exact = {"units": 0.05, "stores": 0.2, "money": 1e-5, "mean profit": 1e-3}
    return Check(
        work=_simulated("evaluation", stores, periods, partial(subject.at_random, config)),
        apart=differences.of_totals,
        allowed=dict(zip(PRECISIONS, (rounded, exact), strict=True)),
    )


def device() -> jax.Device:
    return jax.devices()[0]


def cpu() -> jax.Device:
    return jax.devices("cpu")[0]


def precisions() -> tuple[str, ...]:
    """The device's; a CPU has one."""
    return PRECISIONS if device() != cpu() else PRECISIONS[:1]


def sides_of(checks: list[Check]) -> list[Sides]:
    """The programs of all checks, compiled side by side."""
    places = [(device(), each) for each in precisions()]
    if device() != cpu():
        places.append((cpu(), "float32"))
    givens = [jax.jit(check.work.start)() for check in checks]
    jobs = [
        _lowered(check.work, jax.device_put(given, where), precision)
        for check, given in zip(checks, givens, strict=True)
        for where, precision in places
    ]
    with ThreadPoolExecutor(max(len(jobs), 1)) as pool:
        done = list(pool.map(compiled_program, jobs))
    groups = [done[at : at + len(places)] for at in range(0, len(done), len(places))]
    return [
        Sides(given, dict(zip(precisions(), group, strict=False)), group[-1])
        for given, group in zip(givens, groups, strict=True)
    ]


def against_the_cpu(check: Check, sides: Sides, ledger: Ledger) -> None:
    """The device's result in each precision beside the CPU's."""
    given, began = jax.device_put(sides.given, cpu()), time.perf_counter()
    theirs = jax.block_until_ready(sides.cpu[0](given))
    cpu_seconds = time.perf_counter() - began
    for precision in precisions():
        name = check.against_cpu(precision)
        ours, found = _ran(check.work, name, *sides.device[precision], sides.given)
        apart = check.apart(*map(_on_the_host, (sides.given, ours, theirs)))
        allowed = check.allowed[precision]
        held = {
            "apart": apart,
            "allowed": allowed,
            "within": differences.is_within(apart, allowed),
            "cpu_seconds": cpu_seconds,
        }
        ledger.add(found | held)


def against_itself(check: Check, sides: Sides, ledger: Ledger) -> None:
    """The same twice on the device. If bytes differ, the same in a program whose sums keep their
    order is one row more."""
    program, seconds = sides.device["default"]
    ledger.add(_twice(check.work, check.twice, program, seconds, sides.given))
    if ledger.rows[-1]["within"]:
        return
    given = jax.device_put(sides.given, device())
    program, seconds = compiled_program(_lowered(check.work, given, "default"), IN_ORDER)
    name = f"{check.twice}, sums in order"
    ledger.add(_twice(check.work, name, program, seconds, sides.given))


def _twice(work: Work, name: str, program: Any, compile_seconds: float, given: Any) -> Row:
    first, _ = _ran(work, name, program, compile_seconds, given)
    second, found = _ran(work, name, program, compile_seconds, given)
    share = differences.share_of_bytes(first, second)
    return found | {"bytes_apart": share, "within": share == 0.0}


def _ran(work: Work, name: str, program: Any, compile_seconds: float, given: Any) -> tuple:
    """The device's result and its row, of a call after one that is left out."""
    given = jax.device_put(given, device())
    seconds = measuring.times(lambda: program(given), 1)
    return program(given), row(replace(work, name=name), seconds, compile_seconds)


def _lowered(work: Work, given: Any, precision: str) -> tuple[Any, float]:
    """The program for where the arrays lie, not compiled yet, and the seconds that took."""
    began = time.perf_counter()
    with jax.default_matmul_precision(precision):
        lowered = jax.jit(work.call).lower(given)
    return lowered, time.perf_counter() - began


def _simulated(name: str, stores: int, periods: int, policy: Callable[[], Any]) -> Work:
    """A policy's totals, no period left out."""
    params = subject.params_of(SCENARIO)
    return Work(
        part=PART,
        name=name,
        scenario=SCENARIO,
        stores=stores,
        products=params.products,
        periods=periods,
        call=lambda given: subject.totals(*given, stores, periods, 0),
        start=lambda: (jax.random.key(2), policy(), params),
    )


def _is_there(check: Check, ledger: Ledger) -> bool:
    keys = (replace(check.work, name=name).key for name in check.names)
    return all(ledger.has(*key) for key in keys)


def _on_the_host(tree: Any) -> Any:
    return jax.device_put(tree, cpu())
