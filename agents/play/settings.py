"""The settings of the verb `play`."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import tyro

from agents.errors import ConfigError
from agents.runs.layout import check_is_run

NEEDED = ("bottle", "waitress")
"""The packages of the extra `play`."""


@dataclass(frozen=True)
class PlayConfig:
    """Play a store: be one department for four weeks, and try what would be if; in a browser."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of a finished run."""
    silo: Path | None = None
    """Folder of another run on the same store, whose departments play as "siloed"; by default the
    best tuned pair in which recommendation looks at its own margin only."""
    port: int | None = None
    """Port of the page; by default any that is free."""
    browser: bool = True
    """Open a browser. Without, the page's address is printed alone."""

    def validate(self) -> None:
        """Raises `ConfigError` or `RunError`."""
        if self.port is not None and not 1 <= self.port <= 65_535:
            raise ConfigError(f"port: {self.port}; allowed: 1 to 65535")
        for folder in (self.run, self.silo):
            if folder is not None:
                check_is_run(folder)
        for name in NEEDED:
            if find_spec(name) is None:
                raise ConfigError(
                    f"play: {name} is not installed; pip install -e '.[play]' brings it"
                )
