"""The verb `scenarios`."""

from rich.console import Console

from agents.report import tables
from agents.report.terminal import show
from jaxsim import scenarios


def run(_: object, console: Console) -> None:
    show(console, tables.scenario_table([scenarios.get(name) for name in scenarios.names()]))
