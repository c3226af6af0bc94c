"""The settings of verbs on one training: what they run, read and write."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from agents.errors import ConfigError
from agents.evaluation.sizes import check_sizes
from agents.learning.config import TrainConfig
from agents.runs import layout
from jaxsim import scenarios

AUTO = "auto"


@dataclass(frozen=True)
class LaunchConfig:
    """Train both departments of a store, then compare them with the tuned heuristics."""

    training: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=TrainConfig)
    coordinator: str | None = None
    """Several processes train together: HOST:PORT of process 0, where all of them can reach it, or
    `auto`, where a scheduler knows (Slurm, Open MPI, Kubernetes, a TPU pod)."""
    processes: int | None = None
    """How many processes there are; not with `--coordinator auto`."""
    process_id: int | None = None
    """Which of them this is, from 0; not with `--coordinator auto`."""
    all_pairs: bool = False
    """Show every tuned pair at the end, also those that are dominated."""

    def validate(self) -> None:
        """Raises `ConfigError`, `ScheduleError` or `ScenarioError`."""
        self.training.validate()
        scenarios.path_of(self.training.scenario)
        alone, named = self.coordinator is None, self.coordinator != AUTO
        for name in ("processes", "process_id"):
            value = getattr(self, name)
            if value is not None and (alone or not named):
                where = "a --coordinator" if alone else f"a --coordinator that is not {AUTO}"
                raise ConfigError(f"{name}: {value}; allowed: with {where}")
        if alone or not named:
            return
        if not re.fullmatch(r".+:[0-9]{1,5}", self.coordinator or ""):
            raise ConfigError(f"coordinator: {self.coordinator}; allowed: HOST:PORT, or {AUTO}")
        if (self.processes or 0) < 1:
            raise ConfigError(f"processes: {self.processes}; allowed: 1 or more")
        if self.process_id not in range(self.processes or 0):
            most = (self.processes or 0) - 1
            raise ConfigError(f"process_id: {self.process_id}; allowed: 0 to {most}")


@dataclass(frozen=True)
class EvaluateConfig:
    """Compare a trained run with its tuned heuristics again, on more or other customers."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""
    seed: int | None = None
    """Seed of the customers; by default the run's own evaluation customers."""
    stores: int = 4096
    """Stores in the evaluation."""
    periods: int = 200
    """Periods measured."""
    burn_in: int = 60
    """Periods dropped before."""
    devices: int | None = None
    """Devices that share the stores; by default all there are."""
    all_pairs: bool = False
    """Show every tuned pair, also those that are dominated."""

    def validate(self) -> None:
        """Raises `ConfigError` or `RunError`."""
        check_sizes(self.stores, self.periods, self.burn_in)
        layout.check_is_run(self.run)


@dataclass(frozen=True)
class ExportConfig:
    """Write one department of a trained run as a folder that decides alone."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""
    department: Literal["replenishment", "recommendation"]
    """Which department."""
    out: Path
    """Folder to write; must be new or empty."""

    def validate(self) -> None:
        """Raises `RunError`."""
        layout.check_is_run(self.run)
