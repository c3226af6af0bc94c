"""A whole training at its default sizes, from tuning to the last evaluation: seconds, once.

`python -m benchmarks.whole_training`. Tuning, compilation, learning, evaluations and writing all
count.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from agents.files import open_folder, write_json
from agents.learning.config import TrainConfig
from agents.runs.pipeline import train_in_folder
from benchmarks import command


@dataclass(frozen=True)
class Settings:
    """Time one training."""

    out: Path = Path("runs/benchmarks")
    """Folder for whole_training.json."""
    scenario: str = "grocery"
    """A registered scenario or the path of a scenario file."""
    iterations: int = 640
    """Iterations of the training."""


def main(settings: Settings) -> None:
    folder = open_folder(settings.out)
    with tempfile.TemporaryDirectory() as run:
        config = TrainConfig(
            scenario=settings.scenario,
            iterations=settings.iterations,
            out=Path(run) / "run",
            log=(),
        )
        began = time.perf_counter()
        train_in_folder(config, announce=lambda _: None, progress=lambda _: None)
        seconds = time.perf_counter() - began
    row = {
        "kind": "training",
        "name": "whole training",
        "by": "jaxsim",
        "scenario": settings.scenario,
        "iterations": settings.iterations,
        "stores": config.stores,
        "unit": "store-periods",
        "per_second": config.store_periods / seconds,
        "seconds": seconds,
        "repeats": 1,
    }
    write_json(folder / "whole_training.json", {"rows": [row]})
    Console().print(f"{settings.scenario}: {seconds:.0f} s in all")


if __name__ == "__main__":
    command.run(main, Settings)
