"""The verb `play`: a page on a run's store, served on this machine alone until Ctrl-C."""

import signal
import threading
import webbrowser

from rich.console import Console

from agents.play import shop
from agents.play.server import serving
from agents.play.settings import PlayConfig
from agents.runs.interruption import SIGNALS, end_at_once


def run(config: PlayConfig, console: Console) -> None:
    with serving(shop.read(config.run, config.silo), config.port or 0) as address:
        said = f"play at {address} (on this machine alone; Ctrl-C ends it)"
        console.print(said, soft_wrap=True)
        if config.browser:
            webbrowser.open(address)
        # Nothing is written, and other threads may be compiling for long.
        for number in SIGNALS:
            signal.signal(number, end_at_once)
        threading.Event().wait()
