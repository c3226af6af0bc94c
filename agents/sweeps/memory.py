"""How many trainings fit side by side: the memory a compiled program asks for, against a limit."""

import math
from collections.abc import Callable
from typing import Any

import jax
import psutil
from pydantic import ByteSize, TypeAdapter, ValidationError

from agents.errors import ConfigError

SHARE_OF_FREE = 0.7
"""Share of the free memory that a sweep takes where no limit is given."""


def parse_size(text: str) -> int:
    """Bytes of `8GiB`, `500MB`… Raises `ConfigError`."""
    try:
        size = int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError:
        size = 0
    if size <= 0:
        raise ConfigError(f"memory: {text}; allowed: a size such as 8GiB or 500MB")
    return size


def limit_of(text: str | None) -> int:
    """Bytes that trainings may take: as given, or most of what is free. Raises `ConfigError`."""
    return int(SHARE_OF_FREE * free_memory()) if text is None else parse_size(text)


def readable(size: float) -> str:
    """`1.5GiB`."""
    return ByteSize(round(size)).human_readable()


def free_memory() -> int:
    """Bytes free on the device, or on the host where the device has none of its own."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats["bytes_in_use"]
    return psutil.virtual_memory().available


def peak_bytes(compiled: jax.stages.Compiled) -> int:
    """Bytes alive at once while a program runs: its arguments, its results and its scratch."""
    stats: Any = compiled.memory_analysis()
    alive = stats.argument_size_in_bytes + stats.output_size_in_bytes - stats.alias_size_in_bytes
    return alive + stats.temp_size_in_bytes


def in_one_memory(devices: int) -> int:
    """Of how many of these devices `free_memory` is the memory: the host's is that of all."""
    return 1 if jax.local_devices()[0].memory_stats() else devices


def fit(size_of: Callable[[int], int], runs: int, most: int, limit: int) -> tuple[int, int]:
    """The bytes of a program for as many of `runs` at once as fit `limit` bytes (and not over
    `most`), and how many that is. `size_of` compiles it for a number of runs, and gives its bytes.

    Chunks are made equal, so that one program serves all. Raises `ConfigError` where one run alone
    is too much.
    """
    together = evened(runs, min(runs, most))
    while True:
        size = size_of(together)
        if size <= limit:
            return size, together
        if together == 1:
            raise ConfigError(
                f"memory: {readable(limit)}; allowed: at least {readable(size)}, what one run takes"
            )
        together = evened(runs, max(1, min(together - 1, int(together * limit / size))))


def evened(runs: int, most: int) -> int:
    """The size of chunks, as few and as equal as can be, none over `most`."""
    return math.ceil(runs / math.ceil(runs / most))
