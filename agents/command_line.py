"""Train departments that coordinate replenishment and recommendation, and compare them.

Without a verb, `train` is meant.
"""

import logging
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from agents import flags
from agents.devices import is_first
from agents.errors import DiskError, UserError, one_line
from agents.evaluation.comparison import check_sizes
from agents.evaluation.keys import keys_of
from agents.evaluation.prices import price_table, shadow_prices
from agents.files import DISK, open_folder, write_json
from agents.learning.config import TrainConfig, shards_of
from agents.learning.health import NumbersError
from agents.report import tables
from agents.report.backtest import BACKTEST, BacktestConfig, backtest
from agents.report.pictures import draw_run
from agents.report.terminal import open_console, show
from agents.report.theory import write_theory
from agents.report.writing import ReportConfig, write_report
from agents.runs import processes, run_folder
from agents.runs.export import ExportConfig, export_run
from agents.runs.interruption import Interrupted, Interruption, keeping_what_is_whole
from agents.runs.pipeline import LEARNED, compared, load_departments, train_in_folder
from agents.runs.processes import LaunchConfig, PeerError
from agents.study.study import StudyConfig, reproduce
from agents.sweeps.grid import parse_grid
from agents.sweeps.runner import SweepConfig, run_sweep
from agents.theory.answers import TheoryConfig, study
from jaxsim import scenarios
from jaxsim.calibration.calibrate import calibrate, portable_query
from jaxsim.calibration.settings import CalibrateConfig


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

    def validate(self) -> None:
        """Raises `ConfigError`."""
        check_sizes(self.stores, self.periods, self.burn_in)


PRICED = 1024
"""Most stores over which shadow prices are averaged: their backward pass takes memory."""


@dataclass(frozen=True)
class ScenariosConfig:
    """List the registered scenarios."""


def run_train(launch: LaunchConfig, console: Console) -> None:
    launch.validate()
    config = launch.training
    with processes.joined(launch):
        console.quiet = not is_first()
        with tables.TrainingProgress(console, config) as progress:
            result = train_in_folder(config, progress.announce, progress.update)
        if result is None or not is_first():
            return
        console.print("writing the report", style="dim")
        began = time.perf_counter()
        draw_run(config, result)
        write_report(ReportConfig((config.folder,)))
        report_seconds = time.perf_counter() - began
        show(console, tables.policy_table(result.summary))
        _print_absences(result.summary, run_folder.read_scenario(config.folder).products, console)
        console.print(tables.closing_line(result.summary, config.folder), soft_wrap=True)
        seconds = result.summary.get("seconds")  # in a folder that an earlier build left: none
        if seconds is not None:
            console.print(tables.seconds_line(seconds, report_seconds), soft_wrap=True)


def run_many(config: SweepConfig, console: Console) -> None:
    with tables.SweepProgress(console) as progress, keeping_what_is_whole(config.folder):
        rows = run_sweep(config, progress)
    write_report(ReportConfig((config.folder,)))
    show(console, tables.sweep_table(rows, list(parse_grid(config.grid))))
    console.print(f"Every run's numbers are in {config.folder}.", soft_wrap=True)


def run_report(config: ReportConfig, console: Console) -> None:
    console.print(f"wrote {write_report(config)}", soft_wrap=True)


def run_reproduce(config: StudyConfig, console: Console) -> None:
    with tables.SweepProgress(console) as progress, keeping_what_is_whole(config.folder):
        rows = reproduce(config, progress)
    show(console, tables.study_table(rows))
    console.print(f"The rest is in {config.out / 'RESULTS.md'}.", soft_wrap=True)


def run_evaluate(config: EvaluateConfig, console: Console) -> None:
    config.validate()
    shards = shards_of(config.devices, {"stores": config.stores})
    trained = run_folder.read_config(config.run)
    tuned = run_folder.read_heuristics(config.run)
    departments = load_departments(config.run, trained, tuned)
    settings = run_folder.evaluation_settings(
        trained, config.stores, config.periods, config.burn_in
    )
    key = keys_of(trained.seed if config.seed is None else config.seed)["evaluate"]
    scenario = run_folder.read_scenario(config.run)
    summary = compared(settings, scenario.name, scenario.params(), tuned, departments, key, shards)
    best = next(pair for pair in tuned if pair.name == summary["best_heuristic"])
    sizes = {"stores": min(config.stores, PRICED), "burn_in": config.burn_in}
    summary["shadow_prices"] = {
        name: price_table(shadow_prices(key, policy, scenario.params(), **sizes))
        for name, policy in ((LEARNED, departments), (best.name, best.policy))
    }
    write_json(open_folder(config.run) / "evaluation.json", summary)
    show(console, tables.policy_table(summary))
    _print_absences(summary, scenario.products, console)
    show(console, tables.price_table(summary, scenario.products))
    console.print(tables.closing_line(summary, config.run), soft_wrap=True)


def run_backtest(config: BacktestConfig, console: Console) -> None:
    found = backtest(config)
    show(console, tables.backtest_table(found.summary))
    files = ", ".join(f"{BACKTEST}.{kind}" for kind in ("json", "csv", "png"))
    console.print(f"Day by day: {files} in {config.run}.", soft_wrap=True)


def _print_absences(summary: dict[str, Any], products: list[str], console: Console) -> None:
    for line in tables.absence_lines(summary, products):
        console.print(line, soft_wrap=True)


def run_export(config: ExportConfig, console: Console) -> None:
    export_run(config)
    console.print(f"wrote {config.out}; agents.runs.serving.load reads it", soft_wrap=True)


def run_calibrate(config: CalibrateConfig, console: Console) -> None:
    if config.print_sql:
        print(portable_query(config), end="")
        return
    calibration = calibrate(config, lambda said: show(console, tables.reading_table(said)))
    show(console, tables.calibration_table(calibration))
    command = f"python train.py --scenario {config.out}"
    console.print(f"wrote {config.out}; train on it with: {command}", soft_wrap=True)


def run_scenarios(_: ScenariosConfig, console: Console) -> None:
    show(console, tables.scenario_table([scenarios.get(name) for name in scenarios.names()]))


def run_theory(config: TheoryConfig, console: Console) -> None:
    open_folder(config.out)
    found = study(lambda what: console.print(what, style="dim"))
    write_theory(found, config.out)
    for table in tables.theory_tables(found):
        show(console, table)
    console.print(f"Everything is in {config.out}.", soft_wrap=True)


VERBS = {
    "train": (LaunchConfig, run_train),
    "sweep": (SweepConfig, run_many),
    "evaluate": (EvaluateConfig, run_evaluate),
    "report": (ReportConfig, run_report),
    "backtest": (BacktestConfig, run_backtest),
    "export": (ExportConfig, run_export),
    "calibrate": (CalibrateConfig, run_calibrate),
    "scenarios": (ScenariosConfig, run_scenarios),
    "reproduce": (StudyConfig, run_reproduce),
    "theory": (TheoryConfig, run_theory),
}


def parse(arguments: list[str]) -> object:
    """The settings of one verb; `train` when none is named. Raises `UserError` for an unknown
    verb, flag or choice; exits with code 2 where a value is missing or of the wrong kind."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["train", *arguments]
    arguments = flags.carried_over(arguments)
    settings = {verb: config for verb, (config, _) in VERBS.items()}
    flags.check(arguments, settings)
    by_score = {}
    if flags.value_of("learner", arguments) == "score":
        defaults = TrainConfig.by_score()
        by_score = {verb: partial(settings[verb], training=defaults) for verb in ("train", "sweep")}
    return tyro.extras.subcommand_cli_from_dict(
        settings | by_score,
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
        with Interruption():
            config = parse(arguments)
            run = next(run for kind, run in VERBS.values() if isinstance(config, kind))
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
