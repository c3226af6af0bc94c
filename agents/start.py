"""The console command. It hears signals from its first moment, while the rest is imported."""

import os
import signal
import sys
from typing import NoReturn

from agents.runs.interruption import SIGNALS, end_at_once


def hear_signals() -> None:
    """SIGTERM and SIGINT end this process with 143 and 130, and one line."""
    for number in SIGNALS:
        signal.signal(number, end_at_once)


def console() -> NoReturn:
    """The console command `closing-the-loop`."""
    hear_signals()
    from agents.command_line import main

    leave(main(sys.argv[1:]))


def leave(code: int) -> NoReturn:
    """Ends the process; one that fails does not wait at the exit for others, who then notice."""
    jax = sys.modules.get("jax")  # where it is not there, nobody waits
    if code in (1, 2) and jax is not None and jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
