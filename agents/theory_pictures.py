"""Pictures of the theory: what coordination is worth, and what the best policy looks like."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agents.pictures import BLUE, DPI, GREY, ORANGE, RED, WIDTH, save_figure
from jaxsim.optimum import Optimum

AXES = {
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


def draw_map(rows: list[dict[str, Any]], path: Path) -> None:
    """Profit lost against the joint optimum, in percent, over each setting that was changed."""
    figure = Figure(figsize=(WIDTH, 6.0), dpi=DPI, layout="constrained")
    panels = figure.subplots(2, 3, sharey=True).flat
    for (what, label), panel in zip(AXES.items(), panels, strict=False):
        chosen = [row for row in rows if row["changed"] == what]
        for gap, name, colour in GAPS:
            values = [row["value"] for row in chosen], [row[gap] for row in chosen]
            panel.plot(*values, marker="o", color=colour, label=name)
        panel.axhline(0, color=GREY, linewidth=0.8)
        panel.set_xlabel(label)
    figure.axes[0].set_ylabel("profit lost (%)")
    figure.axes[3].set_ylabel("profit lost (%)")
    key = figure.axes[5]
    key.axis("off")
    key.legend(*figure.axes[0].get_legend_handles_labels(), loc="center", frameon=False)
    figure.suptitle("What it costs to decide apart: profit lost against the joint optimum")
    save_figure(figure, path)


def draw_structure(found: Optimum, path: Path) -> None:
    """Of a two-product store with lead times up to 1, in the plane of both stocks: who is shown
    to each segment, and what is ordered of the first product."""
    figure = Figure(figsize=(WIDTH, 3.8), dpi=DPI, layout="constrained")
    slates = found.slates[np.asarray(found.solution.slate)][..., 0]
    segments = slates.shape[-1]
    panels = figure.subplots(1, segments + 1)
    for segment, panel in enumerate(panels[:segments]):
        _plane(panel, slates[..., segment], f"shown first to segment {segment + 1}", "coolwarm")
    orders = _plane(panels[-1], found.orders[..., 0], "order of product 1", "viridis")
    figure.colorbar(orders, ax=panels[-1], label="units")
    figure.suptitle("The best joint policy: blue shows product 1, red product 2")
    save_figure(figure, path)


def _plane(panel: Axes, values: np.ndarray, title: str, colours: str) -> Any:
    image = panel.imshow(values.T, origin="lower", cmap=colours)
    panel.set(title=title, xlabel="on hand, product 1", ylabel="on hand, product 2")
    return image
