"""How a benchmark is run: settings from flags, a user's mistake in one line."""

import sys
from collections.abc import Callable
from typing import TypeVar

import tyro

from agents.errors import ConfigError, RunError
from jaxsim.scenarios.scenario import ScenarioError

Settings = TypeVar("Settings")


def run(main: Callable[[Settings], None], settings: type[Settings]) -> None:
    """Runs `main` with the settings that the command line gives; exit code 2 for bad ones."""
    try:
        main(tyro.cli(settings))
    except (ConfigError, RunError, ScenarioError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def refuse_none(settings: object, *names: str) -> None:
    """Raises `ConfigError` where one of these settings is less than one."""
    for name in names:
        if getattr(settings, name) < 1:
            raise ConfigError(f"{name}: {getattr(settings, name)}; allowed: 1 or more")
