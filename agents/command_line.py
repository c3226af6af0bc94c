"""Train departments that coordinate replenishment and recommendation, and compare them.

Without a verb, `train` is meant.
"""

import logging
import sys
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Protocol, runtime_checkable

import tyro

from agents import flags
from agents.errors import DISK, DiskError, NumbersError, PeerError, UserError, one_line
from agents.learning.config import TrainConfig
from agents.play.settings import PlayConfig
from agents.report.settings import BacktestConfig, ReportConfig
from agents.report.terminal import open_console
from agents.runs.interruption import Interrupted, Interruption
from agents.runs.settings import EvaluateConfig, ExportConfig, LaunchConfig
from agents.study.settings import StudyConfig
from agents.sweeps.settings import SweepConfig
from agents.theory.settings import TheoryConfig
from jaxsim.calibration.settings import CalibrateConfig


@dataclass(frozen=True)
class ScenariosConfig:
    """List the registered scenarios."""


VERBS: dict[str, type] = {
    "train": LaunchConfig,
    "sweep": SweepConfig,
    "evaluate": EvaluateConfig,
    "report": ReportConfig,
    "backtest": BacktestConfig,
    "play": PlayConfig,
    "export": ExportConfig,
    "calibrate": CalibrateConfig,
    "scenarios": ScenariosConfig,
    "reproduce": StudyConfig,
    "theory": TheoryConfig,
}
"""The settings of every verb. `agents.verbs.NAME` runs it, and is imported only then: help and a
mistake are answered without JAX, so a module of settings must not import it."""


@runtime_checkable
class Checked(Protocol):
    """Settings that can be wrong in themselves, or name files that are not there."""

    def validate(self) -> None:
        """Raises `UserError`."""
        ...


def parse(arguments: list[str]) -> object:
    """The settings of one verb; `train` when none is named. Raises `UserError` for an unknown
    verb, flag or choice; exits with code 2 where a value is missing or of the wrong kind."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["train", *arguments]
    arguments = flags.carried_over(arguments)
    flags.check(arguments, VERBS)
    by_score = {}
    if flags.value_of("learner", arguments) == "score":
        defaults = TrainConfig.by_score()
        by_score = {verb: partial(VERBS[verb], training=defaults) for verb in ("train", "sweep")}
    return tyro.extras.subcommand_cli_from_dict(
        VERBS | by_score,
        prog="train.py",
        description=__doc__,
        args=arguments,
    )


def main(arguments: list[str]) -> int:
    """Runs one verb. What goes wrong is one line on standard error: exit code 2 for a user's
    mistake, 1 for a disk that is full, a training whose numbers went wrong or that lost a process,
    128 and the signal's number for a signal."""
    terminal = open_console()
    logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax also raises what it logs there
    try:
        config = parse(arguments)
        if isinstance(config, Checked):
            config.validate()
        verb = next(verb for verb, kind in VERBS.items() if isinstance(config, kind))
        run = import_module(f"agents.verbs.{verb}").run
        with Interruption():
            run(config, terminal)
    except UserError as mistake:
        say(f"error: {mistake}")
        return 1 if isinstance(mistake, DiskError) else 2
    except OSError as failed:
        if failed.filename is None:
            raise
        say(f"error: {failed.filename}: {failed.strerror}")
        return 1 if failed.errno in DISK else 2
    except (NumbersError, PeerError) as wrong:
        say(f"error: {wrong}")
        return 1
    except Interrupted as stopped:
        say(str(stopped))
        return stopped.code
    return 0


def say(message: str) -> None:
    """One line on standard error, whatever the files and names in it hold."""
    print(one_line(message), file=sys.stderr)
