"""Pictures of a training, of a store's weeks and of answers to shocks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Real
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from agents.evaluation.keys import keys_of
from agents.evaluation.trajectories import DAYS, record
from agents.learning.config import TrainConfig
from agents.report import figures
from agents.report.figures import BLUE, COLOURS, GREEN, GREY, INK, ORANGE, Chart
from agents.runs import run_folder
from agents.runs.pipeline import Result
from jaxsim.records import Flows
from jaxsim.rollouts import Trajectory
from jaxsim.scenarios.scenario import Scenario

PRODUCTS_SHOWN, WEEKS_DAYS = 4, 21
"""Products, and periods of one store's time, in the picture of its weeks."""
SMOOTHED_SHARE = 0.05
"""Share of a training that the running mean of a learning curve covers."""
OPENING_SHARE = 0.05
"""Share of a training in which stores still sell the stock they were opened with."""
MOMENTS = 200
"""Points of a learning curve."""
CLOCKS: dict[str, dict] = {
    "critic": {"label": "critic", "color": INK, "linestyle": "--"},
    "fast": {"label": "fast department", "color": ORANGE, "linewidth": 4},
    "slow": {"label": "slow department", "color": BLUE},
}
"""How the learning rate of each clock is drawn."""
KNOWN_GROUPS = {
    "mtma": 0, "joint": 1, "independent": 2, "silo": 3, "single": 4, "mtma-reversed": 5,
    "priced": 6,
}  # fmt: skip
"""Regimes have the same colour on every page."""


@dataclass(frozen=True)
class Curve:
    """How one group of trainings learned."""

    group: str
    metrics: list[pd.DataFrame]
    """A table for each training, a row per iteration: store_periods, profit (money per period,
    while exploring), fill_rate, critic_rate, fast_rate, slow_rate, and greedy_profit (money per
    period, NaN where it was not measured) if there is one."""
    at: Real[np.ndarray, " T"]
    """Moments at which it is drawn, in store-periods."""
    end: int
    """Store-periods at which the shortest training ended."""
    look: int
    """Which of the colours and dashes it has."""

    def over_time(
        self, column: str, opening: float = 0.0, smoothed: float = SMOOTHED_SHARE
    ) -> Float[np.ndarray, "3 T"]:
        """Mean, lowest and highest over trainings of the running mean of a column; NaN in the
        `opening` share of the shortest training, and after its end."""
        values = []
        for each in self.metrics:
            kept = each[each["store_periods"] > opening * self.end]
            window = max(1, round(smoothed * len(each)))
            means = kept[column].rolling(window, min_periods=1).mean()
            values.append(np.interp(self.at, kept["store_periods"], means, np.nan, np.nan))
        return _band(values)

    def checks(self) -> tuple[Float[np.ndarray, " C"], Float[np.ndarray, "3 C"]]:
        """Store-periods at which profit without exploration was measured, and its mean, lowest and
        highest over trainings, interpolated where a training was measured at other moments."""
        columns = ["store_periods", "greedy_profit"]
        seen = [each.reindex(columns=columns).dropna().to_numpy().T for each in self.metrics]
        at = seen[0][0][seen[0][0] <= self.end]
        return at, _band([np.interp(at, when, profit) if len(at) else at for when, profit in seen])


def curves_of(groups: dict[str, list[pd.DataFrame]]) -> list[Curve]:
    """Learning curves of groups of trainings at the same moments, from the first iteration that
    all have done to the last of the longest."""
    every = [each["store_periods"] for metrics in groups.values() for each in metrics]
    first, last = min(each.iloc[0] for each in every), max(each.iloc[-1] for each in every)
    at = np.unique(np.linspace(first, last, MOMENTS).round())
    curves = []
    for number, (group, metrics) in enumerate(groups.items()):
        end = min(each["store_periods"].iloc[-1] for each in metrics)
        curves.append(Curve(group, metrics, at, end, KNOWN_GROUPS.get(group, number)))
    return curves


def draw_learning(metrics: pd.DataFrame, best_heuristic: float, path: Path) -> None:
    """Profit, fill rate and learning rates over a training: `metrics` as in `Curve.metrics`,
    `best_heuristic` in money per period. Raises `RunError`."""
    (curve,) = curves = curves_of({"while exploring": [metrics]})
    charts = [[chart] for chart in learning_charts(curves, best_heuristic, curve)]
    figures.write_png(path, charts, 8.5, sharex=True, height_ratios=(2.2, 1, 1))


def draw_run(config: TrainConfig, result: Result) -> None:
    """How the departments learned, and three weeks of one store under them: the pictures that a
    training leaves in its folder. Raises `RunError`."""
    summary, scenario = result.summary, run_folder.read_scenario(config.folder)
    best = summary["policies"][summary["best_heuristic"]]["profit_mean"]
    # As the folder keeps them, so that the picture is the same whenever it is drawn.
    metrics = run_folder.read_metrics(config.folder)
    draw_learning(metrics, best, config.folder / "learning.png")
    key = keys_of(config.seed)["trace"]
    story = record(key, result.departments, scenario.params(), DAYS, config.burn_in)
    draw_week(story.first(WEEKS_DAYS), scenario, config.folder / "week.png")


def learning_charts(curves: list[Curve], best: float | None, first: Curve) -> list[Chart]:
    """The same of several groups, for a page; learning rates of the `first`."""
    profit, fill_rate = partial(_profit, curves, best), partial(_fill_rate, curves)
    whose = f" of {first.group}" if len(curves) > 1 else ""
    return [
        Chart("learning-profit", "profit (money per period)", profit),
        Chart("learning-fill-rate", "fill rate (share of units asked for)", fill_rate),
        Chart("learning-rates", f"learning rates{whose}", partial(_rates, first)),
    ]


def response_chart(
    name: str,
    title: str,
    products: Sequence[str],
    shown: Sequence[int],
    mean: Float[np.ndarray, "L N"],
    error: Float[np.ndarray, "L N"],
) -> Chart:
    """The change of those of N products that are `shown`, by lag L after a shock, and bands of two
    standard errors."""
    middle, spread = mean, 2 * error

    def draw(axes: Axes) -> None:
        bands = np.stack([middle, middle - spread, middle + spread])
        for number, each in enumerate(shown):
            lags = np.arange(len(middle))
            figures.draw_line(axes, lags, bands[..., each], products[each], number)
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("periods since")

    return Chart(name, title, draw)


def price_charts(
    product: int, worth: Float[np.ndarray, " T"], price: float, cost: float, flows: Flows
) -> list[Chart]:
    """A product's stock in money over one store's T periods, its orders, and its attention."""
    periods = 1.0 + np.arange(len(worth))
    ordered, attention = (np.asarray(each)[:, product] for each in (flows.ordered, flows.attention))

    def money(axes: Axes) -> None:
        axes.step(periods, worth, where="mid", color=BLUE, label="one more unit on hand")
        axes.axhline(price, color=GREY, linestyle="--", label="sale price")
        axes.axhline(cost, color=GREY, linestyle=":", label="cost")

    def units(axes: Axes) -> None:
        axes.bar(periods, ordered, 0.8, color=ORANGE)
        axes.set_ylim(0, max(1.0, 1.05 * ordered.max()))  # also where nothing was ever ordered

    def share(axes: Axes) -> None:
        axes.bar(periods, attention, 0.8, color=GREY)
        axes.set_ylim(0, 1)

    def over_time(draw: Callable[[Axes], None], axes: Axes) -> None:
        draw(axes)
        axes.set_xlabel("period")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    titles = {
        "worth of stock (money per unit)": money,
        "ordered (units)": units,
        "attention (0 to 1)": share,
    }
    return [
        Chart(f"price-{product}-{number}", title, partial(over_time, draw))
        for number, (title, draw) in enumerate(titles.items())
    ]


def draw_week(trace: Trajectory, scenario: Scenario, path: Path) -> None:
    """Stock and orders, sales and what was turned away, and attention: a column for each of the
    four products that sold most units. Raises `RunError`."""
    flows, stock = trace.flows, np.asarray(trace.state.on_hand)
    away = flows.lost + flows.waiting
    rows = {
        "stock and orders (units)": {"ordered": (ORANGE, flows.ordered)},
        "sales (units)": {"sold": (GREEN, flows.sold), "lost or waiting": (INK, away)},
        "attention (0 to 1)": {"attention, mean over customers": (GREY, flows.attention)},
    }

    def draw(what: str, product: int, axes: Axes) -> None:
        base, edges = np.zeros(trace.periods), np.arange(trace.periods + 1) + 0.5
        for name, (colour, units) in rows[what].items():
            own = np.asarray(units)[:, product]
            axes.bar(edges[:-1] + 0.5, own, 0.8, base, color=colour, label=name)
            base = base + own
        if "orders" in what:
            axes.stairs(stock[:, product], edges, baseline=None, color=BLUE, lw=2, label="on hand")
        top = 1 if "attention" in what else None
        axes.set(xlim=(edges[0], edges[-1]), ylim=(0, top), xlabel="period")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))

    chosen, names = best_sellers(np.asarray(flows.sold).sum(0), PRODUCTS_SHOWN), scenario.products
    charts = [
        [Chart("", f"{names[each]}\n{what}", partial(draw, what, each)) for each in chosen]
        for what in rows
    ]
    figures.write_png(path, charts, 6.5, sharex=True)


def best_sellers(sales: Float[np.ndarray, " N"], most: int) -> list[int]:
    """Indices of the `most` products that sold most units, in the order of the catalogue."""
    return sorted(np.argsort(-sales, kind="stable")[:most].tolist())


def _band(values: list[np.ndarray]) -> Float[np.ndarray, "3 T"]:
    stack = np.stack(values)
    return np.stack([stack.mean(0), stack.min(0), stack.max(0)])


def _profit(curves: list[Curve], best: float | None, axes: Axes) -> None:
    """While exploring (lines) and without (dots), and that of the best classical pair."""
    for curve in curves:
        _draw_curve(axes, curve, "profit", OPENING_SHARE)
        at, (mean, low, high) = curve.checks()
        dots = {"fmt": "o", "color": COLOURS[curve.look], "markersize": 5, "clip_on": False}
        label = "without exploration" if curve is curves[0] else None
        axes.errorbar(at / 1e6, mean, (mean - low, high - mean), label=label, **dots)
    if best is not None:
        axes.axhline(best, color=GREY, linestyle="--", linewidth=1.5, label="best classical pair")


def _fill_rate(curves: list[Curve], axes: Axes) -> None:
    for curve in curves:
        _draw_curve(axes, curve, "fill_rate", 0.0)


def _rates(curve: Curve, axes: Axes) -> None:
    for clock, style in CLOCKS.items():
        rate = curve.over_time(f"{clock}_rate", smoothed=0.0)
        figures.draw_line(axes, curve.at / 1e6, rate, **style)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set(xlim=(0, None), xlabel="experience (million store-periods)")


def _draw_curve(axes: Axes, curve: Curve, column: str, opening: float) -> None:
    """The running mean; behind it the range over trainings, or the values of the only one."""
    millions, smooth = curve.at / 1e6, curve.over_time(column, opening)
    figures.draw_line(axes, millions, smooth, curve.group, curve.look)
    if len(curve.metrics) == 1:
        values = curve.over_time(column, opening, smoothed=0.0)[0]
        axes.plot(millions, values, color=COLOURS[curve.look], alpha=0.25, linewidth=0.8)
    axes.set(xlim=(0, None), xlabel="experience (million store-periods)")
