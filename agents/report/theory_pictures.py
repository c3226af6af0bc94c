"""Pictures of the theory: what coordination is worth, and what the best policy looks like."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from agents.report.pictures import BLACK, BLUE, DPI, GREY, ORANGE, RED, WIDTH, save_figure
from agents.theory.coordination import CURVES, MAPS
from agents.theory.structure import shown_first, visited
from jaxsim.exact.optimum import Optimum

LABELS = {
    "lead_time": "lead time (periods)",
    "margin": "margin (share of price)",
    "holding": "holding cost (per unit and period)",
    "lift": "lift of being shown (utility)",
    "demand": "demand (times the pair store's)",
}
GAPS = (
    ("silo_gap", "siloed departments", RED),
    ("stock_blind_gap", "best slates that ignore stock", ORANGE),
    ("myopic_gap", "slates for today, best orders", BLUE),
)
PRODUCT_COLOURS = ("#7FB4DA", "#F2B48A")
SHOCK_LABELS = {
    "surge": "a day of high demand",
    "delay": "a delivery a day late",
    "overstock": "6 units too many",
}
RESPONSE_LABELS = {
    "attention": "attention (share of customers)",
    "ordered": "order (units)",
    "on_hand": "on hand (units)",
}


def draw_curves(rows: list[dict[str, Any]], path: Path) -> None:
    """Profit lost against the joint optimum, in percent, over each setting that was changed."""
    figure = Figure(figsize=(WIDTH, 6.0), dpi=DPI, layout="constrained")
    panels = figure.subplots(2, 3, sharey=True).flat
    for what, panel in zip(CURVES, panels, strict=False):
        chosen = [row for row in rows if row["view"] == what]
        for gap, name, colour in GAPS:
            values = [row[what] for row in chosen], [row[gap] for row in chosen]
            panel.plot(*values, marker="o", color=colour, label=name)
        panel.set_xlabel(LABELS[what])
        _plain(panel)
    figure.axes[0].set_ylabel("profit lost (%)")
    figure.axes[3].set_ylabel("profit lost (%)")
    key = figure.axes[5]
    key.axis("off")
    key.legend(*figure.axes[0].get_legend_handles_labels(), loc="center", frameon=False)
    figure.suptitle("The pair store, one thing changed: profit lost against the joint optimum")
    save_figure(figure, path)


def draw_maps(rows: list[dict[str, Any]], path: Path) -> None:
    """Profit lost by silos and by slates that ignore stock, in percent, two settings at a time."""
    figure = Figure(figsize=(WIDTH, 7.4), dpi=DPI, layout="constrained")
    panels = figure.subplots(2, len(MAPS))
    highest = max(row["silo_gap"] or 0.0 for row in rows if " x " in row["view"])
    for line, (gap, name, _) in zip(panels, GAPS, strict=False):
        for panel, (pair_of_settings, ranges) in zip(line, MAPS.items(), strict=True):
            view = " x ".join(pair_of_settings)
            # No gap where the optimum earns nothing: a cell without a number.
            values = np.array([row[gap] for row in rows if row["view"] == view], float)
            _heat(panel, np.reshape(values, [len(values) for values in ranges]), ranges, highest)
            panel.set(ylabel=LABELS[pair_of_settings[0]], xlabel=LABELS[pair_of_settings[1]])
        line[1].set_title(f"Profit lost by {name}, % of the joint optimum", pad=10)
    save_figure(figure, path)


def _heat(panel: Axes, values: np.ndarray, ranges: tuple, highest: float) -> None:
    """A cell for each pair of settings, its percentage written in it."""
    panel.imshow(
        np.maximum(values, 0) ** 0.5, cmap="OrRd", vmin=0, vmax=highest**0.5, aspect="auto"
    )
    panel.set_yticks(range(len(ranges[0])), [f"{value:g}" for value in ranges[0]])
    panel.set_xticks(range(len(ranges[1])), [f"{value:g}" for value in ranges[1]])
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value > highest / 3 else BLACK
        text = "–" if np.isnan(value) else f"{max(value, 0):.1f}"
        panel.text(column, row, text, ha="center", va="center", color=colour, fontsize=10)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)


def draw_foresight(rows: list[dict[str, Any]], path: Path) -> None:
    """Profit lost by slates for today, and by slates that ignore stock, in stores that might need
    foresight."""
    figure = Figure(figsize=(WIDTH, 4.6), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    at = np.arange(len(rows))
    for panel, (gap, name, colour) in zip(panels, (GAPS[2], GAPS[1]), strict=True):
        values = [max(row[gap], 0.0) for row in rows]
        bars = panel.barh(at, values, color=colour, height=0.7)
        panel.bar_label(bars, [f"{value:.2f}" for value in values], padding=3, fontsize=9)
        panel.set(title=name, xlabel="profit lost (%)", xlim=(0, 1.2 * max(values) + 0.01))
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(at, [row["regime"] for row in rows])
    panels[0].invert_yaxis()
    figure.suptitle("Where looking ahead pays: profit lost against the joint optimum")
    save_figure(figure, path)


def draw_structure(found: Optimum, path: Path) -> None:
    """Of a two-product store with lead times up to 1, in the plane of both stocks: who is shown
    to each segment, and each product's order-up-to level against the other's stock."""
    figure = Figure(figsize=(WIDTH, 7.4), dpi=DPI, layout="constrained")
    shown, seen = shown_first(found), visited(found)
    segments = min(shown.shape[-1], 2)
    panels = figure.subplots(2, 2)
    most = 1 + np.max(np.nonzero(seen), axis=1)
    for segment, panel in enumerate(panels[0][:segments]):
        _draw_slates(panel, shown[..., segment], seen, most, segment)
    for product, panel in enumerate(panels[1]):
        _draw_levels(panel, found.orders[0][..., product], product, most)
    figure.suptitle("The best joint policy of the pair store (dots: stocks that it visits)")
    save_figure(figure, path)


def _draw_slates(
    panel: Axes, shown: np.ndarray, seen: np.ndarray, most: np.ndarray, segment: int
) -> None:
    colours = ListedColormap(PRODUCT_COLOURS)
    panel.imshow(shown.T, origin="lower", cmap=colours, vmin=0, vmax=1)
    panel.plot(*np.nonzero(seen), ".", color=BLACK, markersize=3)
    panel.set(xlim=(-0.5, most[0] + 0.5), ylim=(-0.5, most[1] + 0.5))
    panel.set_title(
        f"shown to segment {segment + 1}: blue product 1, orange product 2", fontsize=10
    )
    panel.set(xlabel="on hand, product 1", ylabel="on hand, product 2")


def _draw_levels(panel: Axes, orders: np.ndarray, product: int, most: np.ndarray) -> None:
    """Own stock and order together against the other's stock, for a few own stocks."""
    own_first = orders if product == 0 else orders.T
    others = np.arange(most[1 - product] + 1)
    for own, colour in zip((0, 2, 4), (BLUE, ORANGE, RED), strict=True):
        level = own + own_first[own, others]
        panel.step(others, level, where="mid", color=colour, linewidth=2, label=f"{own} on hand")
    panel.set_title(f"product {product + 1}: ordered up to", fontsize=10)
    panel.set(xlabel=f"on hand, product {2 - product}", ylabel="units")
    panel.legend(frameon=False, fontsize=9, title="own stock", title_fontsize=9)
    _plain(panel)


def draw_responses(responses: dict[str, Any], path: Path) -> None:
    """What a shock of the first product does to both products, by lag, with two standard errors."""
    figure = Figure(figsize=(WIDTH, 7.6), dpi=DPI, layout="constrained")
    panels = figure.subplots(len(SHOCK_LABELS), len(RESPONSE_LABELS), sharex=True, sharey="col")
    for line, kind in zip(panels, SHOCK_LABELS, strict=True):
        for panel, what in zip(line, RESPONSE_LABELS, strict=True):
            answer = responses["over_time"][kind][0][what]
            mean, error = np.array(answer["mean"]), 2 * np.array(answer["error"])
            lags = np.arange(len(mean))
            for product, colour in enumerate((BLUE, ORANGE)):
                label = f"product {product + 1}"
                at, low, high = (each[:, product] for each in (mean, mean - error, mean + error))
                panel.fill_between(lags, low, high, color=colour, alpha=0.25, linewidth=0)
                panel.plot(lags, at, marker="o", color=colour, label=label)
            _plain(panel)
        line[0].set_ylabel(SHOCK_LABELS[kind])
    for panel, label in zip(panels[0], RESPONSE_LABELS.values(), strict=True):
        panel.set_title(label, fontsize=10)
    for panel in panels[-1]:
        panel.set_xlabel("periods since")
    panels[0][0].legend(frameon=False, fontsize=9)
    figure.suptitle(
        "What happens to product 1, and what both departments do: change in each period"
    )
    save_figure(figure, path)


def _plain(panel: Axes) -> None:
    panel.axhline(0, color=GREY, linewidth=0.8)
    panel.spines[["top", "right"]].set_visible(False)
