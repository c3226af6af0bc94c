"""All parts in order of importance, while there is time: `python -m benchmarks.accelerator`."""

import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from agents.errors import ConfigError
from agents.files import open_folder, write_text
from benchmarks import command, measure
from benchmarks.accelerator import (
    correctness,
    page,
    picture,
    profiling,
    seeds,
    stepping,
    target,
    training,
)
from benchmarks.accelerator.ledger import Deadline, Ledger
from benchmarks.accelerator.sizes import FULL, TINY, Sizes

PARTS: dict[str, tuple[Callable[[Ledger, Deadline, Sizes], None], float]] = {
    correctness.PART: (correctness.measure, 0.2),
    stepping.PART: (stepping.measure, 0.42),
    training.PART: (training.measure, 0.72),
    target.PART: (target.measure, 0.88),
    seeds.PART: (seeds.measure, 0.97),
    profiling.PART: (profiling.measure, 1.0),
}
"""Each part, and the share of all seconds by which it begins nothing more: what a part leaves goes
to those behind it."""


@dataclass(frozen=True)
class Settings:
    """Measure the project on an accelerator; rows that are there already are not measured again."""

    out: Path = Path("benchmarks/accelerator")
    """Folder for results.json, results.md, throughput.png and the tuned pairs; a heuristics.json
    of a run that lies there is taken, and nothing is tuned."""
    seconds: float = 420.0
    """After so many seconds nothing new is begun; what is being compiled or timed is finished."""
    tiny: bool = False
    """Every part at the smallest sizes, on any device: does it run?"""
    only: tuple[str, ...] = ()
    """Parts to measure; by default all."""


def main(settings: Settings) -> None:
    began = time.monotonic()
    refuse_unknown(settings)
    jax.config.update("jax_enable_compilation_cache", False)  # compilation is timed from nothing
    folder = open_folder(settings.out)
    ledger = Ledger.opened(folder / "results.json", machine(settings.tiny))
    sizes = TINY if settings.tiny else FULL
    failed: list[str] = []
    for name, (part, share) in PARTS.items():
        if settings.only and name not in settings.only:
            continue
        try:
            part(ledger, Deadline(began + share * settings.seconds), sizes)
        except Exception:  # the parts behind it may well run
            traceback.print_exc()
            failed.append(name)
        write_text(folder / "results.md", page.as_markdown(ledger.rows, ledger.machine))
        picture.draw(ledger.rows, ledger.machine, folder / "throughput.png")
        print(f"{name}: until second {time.monotonic() - began:.0f}", flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def refuse_unknown(settings: Settings) -> None:
    """Raises `ConfigError`."""
    for name in settings.only:
        if name not in PARTS:
            raise ConfigError(f"only: {name}; allowed: {', '.join(PARTS)}")
    if not settings.tiny and jax.default_backend() == "cpu":
        raise ConfigError("device: cpu; allowed: an accelerator, or --tiny")


def machine(tiny: bool) -> dict[str, Any]:
    """Where and with what, and whether at the smallest sizes."""
    stats = jax.devices()[0].memory_stats()
    return measure.machine() | {
        "jax": jax.__version__,
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "tiny": tiny,
        "device_memory_bytes": stats.get("bytes_limit") if stats else None,
    }


if __name__ == "__main__":
    command.run(main, Settings)
