"""The verb `report`."""

from rich.console import Console

from agents.report.settings import ReportConfig
from agents.report.writing import write_report


def run(config: ReportConfig, console: Console) -> None:
    console.print(f"wrote {write_report(config)}", soft_wrap=True)
