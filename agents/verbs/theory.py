"""The verb `theory`: small stores, solved exactly."""

from rich.console import Console

from agents.files import open_folder
from agents.report import tables
from agents.report.terminal import show
from agents.report.theory import write_theory
from agents.theory.answers import study
from agents.theory.settings import TheoryConfig


def run(config: TheoryConfig, console: Console) -> None:
    open_folder(config.out)
    found = study(lambda what: console.print(what, style="dim"))
    write_theory(found, config.out)
    for table in tables.theory_tables(found):
        show(console, table)
    console.print(f"Everything is in {config.out}.", soft_wrap=True)
