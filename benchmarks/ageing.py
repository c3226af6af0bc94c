"""What ageing costs: `python -m benchmarks.ageing`.

The step of one store, all parts of the model at work and actions given, with goods that keep and
with goods that spoil, in one process, on one core, in turns. A store whose goods keep is compiled
without stock by age, so it pays nothing for it. Writes ageing.json.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from agents.files import open_folder, write_json
from benchmarks import command, measure
from benchmarks.peers.timing import in_turns, on_one_core, ratio_of
from benchmarks.workloads import AsGiven, given_actions, start, store_of, walking

SHELF_LIVES = (0, 2, 4, 8)  # periods; 0: goods keep


@dataclass(frozen=True)
class Settings:
    """Time a store's step with goods that keep and with goods that spoil."""

    out: Path = Path("runs/benchmarks")
    """Folder for ageing.json."""
    stores: int = 2_048
    """Stores side by side."""
    products: int = 10
    """Products of a store."""
    periods: int = 16
    """Periods of a call."""
    repeats: int = 10
    """Timed turns."""


def stepping(shelf_life: int, settings: Settings) -> tuple[Callable[[], Any], float]:
    """A call that takes the stores on by so many periods, compiled, and the seconds that took."""
    params = store_of(settings.products, shelf_life=shelf_life)
    walk = start(AsGiven(), params, settings.stores)
    walk = walk.with_given(given_actions(params, settings.stores))
    began = time.perf_counter()
    walk_on = jax.jit(walking(params, AsGiven(), settings.periods)).lower(walk).compile()
    seconds = time.perf_counter() - began

    go_on = measure.going_on(walk_on, walk)
    return lambda: jax.block_until_ready(go_on()), seconds


def rows(settings: Settings) -> list[dict[str, Any]]:
    """A row for each shelf life, held against goods that keep."""
    stepped = {str(life): stepping(life, settings) for life in SHELF_LIVES}
    seconds, _ = in_turns({life: call for life, (call, _) in stepped.items()}, settings.repeats)
    units = settings.stores * settings.periods
    return [
        {
            "kind": "ageing",
            "shelf_life": int(life),
            "stores": settings.stores,
            "products": settings.products,
            "ns": 1e9 * float(np.median(own)) / units,
            "compile_seconds": stepped[life][1],
            **{f"time_{name}": value for name, value in ratio_of(own, seconds["0"]).items()},
        }
        for life, own in seconds.items()
    ]


def main(settings: Settings) -> None:
    command.refuse_none(settings, "stores", "products", "periods", "repeats")
    folder = open_folder(settings.out)
    on_one_core()
    found, title = rows(settings), "The step of a store, one core"
    write_json(folder / "ageing.json", {"machine": measure.machine(), "rows": found})
    head = ("shelf life", "ns a store-period", "× goods that keep", "range", "compile s")
    table = Table(*head, title=title)
    for row in found:
        table.add_row(
            str(row["shelf_life"] or "keeps"),
            f"{row['ns']:,.0f}",
            f"{row['time_ratio']:.2f}",
            f"{row['time_ratio_least']:.2f} to {row['time_ratio_most']:.2f}",
            f"{row['compile_seconds']:.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    command.run(main, Settings)
