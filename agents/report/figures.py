"""Where charts are drawn: matplotlib, as PNG files and as SVG inside a page.

A chart is a function that draws on axes, so that a file and a page show the same. In a page its
colours are the page's CSS variables (light, dark and print), its text stays text, and its ids are
made from its name. A user's own matplotlib settings and backend stay as they are.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Real
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agents.files import writing
from agents.report.fonts import fitting_fonts
from jaxsim.files import appearing

# Okabe and Ito's colours, told apart by all eyes.
BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
INK, GREY, RULE = "#222222", "#8a8a8a", "#e5e5e5"
COLOURS = (BLUE, ORANGE, GREEN, RED, "#b0528f", "#3e9bd3", "#7a6a3a")
DASHES = ("-", "--", ":", "-.", (0, (2, 2)), (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
"""Lines are told apart by colour and by dash."""
VARIABLES = {colour: f"var(--c{number})" for number, colour in enumerate(COLOURS, 1)} | {
    INK: "var(--soft)", GREY: "var(--eye)", RULE: "var(--rule)",
}  # fmt: skip
"""The page's colour for each of these."""

WIDTH, DPI = 10.0, 120
"""A PNG file's width in inches, and its pixels per inch."""
PANEL = (3.6, 2.3)
"""Inches of a chart in a page, which a phone shows at about its own size."""
STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "axes.edgecolor": GREY,
    "xtick.color": INK, "ytick.color": INK, "xtick.labelsize": 9, "ytick.labelsize": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "axes.grid": True, "axes.grid.axis": "y", "grid.color": RULE, "axes.titlesize": 10,
    "legend.frameon": False, "legend.fontsize": 9, "legend.columnspacing": 1.5,
}  # fmt: skip
IN_A_PAGE: dict[Any, Any] = {
    "svg.fonttype": "none", "font.size": 8, "legend.fontsize": 8, "xtick.labelsize": 8,
    "ytick.labelsize": 8, "figure.facecolor": "none", "axes.facecolor": "none",
    "savefig.facecolor": "none",
}  # fmt: skip
SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"


@dataclass(frozen=True)
class Chart:
    """One chart: in a page an `<svg>` element, in a file one of several panels."""

    name: str
    """Its own on its page."""
    title: str
    draw: Callable[[Axes], None]
    """Draws on axes; what it labels stands in the key."""

    @property
    def svg(self) -> Markup:
        """For a page, safe to stand in HTML as it is: of class `chart`, with a label that says
        where each line begins and ends."""
        with mpl.rc_context({**STYLE, **IN_A_PAGE, "svg.hashsalt": self.name}):
            figure, written = Figure(figsize=PANEL, layout="constrained"), io.StringIO()
            axes = figure.subplots()
            self.draw(axes)
            handles, labels = axes.get_legend_handles_labels()
            if len(labels) > 1:
                columns = 1 if max(map(len, labels)) > 20 else 2
                axes.legend(ncols=columns, loc="lower left", bbox_to_anchor=(0, 1))
            with fitting_fonts(figure):
                figure.savefig(written, format="svg")
        ends = filter(None, map(_ends, labels, handles))
        return Markup(_embedded(written.getvalue(), f"{self.title}: {'; '.join(ends)}"))


def write_png(
    path: Path, charts: Sequence[Sequence[Chart]], height: float, title: str = "", **grid: Any
) -> None:
    """Rows of charts as a PNG file, `height` inches high, with one key under all of them. `grid`:
    how matplotlib lays out subplots. Raises `RunError` where the file cannot be written."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
        panels = figure.subplots(len(charts), len(charts[0]), squeeze=False, **grid)
        keys: dict[str, Any] = {}
        for axes, chart in zip(panels.flat, chain(*charts), strict=False):
            chart.draw(axes)
            axes.set_title(chart.title)
            handles, labels = axes.get_legend_handles_labels()
            keys |= dict(zip(labels, handles, strict=True))
        for axes in panels.flat[sum(map(len, charts)) :]:
            axes.axis("off")
        for axes in panels[:-1].flat if grid.get("sharex") else ():
            axes.set_xlabel("")
        figure.legend(keys.values(), keys, loc="outside lower center", ncols=6)
        figure.suptitle(title)
        with writing(path), appearing(path) as temporary, fitting_fonts(figure):
            figure.savefig(temporary, format="png")


def draw_line(
    axes: Axes,
    at: Real[np.ndarray, " T"],
    band: Float[np.ndarray, "3 T"],
    label: str,
    number: int = 0,
    **style: Any,
) -> None:
    """A line with a band: middle, lowest and highest; the `number`-th colour and dash."""
    look = {"color": COLOURS[number], "linestyle": DASHES[number], "linewidth": 2} | style
    # Matplotlib leaves names out of a key that begin with an underscore.
    axes.plot(at, band[0], label=f" {label}", **look)
    axes.fill_between(at, band[1], band[2], color=look["color"], alpha=0.2, linewidth=0)


def _ends(label: str, handle: Any) -> str:
    """Where a labelled line begins and ends; empty where it is none."""
    line = handle if hasattr(handle, "get_ydata") else handle[0]
    values = np.asarray(line.get_ydata(), float)
    seen = values[np.isfinite(values)]
    return f"{label.strip()} from {seen[0]:.4g} to {seen[-1]:.4g}" if len(seen) else ""


def _embedded(text: str, label: str) -> str:
    """Matplotlib's SVG document as an element of a page."""
    ElementTree.register_namespace("", SVG[1:-1])
    root = ElementTree.fromstring(text)
    for part in (f"{SVG}metadata", f"{SVG}defs"):  # its author, and a style for the whole page
        if (first := root.find(part)) is not None:
            root.remove(first)
    used = set(re.findall(r"#(\w+)", text))
    for each in root.iter():
        if each.get("id") not in used:
            each.attrib.pop("id", None)
        if f"{XLINK}href" in each.attrib:
            each.set("href", each.attrib.pop(f"{XLINK}href"))
        if "style" in each.attrib:
            style = re.sub(r" ?font-family: [^;]*;", "", each.attrib["style"])  # the page's own
            each.set("style", re.sub(r"#\w{6}", lambda hex: VARIABLES.get(hex[0], hex[0]), style))
        if "d" in each.attrib:
            each.set("d", re.sub(r"\s*\n", " ", re.sub(r"(\.\d\d)\d+", r"\1", each.attrib["d"])))
    shown = {"class": "chart", "role": "group", "aria-label": label, "viewBox": root.get("viewBox")}
    root.attrib.clear()
    root.attrib.update(shown)
    return ElementTree.tostring(root, encoding="unicode")
