"""How a program is measured: compiled apart, warmed up, blocked on, repeated; its memory."""

import platform
import re
import resource
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import numpy as np
import psutil

from agents.sweeps.memory import peak_bytes
from benchmarks.workloads import Row, program_of

PACKAGES = ("jax", "jaxlib", "flax", "numpy", "numba")


def times(call: Callable[[], Any], repeats: int) -> list[float]:
    """Wall-clock seconds of each call, after one that is left out."""
    jax.block_until_ready(call())
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - began)
    return seconds


def rates(units: float, seconds: list[float]) -> dict[str, float]:
    """Units per second: the median call, the slowest and the fastest."""
    return {
        "per_second": units / float(np.median(seconds)),
        "per_second_least": units / max(seconds),
        "per_second_most": units / min(seconds),
        "repeats": len(seconds),
    }


def measure(row: Row, repeats: int) -> dict[str, Any]:
    """A row of the results. Each call goes on from where the last one left the stores.

    `peak_memory_bytes` is the most the whole process has held so far, so a row needs a process of
    its own; `program_bytes` is what the compiled program asks for.
    """
    function, carried = program_of(row)
    began = time.perf_counter()
    program = function.lower(carried).compile()
    compile_seconds = time.perf_counter() - began
    asked = peak_bytes(program)
    seconds = times(going_on(program, carried), repeats)
    return result(row, "jaxsim", seconds, compile_seconds) | {"program_bytes": asked}


def going_on(program: Callable[[Any], Any], carried: Any) -> Callable[[], Any]:
    """A call that goes on from where the last one ended, which it may write over."""
    last = [carried]

    def call() -> Any:
        last[0] = program(last[0])
        return last[0]

    return call


def result(row: Row, by: str, seconds: list[float], compile_seconds: float) -> dict[str, Any]:
    """A row of the results, whoever was timed."""
    return {
        "kind": "stores",
        "name": row.name,
        "by": by,
        "stores": row.stores,
        "products": row.products,
        "lead_time": row.lead_time,
        "periods_a_call": row.periods,
        "unit": "store-periods",
        **rates(row.units, seconds),
        "product_periods_per_second": row.units * row.products / float(np.median(seconds)),
        "compile_seconds": compile_seconds,
        "peak_memory_bytes": peak_memory(),
    }


def peak_memory() -> int:
    """Bytes this process has held at most. On Linux `ru_maxrss` would count what the process that
    started it held, so the high-water mark of its own memory is read where there is one."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def cores() -> int:
    """Cores this process may use: as many threads, or devices of a CPU."""
    return len(psutil.Process().cpu_affinity())


def machine() -> dict[str, Any]:
    """Where and with what: written beside every result."""
    return {
        "device": jax.devices()[0].device_kind,
        "processor": platform.processor() or platform.machine(),
        "threads": cores(),
        "load_average": psutil.getloadavg()[0],
        "dtype": "float32",
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
