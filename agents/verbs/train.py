"""The verb `train`: a training, its report, and what it came to."""

import time

from rich.console import Console

from agents.devices import is_first
from agents.report import tables
from agents.report.pictures import draw_run
from agents.report.settings import ReportConfig
from agents.report.terminal import show
from agents.report.writing import write_report
from agents.runs import processes, run_folder
from agents.runs.pipeline import train_in_folder
from agents.runs.settings import LaunchConfig


def run(launch: LaunchConfig, console: Console) -> None:
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
        write_report(ReportConfig((config.folder,), all_pairs=launch.all_pairs))
        report_seconds = time.perf_counter() - began
        show(console, tables.policy_table(result.summary, launch.all_pairs))
        for line in tables.absence_lines(
            result.summary, run_folder.read_scenario(config.folder).products
        ):
            console.print(line, soft_wrap=True)
        console.print(tables.closing_line(result.summary, config.folder), soft_wrap=True)
        seconds = result.summary.get("seconds")  # in a folder that an earlier build left: none
        if seconds is not None:
            console.print(tables.seconds_line(seconds, report_seconds), soft_wrap=True)
