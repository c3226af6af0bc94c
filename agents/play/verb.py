"""The verb `play`: a page on a run's store, served on this machine alone until Ctrl-C."""

import signal
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import tyro

from agents.errors import ConfigError
from agents.play import shop
from agents.runs.interruption import SIGNALS, end_at_once

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
    no_browser: bool = False
    """Print the page's address, and open nothing."""

    def validate(self) -> None:
        """Raises `ConfigError`."""
        if self.port is not None and not 1 <= self.port <= 65_535:
            raise ConfigError(f"port: {self.port}; allowed: 1 to 65535")
        for name in NEEDED:
            if find_spec(name) is None:
                raise ConfigError(
                    f"play: {name} is not installed; pip install -e '.[play]' brings it"
                )


def play(config: PlayConfig, say: Callable[[str], None]) -> None:
    """Serves the page until the process is asked to end. Raises `ConfigError`, and `RunError` or
    `ScenarioError` for a folder that cannot be played."""
    config.validate()
    from agents.play.server import serving  # its packages are an extra

    with serving(shop.read(config.run, config.silo), config.port or 0) as address:
        say(f"play at {address} (on this machine alone; Ctrl-C ends it)")
        if not config.no_browser:
            webbrowser.open(address)
        # Nothing is written, and other threads may be compiling for long.
        for number in SIGNALS:
            signal.signal(number, end_at_once)
        threading.Event().wait()
