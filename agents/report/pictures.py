"""Pictures of a training and of a store's weeks, for a reader who has ten seconds.

Figures are made through the object interface and written as PNG by Agg, so that a user's own
matplotlib settings and backend stay as they are. Colours: Okabe and Ito's, told apart by all eyes.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxsim.rollout import Trajectory
from jaxsim.scenarios.scenario import Scenario

BLUE, ORANGE, RED, GREEN, BLACK, GREY = (
    "#0072B2", "#E69F00", "#D55E00", "#009E73", "#222222", "#8A8A8A",
)  # fmt: skip
DPI = 120
WIDTH = 10.0  # inches; 1200 pixels
PRODUCTS_SHOWN = 4
SMOOTHED_SHARE = 0.05
"""Share of a training that the running mean of a learning curve covers."""


def draw_learning(metrics: pd.DataFrame, best_heuristic: float, path: Path) -> None:
    """Profit, fill rate and learning rates over a training.

    `metrics` has a row per iteration: store_periods, profit (money per period, while exploring),
    fill_rate, critic_rate, fast_rate, slow_rate, and greedy_profit (money per period, NaN where
    not evaluated) if there is one. `best_heuristic` is in money per period.
    """
    figure = Figure(figsize=(WIDTH, 8.5), dpi=DPI, layout="constrained")
    profit, fill, rates = figure.subplots(3, 1, sharex=True, height_ratios=(2.2, 1, 1))
    millions = metrics["store_periods"].to_numpy() / 1e6
    _draw_profit(profit, millions, metrics, best_heuristic)
    _draw_smoothed(fill, millions, metrics["fill_rate"].to_numpy(), BLUE)
    fill.set_ylabel("fill rate (share of\nunits asked for)")
    for column, style, label in (
        ("critic_rate", {"color": BLACK, "linewidth": 2, "linestyle": "--"}, "critic"),
        ("fast_rate", {"color": ORANGE, "linewidth": 4}, "fast department"),
        ("slow_rate", {"color": BLUE, "linewidth": 2}, "slow department"),
    ):
        rates.plot(millions, metrics[column], label=label, **style)
    rates.set(yscale="log", ylabel="learning rate", xlabel="experience (million store-periods)")
    rates.set_xlim(0, millions.max())
    _draw_key(profit)
    _draw_key(rates)
    _plain(profit, fill, rates)
    save_figure(figure, path)


def draw_week(
    trace: Trajectory, scenario: Scenario, path: Path, products: Sequence[int] | None = None
) -> None:
    """Stock and orders, sales and what was turned away, and attention: a column for each product.

    Without `products` (their indices), the four that sold most units.
    """
    sold = np.asarray(trace.flows.sold)
    chosen = list(products) if products is not None else _best_sellers(sold)
    figure = Figure(figsize=(WIDTH, 6.5), dpi=DPI, layout="constrained")
    grid = figure.subplots(3, len(chosen), sharex=True, squeeze=False)
    periods = np.arange(1, trace.periods + 1)
    for column, product in zip(grid.T, chosen, strict=True):
        column[0].set_title(scenario.products[product], fontsize=11, color=BLACK)
        _draw_stock(column[0], periods, trace, product)
        _draw_sales(column[1], periods, trace, product)
        _draw_attention(column[2], periods, trace, product)
        column[2].set_xlabel("period")
    labels = ("stock and orders\n(units)", "sales\n(units per period)", "attention\n(0 to 1)")
    for axes, label in zip(grid[:, 0], labels, strict=True):
        axes.set_ylabel(label)
    _plain(*grid.flat)
    grid[0, 0].set_xlim(0.4, trace.periods + 0.6)
    grid[0, 0].set_xticks(np.unique(np.linspace(1, trace.periods, 4).round()))
    for axes in grid[:2].flat:
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    _draw_keys(figure, grid)
    save_figure(figure, path)


def _draw_profit(
    axes: Axes, millions: np.ndarray, metrics: pd.DataFrame, best_heuristic: float
) -> None:
    exploring = metrics["profit"].to_numpy().copy()
    exploring[: len(exploring) // 20] = np.nan  # sells the stock that stores were opened with
    _draw_smoothed(axes, millions, exploring, BLUE, "while exploring (smoothed)")
    if "greedy_profit" in metrics:
        greedy = metrics["greedy_profit"].to_numpy()
        seen = ~np.isnan(greedy)
        axes.plot(
            millions[seen],
            greedy[seen],
            "o",
            color=RED,
            markersize=7,
            clip_on=False,
            label="without exploration",
        )
    axes.axhline(best_heuristic, color=BLACK, linestyle="--", linewidth=1.5, label="best heuristic")
    axes.set_ylabel("profit (money per period)")


def _draw_smoothed(
    axes: Axes, at: np.ndarray, values: np.ndarray, colour: str, label: str | None = None
) -> None:
    """The running mean of the values seen so far, over a faint line of the values themselves."""
    window = max(1, round(SMOOTHED_SHARE * len(values)))
    axes.plot(at, values, color=colour, alpha=0.25, linewidth=0.8)
    smooth = pd.Series(values).rolling(window, min_periods=1).mean()
    axes.plot(at, smooth, color=colour, linewidth=2, label=label)


def _draw_stock(axes: Axes, periods: np.ndarray, trace: Trajectory, product: int) -> None:
    stock = np.asarray(trace.state.on_hand)[:, product]
    orders = np.asarray(trace.flows.ordered)[:, product]
    axes.bar(periods, orders, width=0.7, color=ORANGE, label="ordered")
    edges = np.append(periods - 0.5, periods[-1] + 0.5)
    axes.stairs(
        stock, edges, baseline=None, color=BLUE, linewidth=2, clip_on=False, label="on hand"
    )
    axes.set_ylim(0, 1.08 * max(stock.max(), orders.max(), 1.0))


def _draw_sales(axes: Axes, periods: np.ndarray, trace: Trajectory, product: int) -> None:
    sold, lost, waiting = (
        np.asarray(each)[:, product]
        for each in (trace.flows.sold, trace.flows.lost, trace.flows.waiting)
    )
    turned_away = lost + waiting
    axes.bar(periods, sold, width=0.7, color=GREEN, label="sold")
    axes.bar(periods, turned_away, width=0.7, bottom=sold, color=BLACK, label="lost or waiting")
    axes.set_ylim(0, 1.08 * max((sold + turned_away).max(), 1.0))


def _draw_attention(axes: Axes, periods: np.ndarray, trace: Trajectory, product: int) -> None:
    attention = np.asarray(trace.flows.attention)[:, product]
    axes.bar(periods, attention, width=1.0, color=GREY, label="attention, mean over customers")
    axes.set_ylim(0, 1)
    axes.set_yticks((0, 0.5, 1))


def _draw_key(axes: Axes) -> None:
    """A key above the panel, clear of the curves."""
    axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderpad=0.2)


def _draw_keys(figure: Figure, grid: np.ndarray) -> None:
    """One key above everything, in the order of the rows."""
    pairs = [axes.get_legend_handles_labels() for axes in grid[:, 0]]
    handles, labels = ([each for pair in pairs for each in pair[part]] for part in (0, 1))
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)


def _best_sellers(sold: np.ndarray) -> list[int]:
    """Indices of the products that sold most, in the order of the catalogue."""
    most = np.argsort(-sold.sum(0), kind="stable")[:PRODUCTS_SHOWN]
    return sorted(most.tolist())


def _plain(*every: Axes) -> None:
    for axes in every:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=BLACK, labelsize=9)


def save_figure(figure: Figure, path: Path) -> None:
    """Writes to a temporary name beside the picture, then renames: whole or not there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        figure.savefig(temporary, format="png")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
