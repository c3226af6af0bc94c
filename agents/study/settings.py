"""The settings of the study."""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from agents.errors import ConfigError
from agents.learning.config import TrainConfig
from agents.sweeps.settings import EngineConfig

STORES = {"pair": 240, "boutique": 240, "grocery": 120, "grocery-dry": 120}
"""Rounds of experience on each store: half as many where there are twice the products and a round
takes twice as long."""
QUICK_STORES = ("pair", "boutique")


@dataclass(frozen=True)
class StudyConfig:
    """Run the study, or what is missing of it, and write RESULTS.md from its own data."""

    quick: bool = False
    """Three seeds, two stores, a short training: minutes instead of many hours."""
    seeds: int | None = None
    """Seeds of every variant; by default 8, or 3 with --quick."""
    iterations: int | None = None
    """Rounds of experience of every run; by default 240, 120 for stores of twenty products, or 24
    with --quick."""
    out: Path = Path()
    """Folder for RESULTS.md and results/."""
    work: Path | None = None
    """Folder of the runs; by default runs/study, or runs/study-quick, in `out`."""
    memory: str | None = None
    """Most memory the trainings may take, such as 8GiB; by default most of what is free."""
    together: int | None = None
    """Most runs in one program; by default as many as fit, but on a CPU one for each device, which
    is faster there, and on a cluster one for each device of a task."""
    engine: tyro.conf.OmitArgPrefixes[EngineConfig] = field(default_factory=EngineConfig)
    """Where the runs are trained."""
    finished_only: bool = False
    """Train nothing, and write the page of the variants that are finished."""

    @property
    def folder(self) -> Path:
        """Where the programs of the study are."""
        return self.work or self.out / "runs" / ("study-quick" if self.quick else "study")

    @property
    def seeds_of_each(self) -> int:
        """How many trainings a variant has."""
        return self.seeds if self.seeds is not None else 3 if self.quick else 8

    def training(self, scenario: str) -> TrainConfig:
        """What all runs on a store share."""
        usual = 24 if self.quick else STORES[scenario]
        return TrainConfig.by_score(
            scenario=scenario, iterations=self.iterations or usual, stores=128,
            evaluations=3 if self.quick else 8, evaluation_stores=256 if self.quick else 512,
            evaluation_periods=100, burn_in=40,
        )  # fmt: skip

    def validate(self) -> None:
        """Raises `ConfigError`."""
        self.engine.validate()
        if self.seeds_of_each < 2:
            raise ConfigError(
                f"seeds: {self.seeds}; allowed: 2 or more, as intervals over seeds need them"
            )
