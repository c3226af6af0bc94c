"""What the command line shows of a sweep: two lines while it runs, a table at the end."""

from types import TracebackType

import pandas as pd
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from agents.sweeps.runner import Progress as Told

KPIS = {"fill": "fill_rate", "holding": "holding_paid", "turns": "turnover"}


class SweepProgress:
    """Two lines on a terminal, what is going on and how far it is; plain lines where there is
    none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._done, self._printed, self._runs = 0.0, 0.0, 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._now = self._bar.add_task("", total=None)
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Told:
        self._bar.start()
        return Told(self.announce, self.begin, self.advance)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def announce(self, what: str) -> None:
        """One line on what comes next."""
        self._bar.update(self._now, description=what)
        self._console.print(f"[dim]{what}[/dim]", soft_wrap=True)

    def begin(self, runs: int, done: int) -> None:
        """How many runs there are, and how many were finished before."""
        self._runs, self._done = runs, float(done)
        self._bar.update(self._task, total=runs, completed=done, description=f"{runs} runs")
        if done:
            self.announce(f"{done} of {runs} runs are there already")

    def advance(self, news: str, share: float) -> None:
        """`share` runs' worth of training was done."""
        self._done += share
        self._bar.update(self._task, completed=self._done)
        self._bar.update(self._now, description=news)
        if not self._console.is_terminal and self._done >= self._printed + self._runs / 10:
            self._printed = self._done
            self._console.print(f"{self._done:.1f} of {self._runs} runs  {news}", soft_wrap=True)


def sweep_table(rows: pd.DataFrame, settings: list[str]) -> Table:
    """One line for each combination of settings: means over its seeds, and the spread of gains.

    `rows` is runs.csv; `settings` the fields of the grid.
    """
    table = Table(
        title="means over seeds: profit per period, and the gain over the best tuned pair",
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
    )
    for column in (*settings, "seeds", "profit", "gain", "least", "most", *KPIS):
        table.add_column(column, justify="right", no_wrap=True)
    for _, group in rows.groupby(settings, sort=False) if settings else [((), rows)]:
        gains = group["gain"]
        table.add_row(
            *(str(value) for value in group[settings].iloc[0]),
            str(len(group)),
            f"{group['profit'].mean():,.2f}",
            *(f"{gain:+,.2f}" for gain in (gains.mean(), gains.min(), gains.max())),
            *(f"{group[column].mean():,.3f}" for column in KPIS.values()),
        )
    return table
