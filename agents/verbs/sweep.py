"""The verb `sweep`: many trainings, and their page."""

from rich.console import Console

from agents.report import tables
from agents.report.settings import ReportConfig
from agents.report.terminal import show
from agents.report.writing import write_report
from agents.runs.interruption import keeping_what_is_whole
from agents.sweeps.grid import parse_grid
from agents.sweeps.runner import run_sweep
from agents.sweeps.settings import SweepConfig


def run(config: SweepConfig, console: Console) -> None:
    with tables.SweepProgress(console) as progress, keeping_what_is_whole(config.folder):
        rows = run_sweep(config, progress)
    write_report(ReportConfig((config.folder,)))
    show(console, tables.sweep_table(rows, list(parse_grid(config.grid))))
    console.print(f"Every run's numbers are in {config.folder}.", soft_wrap=True)
