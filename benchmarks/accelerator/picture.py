"""Throughput over the number of stores, as a picture."""

from pathlib import Path

import matplotlib.pyplot as plt

from benchmarks.accelerator import stepping, training
from benchmarks.accelerator.ledger import Row

PANELS = {stepping.PART: "the step", training.PART: "training iterations"}


def draw(rows: list[Row], machine: dict, path: Path) -> None:
    """One panel for the step, one for training; store-periods per second, both axes logarithmic."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 4.5))
    for axis, (part, title) in zip(axes, PANELS.items(), strict=True):
        lines: dict[tuple[str, str], list[tuple[int, float]]] = {}
        for row in rows:
            if row["part"] == part and "store_periods_per_s" in row:
                points = lines.setdefault((row["scenario"], row["name"]), [])
                points.append((row["stores"], row["store_periods_per_s"]))
        for (scenario, name), points in sorted(lines.items()):
            axis.plot(*zip(*sorted(points), strict=True), "o-", label=f"{scenario}: {name}")
        axis.set(xscale="log", yscale="log", xlabel="stores", ylabel="store-periods per second")
        axis.set_title(title)
        axis.grid(alpha=0.3)
        if lines:
            axis.legend(fontsize=7)
    figure.suptitle(f"{machine['device']}, JAX {machine['jax']}")
    figure.tight_layout()
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, format="png", dpi=120)
    plt.close(figure)
    temporary.replace(path)
