"""What the command line shows: progress while a training runs, tables afterwards."""

from pathlib import Path
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from agents.learning.config import TrainConfig
from jaxsim.calibration.calibrate import Calibration
from jaxsim.scenarios.scenario import Scenario

NEWS = (
    "{per_second:,.0f} store-periods/s  profit {profit:,.2f}  fill {fill_rate:.3f}  "
    "fast {fast_rate:.1e}  slow {slow_rate:.1e}"
)


class TrainingProgress:
    """A progress line on a terminal; plain lines, a few per training, where there is none."""

    def __init__(self, console: Console, config: TrainConfig) -> None:
        self._console = console
        self._iterations = config.iterations
        self._printed = 0.0
        self._bar = Progress(
            TextColumn("iteration {task.completed}/{task.total}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[news]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("train", total=config.iterations, news="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def announce(self, what: str) -> None:
        """One line on what comes next."""
        self._console.print(f"[dim]{what}[/dim]")

    def update(self, news: dict[str, float]) -> None:
        """The last iteration's metrics and the mean speed so far."""
        done, text = int(news["iteration"]), NEWS.format(**news)
        self._bar.update(self._task, completed=done, news=text)
        due = done >= self._printed + self._iterations / 10 or done == self._iterations
        if due and not self._console.is_terminal:
            self._printed = done
            self._console.print(f"iteration {done}/{self._iterations}  {text}", soft_wrap=True)


def policy_table(summary: dict) -> Table:
    """Policies by profit, with intervals and the paired difference to the best heuristic."""
    checked = summary["evaluation"]
    table = Table(
        title=f"{summary['scenario']}: profit per period with 95 % intervals\n"
        f"the same {checked['stores']:,} stores × {checked['periods']} periods for all",
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
    )
    for column in ("policy", "profit", "against best", "fill", "holding", "turns"):
        table.add_column(column, justify="left" if column == "policy" else "right", no_wrap=True)
    for name, row in sorted(summary["policies"].items(), key=lambda item: -item[1]["profit_mean"]):
        gap, gap_ci95 = row["difference_to_best_heuristic"], row["difference_ci95"]
        best = name == summary["best_heuristic"]
        table.add_row(
            name,
            f"{row['profit_mean']:,.2f} ± {_half(row['profit_ci95']):,.2f}",
            "best heuristic" if best else f"{gap:+,.2f} ± {_half(gap_ci95):,.2f}",
            f"{row['fill_rate']:.3f}",
            f"{row['holding']:,.2f}",
            f"{row['turnover']:.3f}",
            style="bold" if name == "learned" else None,
        )
    return table


def closing_line(summary: dict, folder: Path) -> str:
    """The answer in one sentence, and where the rest is."""
    gain = summary["gain_over_best_heuristic"]
    low, high = gain["ci95"]
    return (
        f"The learned departments earn {gain['mean']:+,.2f} per period ({gain['percent']:+.2f} %, "
        f"95 % interval {low:+,.2f} to {high:+,.2f}) against {summary['best_heuristic']}, the best "
        f"tuned heuristic. Everything is in {folder}."
    )


def calibration_table(calibration: Calibration) -> Table:
    """What was fitted and how it does on the days it has not seen."""
    table = Table("calibration", "", title=calibration.scenario.name)
    table.columns[1].justify = "right"
    for what, value in calibration.report.items():
        table.add_row(what, f"{value:,.4g}")
    return table


def scenario_table(known: list[Scenario]) -> Table:
    """Names and sizes of scenarios."""
    table = Table("name", "products", "segments", "slate", "lead time", "about")
    for scenario in known:
        table.add_row(
            scenario.name,
            str(len(scenario.products)),
            str(len(scenario.segments)),
            str(len(scenario.slot_weight)),
            f"up to {scenario.max_lead_time}",
            scenario.about,
        )
    return table


def _half(interval: tuple[float, float]) -> float:
    return (interval[1] - interval[0]) / 2
