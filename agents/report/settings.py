"""The settings of the verbs `report` and `backtest`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from agents.errors import RunError
from agents.evaluation.sizes import check_sizes
from agents.runs.layout import check_is_run
from agents.sweeps.layout import is_sweep
from jaxsim.calibration.files import files_of
from jaxsim.calibration.settings import TransactionsConfig

REPORT = "report.html"


@dataclass(frozen=True)
class ReportConfig:
    """Write one page on a run or a sweep, or on several of the same store beside each other."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of runs or sweeps."""
    out: Path | None = None
    """The page; by default report.html in the run's folder, or in the one that holds them all."""
    all_pairs: bool = False
    """Show every tuned pair, also those that are dominated."""

    @property
    def page(self) -> Path:
        """Where the page is written."""
        folders = [each.absolute() for each in self.runs]
        return self.out or Path(os.path.commonpath(folders)) / REPORT

    def validate(self) -> None:
        """Raises `RunError`."""
        if not self.runs:
            raise RunError("runs: none given; allowed: one folder of a run, or more")
        if self.page.is_dir():
            raise RunError(f"out: {self.page} is a folder; allowed: the name of a page")
        for folder in self.runs:
            if not is_sweep(folder):
                check_is_run(folder)


@dataclass(frozen=True, kw_only=True)
class BacktestConfig(TransactionsConfig):
    """Replay the days of a transactions file that a store was not fitted to."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run whose departments, and tuned pairs, are tried."""
    beside: tuple[Path, ...] = ()
    """Folders of other runs on the same store, such as a silo, whose departments are tried too."""
    train_days: int = 0
    """Days of the file to leave out, those that were fitted. 0: the first three quarters."""
    stores: int = 256
    """Copies of the shop, each with customers of its own on the same days."""
    burn_in: int = 60
    """Days of the store's own before."""
    seed: int = 0
    """Seed of the customers."""

    def validate(self) -> None:
        """Raises `ConfigError`, `RunError` or `CalibrationError`."""
        check_sizes(self.stores, 1, self.burn_in)
        for folder in (self.run, *self.beside):
            check_is_run(folder)
        if self.transactions is not None:
            files_of(self.transactions)
