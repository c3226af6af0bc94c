"""Pictures of a study: what each regime gains, how learning goes by clocks, what converges, and
how the learned departments answer to shocks."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agents.report.pictures import BLACK, BLUE, DPI, GREY, ORANGE, RED, WIDTH, save_figure
from agents.study.insights import DELAY, EXACT, LEARNED, OVERSTOCK, SURGE, TUNED

SHOCK_LABELS = {OVERSTOCK: "too many units", SURGE: "a surge of demand", DELAY: "a late delivery"}
ANSWER_LABELS = {
    "attention": "attention (mean over customers)",
    "orders": "order (units)",
    "on hand": "on hand (units)",
}
POLICY_STYLES = {
    LEARNED: {"color": BLUE, "marker": "o"},
    TUNED: {"color": ORANGE, "linestyle": "--"},
    EXACT: {"color": BLACK, "linestyle": ":"},
}


def draw_gains(rows: pd.DataFrame, path: Path) -> None:
    """Gain over the best tuned pair in money per period: a dot for each seed, a bar at the mean.

    `rows` has a row per run: scenario, regime, gain. A panel for each scenario.
    """
    stores = list(dict.fromkeys(rows["scenario"]))
    figure = Figure(figsize=(WIDTH, 1.2 + 2.4 * len(stores)), dpi=DPI, layout="constrained")
    panels = figure.subplots(len(stores), 1, squeeze=False)[:, 0]
    for panel, store in zip(panels, stores, strict=True):
        of_store = rows[rows["scenario"] == store]
        regimes = list(dict.fromkeys(of_store["regime"]))
        for at, regime in enumerate(regimes):
            gains = of_store.loc[of_store["regime"] == regime, "gain"].to_numpy()
            panel.plot(gains, np.full(len(gains), at), "o", color=GREY, markersize=4)
            panel.plot([gains.mean()] * 2, [at - 0.3, at + 0.3], color=BLUE, linewidth=3)
        panel.axvline(0.0, color=BLACK, linewidth=1, linestyle="--")
        panel.set(yticks=range(len(regimes)), yticklabels=regimes, title=store)
        panel.invert_yaxis()
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("gain over the best tuned pair (money per period)")
    save_figure(figure, path)


def draw_clocks(curves: pd.DataFrame, clocks: Mapping[str, str], path: Path) -> None:
    """Greedy profit over experience: the mean over seeds, and their range.

    `curves` has a row per run and evaluation: scenario, variant (a regime of `clocks`),
    store_periods, greedy_profit (money per period).
    """
    stores = list(dict.fromkeys(curves["scenario"]))
    figure = Figure(figsize=(WIDTH, 1.2 + 2.8 * len(stores)), dpi=DPI, layout="constrained")
    panels = figure.subplots(len(stores), 1, squeeze=False)[:, 0]
    for panel, store in zip(panels, stores, strict=True):
        for (regime, name), colour in zip(clocks.items(), (BLUE, RED, ORANGE), strict=True):
            own = curves[(curves["scenario"] == store) & (curves["variant"] == regime)]
            over = own.groupby("store_periods")["greedy_profit"].agg(["mean", "min", "max"])
            millions = over.index.to_numpy() / 1e6
            panel.plot(millions, over["mean"], color=colour, linewidth=2, label=f"{regime}: {name}")
            panel.fill_between(millions, over["min"], over["max"], color=colour, alpha=0.15)
        panel.set(title=store, ylabel="greedy profit\n(money per period)")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False)
    panels[-1].set_xlabel("experience (million store-periods)")
    save_figure(figure, path)


def draw_convergence(rows: pd.DataFrame, path: Path) -> None:
    """Means over seeds of the four exact distances, over updates, both axes logarithmic.

    `rows` as from `agents.theory.convergence.convergence_rows`.
    """
    figure = Figure(figsize=(WIDTH, 7.0), dpi=DPI, layout="constrained")
    panels = figure.subplots(2, 2, sharex=True).flat
    titles = {
        "slate_gradient": "gradient norm, slates (fast)",
        "order_gradient": "gradient norm, orders (slow)",
        "response_gap": "slates below their best response (money)",
        "optimum_gap": "below the joint optimum (money)",
    }
    learned = rows[rows["updates"] > 0]
    colours = dict(zip(dict.fromkeys(rows["schedule"]), (BLUE, GREY, ORANGE, RED), strict=True))
    for panel, (column, title) in zip(panels, titles.items(), strict=True):
        for schedule, colour in colours.items():
            own = learned[learned["schedule"] == schedule]
            panel.plot(own.groupby("updates")[column].mean(), color=colour, label=schedule)
        panel.set(title=title, xscale="log", yscale="log")
        panel.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False)
    for panel in figure.axes[2:]:
        panel.set_xlabel("updates")
    save_figure(figure, path)


def draw_answers(rows: pd.DataFrame, path: Path) -> None:
    """What a shock of the best-selling product does to it, by lag and policy: means over seeds, and
    the range of the learned.

    `rows` as from `agents.study.insights.insights_of`, of one scenario.
    """
    figure = Figure(figsize=(WIDTH, 6.0), dpi=DPI, layout="constrained")
    panels = figure.subplots(len(SHOCK_LABELS), len(ANSWER_LABELS), sharex=True, sharey="col")
    own = rows[rows["of"] == "own"]
    for line, (kind, happened) in zip(panels, SHOCK_LABELS.items(), strict=True):
        for panel, (what, label) in zip(line, ANSWER_LABELS.items(), strict=True):
            answer = own[(own["kind"] == kind) & (own["what"] == what)]
            _draw_answer(panel, answer)
            if kind == OVERSTOCK:
                panel.set_title(label, fontsize=10)
            if kind == DELAY:
                panel.set_xlabel("periods since")
        line[0].set_ylabel(happened)
    panels[0][0].legend(frameon=False, fontsize=9)
    first = rows.iloc[0]
    figure.suptitle(f"{first['scenario']}: what happens to {first['product']}, change by period")
    save_figure(figure, path)


def _draw_answer(panel: Axes, answer: pd.DataFrame) -> None:
    for policy, by_seed in answer.groupby("policy", sort=False):
        over = by_seed.groupby("lag")["value"].agg(["mean", "min", "max"])
        style = POLICY_STYLES[str(policy)]
        panel.plot(over["mean"], label=f"{by_seed['name'].iloc[0]}", markersize=4, **style)
        if policy == LEARNED:
            panel.fill_between(over.index, over["min"], over["max"], color=BLUE, alpha=0.2)
    panel.axhline(0, color=GREY, linewidth=0.8)
    panel.spines[["top", "right"]].set_visible(False)
