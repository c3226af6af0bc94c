"""The settings of a sweep."""

import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import tyro

from agents.errors import ConfigError
from agents.learning.config import TrainConfig
from jaxsim import scenarios


@dataclass(frozen=True)
class EngineConfig:
    """Where the runs of a sweep are trained."""

    engine: Literal["local", "ray"] = "local"
    """In this process, or as tasks of a Ray cluster (an extra to be installed)."""
    ray_address: str | None = None
    """HOST:PORT of the cluster's head, from a machine of the cluster; by default what RAY_ADDRESS
    says, else the cluster that this machine is in."""
    task_cpus: int = 2
    """Cores that a task of the cluster takes, which are its threads too."""
    task_gpus: int = 0
    """GPUs that a task of the cluster takes; its runs are spread over them."""

    def validate(self) -> None:
        """Raises `ConfigError`."""
        if self.ray_address is not None:
            if self.engine != "ray":
                raise ConfigError(f"ray_address: {self.ray_address}; allowed: with --engine ray")
            if not re.fullmatch(r"[^:/]+:[0-9]{1,5}|\[.+\]:[0-9]{1,5}", self.ray_address):
                raise ConfigError(
                    f"ray_address: {self.ray_address}; allowed: HOST:PORT of the cluster's head"
                )
        for name, least in (("task_cpus", 1), ("task_gpus", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name}: {getattr(self, name)}; allowed: {least} or more")
        if self.engine == "ray" and find_spec("ray") is None:
            raise ConfigError("engine: ray is not installed; pip install -e '.[ray]' brings it")


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
    is faster there, and on a cluster one for each device of a task."""
    engine: tyro.conf.OmitArgPrefixes[EngineConfig] = EngineConfig()
    """Where the runs are trained."""

    @property
    def folder(self) -> Path:
        name = Path(self.training.scenario).stem
        return self.training.out or Path("runs") / f"{name}-{self.training.method}-sweep"

    def validate(self) -> None:
        """Raises `ConfigError`, `ScheduleError` or `ScenarioError`."""
        self.training.validate()
        self.engine.validate()
        scenarios.path_of(self.training.scenario)
        for name in ("seeds", "together"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name}: {value}; allowed: 1 or more")
