"""What the verb `theory` leaves: its numbers as JSON, six pictures, and one page.

All from the results of `agents.theory.answers.study`, here called `found`.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.ticker import MaxNLocator

from agents import files
from agents.report.figures import BLUE, GREY, INK, ORANGE, RED, Chart, write_png
from agents.report.pictures import response_chart
from agents.report.writing import render
from agents.theory.coordination import CURVES, KEEPS, MAPS
from jaxsim import versions

THEORY, REPORT = "theory.json", "report.html"
Rows = list[dict[str, Any]]
LABELS = {
    "lead_time": "lead time (periods)",
    "shelf_life": "shelf life (periods)",
    "margin": "margin (share of price)",
    "holding": "holding cost (per unit and period)",
    "lift": "lift of being shown (utility)",
    "demand": "demand (times the pair store's)",
}
GAPS = {
    "silo_gap": ("siloed departments", RED),
    "stock_blind_gap": ("best slates that ignore stock", ORANGE),
    "myopic_gap": ("slates for today, best orders", BLUE),
}
"""Who falls short of the joint optimum, and their colours."""
PRODUCTS, PRODUCT_COLOURS = ("product 1", "product 2"), ("#7fb4da", "#f2b48a")
OWN_STOCKS = {0: BLUE, 2: ORANGE, 4: RED}
"""Stocks of a product for which its order-up-to level is drawn against the other's stock."""
SHOCKS = {
    "surge": "a day of high demand",
    "delay": "a delivery a day late",
    "overstock": "6 units too many",
}
RESPONSES = {
    "attention": "attention (share of customers)",
    "ordered": "order (units)",
    "on_hand": "on hand (units)",
    "sold": "sales (units)",
}


def write_theory(found: Mapping[str, Any], folder: Path) -> None:
    """theory.json, six PNG files and the page. Raises `RunError`."""
    rows, structure = found["value_of_coordination"], found["structure"]
    curves, levels = curve_charts(rows), level_charts(structure)
    after = response_charts(found["responses"]["over_time"])
    ageing = [settings for settings in MAPS if "shelf_life" in settings]
    keeping = [settings for settings in MAPS if settings not in ageing]
    maps, shelf_lives = (
        [map_charts(rows, gap, some) for gap in ("silo_gap", "stock_blind_gap")]
        for some in (keeping, ageing)
    )
    ahead = [[_bar_chart(found["foresight"], gap) for gap in ("myopic_gap", "stock_blind_gap")]]
    answers = [
        [replace(chart, title=f"{happened}\n{chart.title}") for chart in charts[:3]]
        for happened, charts in after.items()
        if happened.endswith(PRODUCTS[0])
    ]
    lost = "profit lost against the joint optimum, %"
    best = "The best joint policy of the pair store (dots: stocks that it visits)"
    shared = {"sharex": True, "sharey": "col"}
    files.write_json(folder / THEORY, found)
    for name, charts, height, title, grid in (
        ("value-curves", [curves[:3], curves[3:]], 6.5, f"One thing changed: {lost}", {}),
        ("value-maps", maps, 7.4, f"Two things changed: {lost}", {}),
        ("shelf-lives", [list(chain(*shelf_lives))], 4.4, f"How long goods keep: {lost}", {}),
        ("foresight", ahead, 4.6, f"Where looking ahead pays: {lost}", {"sharey": True}),
        ("structure", [slate_charts(structure), levels], 7.8, best, {}),
        ("responses", answers, 9.0, "What happens, and what both departments do", shared),
    ):
        write_png(folder / f"{name}.png", charts, height, title, **grid)
    page = render(
        "theory.html.jinja",
        found=found,
        maps=MAPS,
        gaps={gap: name for gap, (name, _) in GAPS.items()},
        labels=LABELS,
        named=named,
        curves=curves,
        levels=levels,
        responses=after,
        versions=versions(),
    )
    files.write_text(folder / REPORT, page)


def curve_charts(rows: Rows) -> list[Chart]:
    """Profit lost over each setting that has two values or more."""

    def draw(axes: Axes, what: str) -> None:
        chosen = [row for row in rows if row["view"] == what]
        for gap, (name, colour) in GAPS.items():
            lost = np.array([row[gap] for row in chosen], float)  # none: NaN
            axes.plot([row[what] for row in chosen], lost, "o-", color=colour, label=name)
        axes.axhline(0, color=GREY, linewidth=0.8)

    views = [row["view"] for row in rows]
    return [
        Chart(f"curve-{what}", f"% lost by {LABELS[what]}", partial(draw, what=what))
        for what in CURVES
        if views.count(what) > 1
    ]


def named(what: str, value: float) -> str:
    """A value of a setting, in a word or digits."""
    return "keeps" if what == "shelf_life" and value == KEEPS else f"{value:g}"


def map_charts(rows: Rows, gap: str, maps: list[tuple[str, str]]) -> list[Chart]:
    """Profit lost by one who decides, two settings at a time; a number in each cell, but where the
    optimum earns nothing."""
    highest = max((row["silo_gap"] or 0.0 for row in rows if " x " in row["view"]), default=1.0)

    def draw(axes: Axes, settings: tuple[str, str]) -> None:
        chosen = [row for row in rows if row["view"] == " x ".join(settings)]
        down, across = MAPS[settings]
        values = np.array([row[gap] for row in chosen], float).reshape(len(down), len(across))
        heat = np.maximum(values, 0) ** 0.5
        axes.imshow(heat, cmap="OrRd", vmin=0, vmax=highest**0.5, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            colour = "white" if value > highest / 3 else INK
            text = "–" if np.isnan(value) else f"{max(value, 0):.1f}"
            axes.text(column, row, text, ha="center", va="center", color=colour)
        axes.set_yticks(range(len(down)), [named(settings[0], value) for value in down])
        axes.set_xticks(range(len(across)), [named(settings[1], value) for value in across])
        axes.set(ylabel=LABELS[settings[0]], xlabel=LABELS[settings[1]])
        axes.grid(False)

    return [Chart(f"{gap}-{each}", GAPS[gap][0], partial(draw, settings=each)) for each in maps]


def slate_charts(structure: Mapping[str, Any]) -> list[Chart]:
    """Which product is shown first to each segment in the plane of both stocks."""
    shown, seen = np.array(structure["shown"]), np.nonzero(structure["visited"])

    def draw(axes: Axes, segment: int) -> None:
        colours = ListedColormap(PRODUCT_COLOURS)
        axes.imshow(shown[..., segment].T, origin="lower", cmap=colours, vmin=0, vmax=1)
        axes.plot(*seen, ".", color=INK, markersize=3)
        axes.grid(False)
        axes.set(xlim=(-0.5, seen[0].max() + 1.5), ylim=(-0.5, seen[1].max() + 1.5))
        axes.set(xlabel="on hand, product 1", ylabel="on hand, product 2")

    title = "shown to segment {}: blue product 1, orange product 2"
    return [
        Chart(f"slates-{each}", title.format(each + 1), partial(draw, segment=each))
        for each in range(shown.shape[-1])
    ]


def level_charts(structure: Mapping[str, Any]) -> list[Chart]:
    """What each product is ordered up to, for a few own stocks, by the stock of the other as far
    as the policy goes."""
    most = np.max(np.nonzero(structure["visited"]), axis=1)

    def draw(axes: Axes, product: int) -> None:
        others = np.arange(most[1 - product] + 1)
        for own, colour in OWN_STOCKS.items():
            level = np.array(structure["order_up_to"][product])[own, others]
            style = {"color": colour, "linewidth": 2, "label": f"{own} on hand"}
            axes.step(others, level, where="mid", **style)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(f"on hand, {PRODUCTS[1 - product]}")

    return [
        Chart(f"level-{number}", f"{name}: ordered up to (units)", partial(draw, product=number))
        for number, name in enumerate(PRODUCTS)
    ]


def response_charts(over_time: Mapping[str, Any]) -> dict[str, list[Chart]]:
    """What follows each shock of each product, by what happened; the shocked product first."""
    charts = {}
    for kind, happened in SHOCKS.items():
        for shocked, answer in enumerate(over_time[kind]):
            shown, happening = (shocked, 1 - shocked), f"{happened}, {PRODUCTS[shocked]}"
            bands = {
                what: {name: np.asarray(each) for name, each in answer[what].items()}
                for what in RESPONSES
            }
            charts[happening] = [
                response_chart(f"{happening} {what}", title, PRODUCTS, shown, **bands[what])
                for what, title in RESPONSES.items()
            ]
    return charts


def _bar_chart(rows: Rows, gap: str) -> Chart:
    """Profit lost in each store."""

    def draw(axes: Axes) -> None:
        lost = [max(row[gap], 0.0) for row in rows]
        bars = axes.barh([row["regime"] for row in rows], lost, color=GAPS[gap][1], height=0.7)
        axes.bar_label(bars, [f"{value:.2f}" for value in lost], padding=3, fontsize=9)
        axes.set(xlim=(0, 1.2 * max(lost) + 0.01), ylim=(len(rows) - 0.5, -0.5))
        axes.grid(False)

    return Chart(gap, GAPS[gap][0], draw)
