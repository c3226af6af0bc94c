"""The settings of the study."""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from agents.errors import ConfigError
from agents.sweeps.settings import EngineConfig


@dataclass(frozen=True)
class StudyConfig:
    """Run the study, or what is missing of it, and write RESULTS.md from its own data."""

    quick: bool = False
    """Three seeds, two stores, a short training: minutes instead of many hours."""
    seeds: int | None = None
    """Seeds of every method; by default 16, or 3 with --quick. Trainings with a part changed have
    at most 8, long ones 2."""
    rounds: int | None = None
    """Rounds of 1,024 store-periods of every run; by default 200, 400 on `pair`, or 40 with
    --quick."""
    out: Path | None = None
    """Folder for RESULTS.md and results/; by default the folder of the runs."""
    work: Path | None = None
    """Folder of the runs; by default runs/study, or runs/study-quick with --quick, in `out` where
    that is given."""
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
        name = "study-quick" if self.quick else "study"
        return self.work or (self.out or Path()) / "runs" / name

    @property
    def page(self) -> Path:
        """Where RESULTS.md and results/ are written."""
        return self.out or self.folder

    @property
    def seeds_of_each(self) -> int:
        """How many trainings a variant has."""
        return self.seeds if self.seeds is not None else 3 if self.quick else 16

    @property
    def rounds_of_each(self) -> int | None:
        """Rounds of every run; none where each store has its own number."""
        return self.rounds if self.rounds is not None else 40 if self.quick else None

    def validate(self) -> None:
        """Raises `ConfigError`."""
        self.engine.validate()
        if self.rounds is not None and (self.rounds < 10 or self.rounds % 10):
            raise ConfigError(f"rounds: {self.rounds}; allowed: a multiple of 10, 10 or more")
        if self.seeds_of_each < 2:
            raise ConfigError(
                f"seeds: {self.seeds}; allowed: 2 or more, as intervals over seeds need them"
            )
