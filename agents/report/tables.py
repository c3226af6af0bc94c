"""What the command line shows: progress while something runs, tables afterwards."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from agents.learning.config import TrainConfig
from agents.report.pairs import dominated, hidden_line
from agents.report.results import decimals_of
from agents.sweeps.engine import Progress as Told
from jaxsim.calibration.calibrate import Calibration
from jaxsim.calibration.reader import Said
from jaxsim.scenarios.scenario import Scenario

NEWS = (
    "{per_second:,.0f} store-periods/s  profit {profit:,.2f}  fill {fill_rate:.3f}  "
    "fast {fast_rate:.1e}  slow {slow_rate:.1e}"
)
DECIDERS = ("joint", "myopic", "base_stock", "stock_blind", "silo")


class _Progress:
    """Two lines on a terminal, what is going on and how far it is; plain lines where there is none,
    about ten of them."""

    def __init__(self, console: Console) -> None:
        columns = TextColumn("{task.description}", markup=False), BarColumn(bar_width=20)
        times = TimeElapsedColumn(), TimeRemainingColumn()
        self._console, self._total, self._printed = console, 0, 0.0
        self._bar = Progress(*columns, *times, console=console, disable=not console.is_terminal)
        self._now, self._task = (self._bar.add_task("", total=None) for _ in range(2))

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def announce(self, what: str) -> None:
        """One line on what comes next."""
        self._bar.update(self._now, description=what)
        self._console.print(what, style="dim", soft_wrap=True, markup=False)

    def _advance(self, done: float, far: str, news: str) -> None:
        """`far` says how much is done in words."""
        self._bar.update(self._task, completed=done, total=self._total, description=far)
        self._bar.update(self._now, description=news)
        due = done >= self._printed + self._total / 10 or done == self._total
        if due and not self._console.is_terminal:
            self._printed = done
            self._console.print(f"{far}  {news}", soft_wrap=True)


class TrainingProgress(_Progress):
    """How far a training is; a context manager."""

    def __init__(self, console: Console, config: TrainConfig) -> None:
        super().__init__(console)
        self._total = config.iterations

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def update(self, news: dict[str, float]) -> None:
        """The last iteration's metrics and the mean speed so far."""
        done = int(news["iteration"])
        self._advance(done, f"iteration {done}/{self._total}", NEWS.format(**news))


class SweepProgress(_Progress):
    """How far a sweep or the study is; a context manager."""

    def __enter__(self) -> Told:
        self._bar.start()
        return Told(self.announce, self.begin, self.advance)

    def begin(self, runs: int, done: int) -> None:
        """How many runs there are, and how many were finished before."""
        self._total, self._done, self._printed = runs, float(done), float(done)
        self._bar.update(self._task, total=runs, completed=done, description=f"{runs} runs")
        if done:
            self.announce(f"{done} of {runs} runs are there already")

    def advance(self, news: str, share: float) -> None:
        """`share` runs' worth of training was done."""
        self._done += share
        self._advance(self._done, f"{self._done:.1f} of {self._total} runs", news)


def policy_table(summary: dict[str, Any], all_pairs: bool = False) -> Table:
    """Policies by profit, with intervals and the paired difference to the best heuristic; without
    the dominated pairs, unless `all_pairs` are asked for."""
    sizes, policies = summary["evaluation"], summary["policies"]
    title = f"{summary['scenario']}: profit per period with 95 % intervals"
    alike = f"the same {sizes['stores']:,} stores × {sizes['periods']} periods for all"
    profits = {name: row["profit_mean"] for name, row in policies.items()}
    hidden = [] if all_pairs else dominated(profits)
    shown = {name: row for name, row in policies.items() if name not in hidden}
    table = _policies(summary | {"policies": shown}, f"{title}\n{alike}")
    table.caption = hidden_line(hidden) or None
    return table


def _policies(summary: dict[str, Any], title: str) -> Table:
    """The policies of a comparison, best first."""
    policies, rows = summary["policies"], []
    own, gaps = (
        _money([row[interval] for row in policies.values()])
        for interval in ("profit_ci95", "difference_ci95")
    )
    for name, row in sorted(policies.items(), key=lambda item: -item[1]["profit_mean"]):
        more, half = row["difference_to_best_heuristic"], _half(row["difference_ci95"])
        gap = f"{more:+{gaps}} ± {half:{gaps}}"
        against = "best heuristic" if name == summary["best_heuristic"] else gap
        rows.append(row | {"name": name, "half": _half(row["profit_ci95"]), "against": against})
    columns = {
        "policy": "{name}",
        "profit": f"{{profit_mean:{own}}} ± {{half:{own}}}",
        "against best": "{against}",
        "service": "{service_level:.3f}",
        "available": "{availability:.3f}",
    }
    if any(row.get("waste") for row in rows):
        columns["waste (cost)"] = "{waste:,.2f} ({waste_cost:,.2f})"
    table = _table(title, columns, rows)
    table.rows[[row["name"] for row in rows].index("learned")].style = "bold"
    return table


def price_table(summary: dict[str, Any], products: Sequence[str]) -> Table:
    """What one more unit of stock and one more customer are worth, by product and policy."""
    prices, columns = summary["shadow_prices"], {"product": "{product}"}
    for number, name in enumerate(prices):
        for what in ("stock", "demand"):
            columns[f"{what}, {name}"] = f"{{{what}{number}}}"
    rows = [
        {"product": product}
        | {
            f"{what}{number}": _price(of_policy[what][at])
            for number, of_policy in enumerate(prices.values())
            for what in ("stock", "demand")
        }
        for at, product in enumerate(products)
    ]
    title = f"{summary['scenario']}: what one more unit of stock, or of demand, is worth today"
    return _table(title, columns, rows)


def _price(price: dict[str, Any]) -> str:
    return f"{price['mean']:,.2f} ± {_half(price['ci95']):,.2f}"


def backtest_table(summary: dict[str, Any]) -> Table:
    """Policies by what the days would have brought."""
    title = f"{summary['scenario']}: what {summary['days']} days from {summary['first_day']}"
    copies = f"profit of all days, {summary['stores']} shops with customers of their own"
    return _policies(summary, f"{title} would have brought\n{copies}, 95 % intervals")


def absence_lines(summary: dict[str, Any], products: Sequence[str]) -> list[str]:
    """A line for each policy that leaves products out: which, and what their absence cost."""
    return [
        absence_line(name, absent, products)
        for name, absent in summary.get("never_ordered", {}).items()  # none in a sweep
        if absent
    ]


def absence_line(name: str, absent: Sequence[Mapping[str, float]], products: Sequence[str]) -> str:
    """`absent` as in `agents.evaluation.simulation.never_ordered`."""
    names = ", ".join(products[int(each["product"])] for each in absent)
    missed, margin = (sum(each[what] for each in absent) for what in ("missed", "margin"))
    return (
        f"{name} never orders {len(absent)} of {len(products)} products ({names}): per period "
        f"{missed:,.2f} customers leave who would have bought one, at a margin of {margin:,.2f}."
    )


def closing_line(summary: dict[str, Any], folder: Path) -> str:
    """The answer in one sentence, and where the rest is."""
    gain = summary["gain_over_best_heuristic"]
    low, high = gain["ci95"]
    percent = "" if math.isnan(gain["percent"]) else f"{gain['percent']:+.2f} %, "
    money = _money([gain["ci95"]])
    return (
        f"The learned departments earn {gain['mean']:+{money}} per period ({percent}"
        f"95 % interval {low:+{money}} to {high:+{money}}) against {summary['best_heuristic']}, "
        f"the best tuned heuristic. Everything is in {folder}."
    )


def seconds_line(seconds: Mapping[str, float], report: float) -> str:
    """Where a training's seconds went, and those of its report."""
    parts = ", ".join(f"{part} {each:,.1f}" for part, each in seconds.items())
    return f"Seconds: {parts}; report {report:,.1f}."


def sweep_table(runs: pd.DataFrame, settings: list[str]) -> Table:
    """One line for each combination of settings: means over its seeds, and the spread of gains.
    `runs` is runs.csv; `settings` the fields of the grid."""
    groups = runs.groupby(settings or "scenario", sort=False)
    wasted = ["waste"] if "waste" in runs and runs["waste"].any() else []
    kpis = groups[["profit", "fill_rate", "holding_paid", "turnover", *wasted]].mean()
    rows = kpis.join(groups["gain"].agg(["size", "mean", "min", "max"])).reset_index()
    columns = {setting: f"{{{setting}}}" for setting in settings} | {
        "seeds": "{size}",
        "profit": "{profit:,.2f}",
        "gain": "{mean:+,.2f}",
        "least": "{min:+,.2f}",
        "most": "{max:+,.2f}",
        "fill": "{fill_rate:,.3f}",
        "holding": "{holding_paid:,.3f}",
        "turns": "{turnover:,.3f}",
    }
    columns |= {"waste": "{waste:,.3f}"} if wasted else {}
    title = "means over seeds: profit per period, and the gain over the best tuned pair"
    return _table(title, columns, rows.to_dict("records"))


def study_table(rows: pd.DataFrame) -> Table:
    """Gain over the best tuned pair per period, mean over seeds: a line for each
    store, a column for each method. `rows` is study.csv."""
    gains = rows[rows["part"] == "regimes"].groupby(["scenario", "variant"], sort=False)["gain"]
    by_store = gains.mean().unstack("variant", sort=False)
    columns = {"store": "{scenario}"} | {name: f"{{{name}:+,.2f}}" for name in by_store.columns}
    title = "gain over the best tuned pair per period, mean over seeds"
    rows = by_store.reset_index()
    return _table(title, columns, (row.dropna().to_dict() for _, row in rows.iterrows()))


def reading_table(said: Sequence[Said]) -> Table:
    """What was read, and what was assumed of each column."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for line in said:
        table.add_row(*line)
    return table


def calibration_table(calibration: Calibration) -> Table:
    """What was fitted and how it does on the days it has not seen."""
    rows = [{"what": what, "value": _figures(value)} for what, value in calibration.report.items()]
    title = f"{calibration.scenario.name}: the days that were not fitted"
    table = _table(title, {"": "{what}", "value": "{value}"}, rows)
    table.columns[0].no_wrap = False
    return table


def scenario_table(known: list[Scenario]) -> Table:
    """Names and sizes of scenarios."""
    table = Table("name", "products", "segments", "slate", "lead time", "about")
    for each in known:
        sizes = (len(field) for field in (each.products, each.segments, each.slot_weight))
        table.add_row(each.name, *map(str, sizes), f"up to {each.max_lead_time}", each.about)
    return table


def theory_tables(found: dict[str, Any]) -> Iterator[Table]:
    """Known answers beside the published ones, the pair store by who decides, and where looking
    ahead pays. `found` as from `agents.theory.answers.study`."""
    pair = found["pair"]
    lost = {name: 1 - pair[name] / pair["joint"] for name in DECIDERS}
    deciders = [{"name": name, "profit": pair[name], "lost": lost[name]} for name in DECIDERS]
    yield _table(
        "Lost sales: average cost per period (published: Zipkin, 2008)",
        {
            "demand": "{family}",
            "penalty": "{penalty:g}",
            "lead time": "{lead_time}",
            "optimum": "{optimal_cost:.2f}",
            "published": "{published:.2f}",
            "best base-stock": "{best_base_stock_cost:.2f} ({best_base_stock})",
            "published base-stock": "{published_base_stock_cost:.2f} ({published_base_stock})",
            "projected level": "{projected_level_cost:.2f} ({projected_level:g})",
        },
        found["lost_sales"],
    )
    yield _table(
        "Backlog: average cost per period of the optimal base-stock level",
        {
            "penalty": "{penalty:g}",
            "lead time": "{lead_time}",
            "optimum": "{cost:.4f} ({base_stock})",
            "published": "{published:.4f} ({published_base_stock})",
        },
        found["backlog"],
    )
    yield _table(
        "Goods that age: average cost per period (De Moor, Gijsbrechts and Boute, 2022)",
        {
            "shelf life": "{shelf_life}",
            "experiment": "{experiment}",
            "lead time": "{lead_time}",
            "issuing": "{issuing}",
            "optimum": "{optimal_cost:.4f}",
            "simulated": "{simulated_cost:.3f}",
            "best base-stock": "{base_stock_cost:.4f} ({base_stock})",
        },
        found["perishable"],
    )
    columns = {"decided": "{name}", "profit": "{profit:.3f}", "short of the optimum": "{lost:.2%}"}
    yield _table("The pair store", columns, deciders)
    gaps = {"myopic": "myopic_gap", "stock-blind": "stock_blind_gap", "silo": "silo_gap"}
    columns = {"store": "{regime}", "optimum": "{joint:.3f}"}
    columns |= {name: f"{{{gap}:.2f}}" for name, gap in gaps.items()}
    yield _table("Profit lost against the joint optimum, %", columns, found["foresight"])


def _table(title: str, columns: Mapping[str, str], rows: Iterable[Mapping[Any, Any]]) -> Table:
    """A line for each row. Columns are patterns of a row's fields, by heading; all but the first
    are numbers."""
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    table.columns[0].justify = "left"
    for row in rows:
        table.add_row(*(_cell(pattern, row) for pattern in columns.values()))
    return table


def _cell(pattern: str, row: Mapping[str, Any]) -> str:
    """Empty where the row does not have a field, a dash where its number cannot be computed."""
    try:
        text = pattern.format(**row)
    except KeyError:
        return ""
    return "–" if text == "nan" else text


def _figures(value: float) -> str:
    """Four significant figures, and whole numbers whole."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"


def _money(intervals: Iterable[tuple[float, float]]) -> str:
    """A format for money with such intervals: hundredths, or more where the narrowest interval
    has its first two figures behind them."""
    halves = [half for each in intervals if (half := _half(each)) > 0]
    return f",.{max(2, decimals_of(min(halves, default=1.0)))}f"


def _half(interval: tuple[float, float]) -> float:
    return (interval[1] - interval[0]) / 2
