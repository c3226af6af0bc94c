"""What goods that spoil, and customers who take several, cost: `python -m benchmarks.features`.

The step of one store, all parts of the model at work and actions given, without either and with
each, in one process, on one core, in turns. A store whose goods keep is compiled without stock by
age, and one of single units without batches, so it pays nothing for them. Writes features.json.
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

PLAIN = "neither"
FEATURES: dict[str, dict[str, Any]] = {
    PLAIN: {},
    **{f"goods of {life} periods": {"shelf_life": life} for life in (2, 4, 8)},
    "batches": {"batches": True},
}


@dataclass(frozen=True)
class Settings:
    """Time a store's step with goods that spoil, with customers who take several, and without."""

    out: Path = Path("runs/benchmarks")
    """Folder for features.json."""
    stores: int = 2_048
    """Stores side by side."""
    products: int = 10
    """Products of a store."""
    periods: int = 16
    """Periods of a call."""
    repeats: int = 10
    """Timed turns."""


def stepping(feature: str, settings: Settings) -> tuple[Callable[[], Any], float]:
    """A call that takes the stores on by so many periods, compiled, and the seconds that took."""
    params = store_of(settings.products, **FEATURES[feature])
    walk = start(AsGiven(), params, settings.stores)
    walk = walk.with_given(given_actions(params, settings.stores))
    began = time.perf_counter()
    walk_on = jax.jit(walking(params, AsGiven(), settings.periods)).lower(walk).compile()
    seconds = time.perf_counter() - began

    go_on = measure.going_on(walk_on, walk)
    return lambda: jax.block_until_ready(go_on()), seconds


def rows(settings: Settings) -> list[dict[str, Any]]:
    """A row for each feature, held against the store without."""
    stepped = {feature: stepping(feature, settings) for feature in FEATURES}
    calls = {feature: call for feature, (call, _) in stepped.items()}
    seconds, _ = in_turns(calls, settings.repeats)
    units = settings.stores * settings.periods
    return [
        {
            "feature": feature,
            "stores": settings.stores,
            "products": settings.products,
            "ns": 1e9 * float(np.median(own)) / units,
            "compile_seconds": stepped[feature][1],
            **{f"time_{name}": value for name, value in ratio_of(own, seconds[PLAIN]).items()},
        }
        for feature, own in seconds.items()
    ]


def main(settings: Settings) -> None:
    command.refuse_none(settings, "stores", "products", "periods", "repeats")
    folder = open_folder(settings.out)
    on_one_core()
    found, title = rows(settings), "The step of a store, one core"
    write_json(folder / "features.json", {"machine": measure.machine(), "rows": found})
    head = ("with", "ns a store-period", "× without", "range", "compile s")
    table = Table(*head, title=title)
    for row in found:
        table.add_row(
            row["feature"],
            f"{row['ns']:,.0f}",
            f"{row['time_ratio']:.2f}",
            f"{row['time_ratio_least']:.2f} to {row['time_ratio_most']:.2f}",
            f"{row['compile_seconds']:.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    command.run(main, Settings)
