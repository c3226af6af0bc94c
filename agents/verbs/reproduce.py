"""The verb `reproduce`: the study."""

from rich.console import Console

from agents.report import tables
from agents.report.terminal import show
from agents.runs.interruption import keeping_what_is_whole
from agents.study.settings import StudyConfig
from agents.study.study import reproduce


def run(config: StudyConfig, console: Console) -> None:
    with tables.SweepProgress(console) as progress, keeping_what_is_whole(config.folder):
        rows = reproduce(config, progress)
    show(console, tables.study_table(rows))
    console.print(f"The rest is in {config.page / 'RESULTS.md'}.", soft_wrap=True)
