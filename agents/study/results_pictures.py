"""Pictures of a study: what each regime gains, how learning goes by clocks, what converges, and
how the learned departments answer to shocks. Every function raises `RunError`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from agents.evaluation.statistics import estimate
from agents.report.figures import BLUE, GREY, INK, ORANGE, RED, Chart, draw_line, write_png
from agents.study.insights import DELAY, EXACT, LEARNED, OVERSTOCK, SURGE, TUNED
from agents.study.variants import MAIN

CLOCKS = {"joint": "equal", "mtma": "three", "mtma-reversed": "three, departments swapped"}
MEASURES = {
    "slate_gradient": "slates (fast): gradient norm",
    "order_gradient": "orders (slow): gradient norm",
    "response_gap": "slates below best response",
    "optimum_gap": "below optimum",
}
"""What is measured exactly while departments converge; the last two in money per period."""
SHELVES = {
    "availability": "availability",
    "service_level": "service",
    "waste": "waste (units a period)",
}
SHOCKS = {OVERSTOCK: "too many units", SURGE: "a surge of demand", DELAY: "a late delivery"}
ANSWERS = {"attention": "attention", "orders": "order (units)", "on hand": "on hand (units)"}
POLICY_STYLES = {
    LEARNED: {"color": BLUE, "marker": "o", "markersize": 4},
    TUNED: {"color": ORANGE, "linestyle": "--"},
    EXACT: {"color": INK, "linestyle": ":"},
}


def draw_gains(rows: pd.DataFrame, path: Path) -> None:
    """Gain over the best tuned pair in money per period: a dot for each seed, a bar at the mean.
    `rows` has a row per run: scenario, variant (a method), gain. A panel for each scenario."""

    def draw(own: pd.DataFrame, axes: Axes) -> None:
        means = own.groupby("variant", sort=False)["gain"].mean()
        axes.plot(own["gain"], own["variant"], "o", color=GREY, markersize=4)
        axes.plot(means, means.index, "|", color=BLUE, markersize=18, markeredgewidth=3)
        axes.axvline(0.0, color=INK, linewidth=1, linestyle="--")
        axes.invert_yaxis()
        axes.margins(y=0.15)

    _write_by_store(rows, draw, path, 2.4, "gain over the best tuned pair (money per period)")


def draw_coordination(learned: pd.DataFrame, path: Path) -> None:
    """What deciding together is worth: how much more profit `mtma` earns than `silo`, in percent,
    seed by seed, mean over seeds with its 95 % t-interval. `learned` has a row per run: scenario,
    variant (a method), seed, profit. A line for each store that has both."""
    found = {
        str(store): estimate(percent.to_numpy())
        for store, own in learned.groupby("scenario", sort=False)
        if len(percent := percent_over(own, "silo"))
    }

    def draw(axes: Axes) -> None:
        means = [each.mean for each in found.values()]
        below = [each.mean - each.low for each in found.values()]
        above = [each.high - each.mean for each in found.values()]
        axes.errorbar(means, list(found), xerr=[below, above], fmt="o", color=BLUE, capsize=4)
        axes.axvline(0.0, color=INK, linewidth=1, linestyle="--")
        axes.invert_yaxis()
        axes.margins(y=0.15)

    title = "what deciding together earns more than departments in silos (% of profit)"
    write_png(path, [[Chart("", "", draw)]], 1.4 + 0.4 * len(found), title)


def draw_shelves(learned: pd.DataFrame, path: Path) -> None:
    """What deciding together changes on the shelf: availability, service and waste under `silo` and
    under `mtma`, means over seeds, a line for each store that has both."""
    both = learned[learned["variant"].isin([MAIN, "silo"])]

    def draw(measure: str, axes: Axes) -> None:
        means = both.pivot_table(index="scenario", columns="variant", values=measure, sort=False)
        ends = means.dropna()[::-1]  # the first store on top
        if len(ends.columns) == 2:
            axes.hlines(ends.index, ends["silo"], ends[MAIN], color=GREY, zorder=1)
            axes.plot(ends["silo"], ends.index, "o", color=ORANGE)
            axes.plot(ends[MAIN], ends.index, "o", color=BLUE)
        axes.margins(0.1, 0.15)

    charts = [Chart("", title, partial(draw, each)) for each, title in SHELVES.items()]
    title = "on the shelf, departments in silos (orange) and together (blue)"
    write_png(path, [charts], 1.4 + 0.4 * both["scenario"].nunique(), title, sharey=True)


def percent_over(own: pd.DataFrame, base: str) -> pd.Series:
    """How much more profit `mtma` earns than `base` on one store, in percent, by seed."""
    by_seed = own.pivot_table(index="seed", columns="variant", values="profit")
    if not {MAIN, base} <= set(by_seed.columns):
        return pd.Series(dtype=float)
    return (100 * (by_seed[MAIN] / by_seed[base] - 1)).dropna()


def draw_clocks(curves: pd.DataFrame, path: Path) -> None:
    """Greedy profit over experience by clocks: the mean over seeds, and their range. `curves` has a
    row per run and evaluation: scenario, variant (a regime), store_periods, greedy_profit (money
    per period)."""

    def draw(own: pd.DataFrame, axes: Axes) -> None:
        own = own.assign(millions=own["store_periods"] / 1e6).set_index("millions")
        for (regime, clocks), colour in zip(CLOCKS.items(), (BLUE, RED, ORANGE), strict=True):
            profit = own.loc[own["variant"] == regime, "greedy_profit"]
            _draw_range(axes, profit, f"{regime}: {clocks}", color=colour)

    title = "greedy profit (money per period) over experience (million store-periods)"
    _write_by_store(curves, draw, path, 2.8, title)


def draw_convergence(rows: pd.DataFrame, path: Path) -> None:
    """Means over seeds of the four exact distances, over updates, both axes logarithmic: a row for
    each distance, a column for each learner. `rows` as from
    `agents.theory.convergence.convergence_rows`."""
    later = rows[rows["updates"] > 0]

    def draw(learner: str, measure: str, axes: Axes) -> None:
        own = later[later["learner"] == learner]
        by_schedule = own.pivot_table(measure, "updates", "schedule", sort=False)
        for (schedule, values), colour in zip(
            by_schedule.items(), (BLUE, GREY, ORANGE, RED), strict=True
        ):
            axes.plot(values, color=colour, label=schedule)
        axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")

    charts = [
        [
            Chart("", f"by {learner}: {title}", partial(draw, learner, measure))
            for learner in rows["learner"].unique()
        ]
        for measure, title in MEASURES.items()
    ]
    title = "gradient norms and distances (money per period) over updates"
    write_png(path, charts, 12.0, title, sharex=True, sharey="row")


def draw_answers(rows: pd.DataFrame, path: Path) -> None:
    """What a shock of the best-selling product does to it, by lag and policy: means over seeds, and
    the range of the learned. `rows` as from `agents.study.insights.insights_of`, of one
    scenario."""
    own = rows[rows["of"] == "own"].set_index(["kind", "what", "policy"]).sort_index()

    def draw(kind: str, what: str, axes: Axes) -> None:
        for policy in own.index.unique("policy"):
            answer = own.xs((kind, what, policy)).set_index("lag")
            _draw_range(axes, answer["value"], answer["name"].iloc[0], **POLICY_STYLES[policy])
        axes.axhline(0, color=GREY, linewidth=0.8)

    charts = [
        [
            Chart("", f"{happened}: {answered}", partial(draw, kind, what))
            for what, answered in ANSWERS.items()
        ]
        for kind, happened in SHOCKS.items()
    ]
    first = rows.iloc[0]
    title = f"{first['scenario']}: what happens to {first['product']}, change by periods since"
    write_png(path, charts, 6.8, title, sharex=True, sharey="col")


def _draw_range(axes: Axes, values: pd.Series, label: str, **style: Any) -> None:
    """The mean over seeds at each index of `values`, and their range."""
    over = values.groupby(level=0).agg(["mean", "min", "max"])
    draw_line(axes, over.index.to_numpy(), over.to_numpy().T, label, **style)


def _write_by_store(
    rows: pd.DataFrame, draw: Callable[..., None], path: Path, height: float, title: str
) -> None:
    """A panel for each store, drawn from its rows."""
    by_store = rows.groupby("scenario", sort=False)
    charts = [[Chart("", str(store), partial(draw, own))] for store, own in by_store]
    write_png(path, charts, 1.2 + height * len(charts), title)
