"""One training iteration under the profiler: which kernels take its time.

The trace is read here and thrown away. Where the device leaves no kernels in it, the operations in
the compiled program are counted all the same.
"""

import re
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import jax

from benchmarks.accelerator import training
from benchmarks.accelerator.ledger import Deadline, Ledger
from benchmarks.accelerator.programs import Compiled, compiled_together, left_out, timed
from benchmarks.accelerator.sizes import Sizes

PART, SCENARIO = "profile", "grocery"
SHOWN = 20
Kernel = tuple[str, float]
"""Name and seconds."""
OPERATIONS = ("fusion", "custom-call", "while", "sort", "scatter")


def measure(ledger: Ledger, deadline: Deadline, sizes: Sizes) -> None:
    work = training.work(PART, SCENARIO, sizes.profiled, sizes.horizon)
    if ledger.has(*work.key) or deadline.is_past:
        return
    (_, compiled) = next(compiled_together([work], 1))
    if not isinstance(compiled, Compiled):
        ledger.add(left_out(work, compiled))
        return
    row = timed(compiled, sizes.repeats) | operations(compiled.program)
    ledger.add(row)  # whatever becomes of the trace
    ledger.add(row | summary(traced(compiled)))


def traced(compiled: Compiled) -> list[Kernel]:
    """The kernels of one call, after one that is left out."""
    carried = jax.block_until_ready(compiled.program(compiled.start()))
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready(compiled.program(carried))
        files = Path(folder).rglob("*.xplane.pb")
        planes = [plane for file in files for plane in planes_in(file)]
        return on_devices(planes) or on_the_host(planes)


def planes_in(file: Path) -> list[Any]:
    return list(jax.profiler.ProfileData.from_file(str(file)).planes)


def on_devices(planes: list[Any]) -> list[Kernel]:
    """What ran in the streams of an accelerator; its other lines show the same once more."""
    return [
        (event.name, event.duration_ns / 1e9)
        for plane in planes
        if plane.name.startswith("/device:")
        for line in plane.lines
        if line.name.startswith("Stream")
        for event in line.events
    ]


def on_the_host(planes: list[Any]) -> list[Kernel]:
    """The operations that a CPU's threads ran, but for those that are made of others."""
    return [
        (event.name, event.duration_ns / 1e9)
        for plane in planes
        for line in plane.lines
        for event in line.events
        if "hlo_op" in dict(event.stats) and not event.name.startswith(("while", "call"))
    ]


def summary(kernels: list[Kernel]) -> dict[str, Any]:
    """How many, their seconds together, and those that take the most."""
    seconds, calls = defaultdict(float), defaultdict(int)
    for name, spent in kernels:
        seconds[name] += spent
        calls[name] += 1
    most = sorted(seconds, key=lambda name: -seconds[name])[:SHOWN]
    return {
        "kernels_run": len(kernels),
        "kernel_seconds": sum(seconds.values()),
        "top_kernels": [
            {"name": name, "seconds": seconds[name], "calls": calls[name]} for name in most
        ],
    }


def operations(program: Any) -> dict[str, int]:
    """Operations in the compiled program's text, each counted once however often it runs."""
    text = program.as_text()
    return {
        f"{name}s_in_program".replace("-", "_"): len(re.findall(rf"\s{name}\(", text))
        for name in OPERATIONS
    }
