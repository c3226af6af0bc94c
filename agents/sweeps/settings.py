"""The settings of a sweep."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from agents.errors import ConfigError
from agents.learning.config import TrainConfig
from jaxsim import scenarios


@dataclass(frozen=True)
class SweepConfig:
    """Train many runs side by side: seeds and settings, in chunks that fit memory."""

    training: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=TrainConfig)
    """The settings that all runs share."""
    seeds: int = 8
    """Trainings of each combination of settings, with seeds seed, seed + 1, …"""
    grid: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """FIELD=VALUE,VALUE…, any number of times: a rate or the like of the training, or a number of
    the store (for all its products or segments; x2 is twice the scenario's)."""
    memory: str | None = None
    """Most memory the trainings may take, such as 8GiB; by default most of what is free."""
    together: int | None = None
    """Most runs in one program; by default as many as fit, but on a CPU one for each device, which
    is faster there."""

    @property
    def folder(self) -> Path:
        name = Path(self.training.scenario).stem
        return self.training.out or Path("runs") / f"{name}-{self.training.method}-sweep"

    def validate(self) -> None:
        """Raises `ConfigError`, `ScheduleError` or `ScenarioError`."""
        self.training.validate()
        scenarios.path_of(self.training.scenario)
        for name in ("seeds", "together"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name}: {value}; allowed: 1 or more")
