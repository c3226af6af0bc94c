"""The verb `backtest`."""

from rich.console import Console

from agents.report import tables
from agents.report.backtest import BACKTEST, backtest
from agents.report.settings import BacktestConfig
from agents.report.terminal import show


def run(config: BacktestConfig, console: Console) -> None:
    found = backtest(config)
    show(console, tables.backtest_table(found.summary))
    files = ", ".join(f"{BACKTEST}.{kind}" for kind in ("json", "csv", "png"))
    console.print(f"Day by day: {files} in {config.run}.", soft_wrap=True)
