"""What was measured on an accelerator as people read it: one table for each part."""

from collections.abc import Callable
from typing import Any

from benchmarks.accelerator import correctness, profiling, seeds, stepping, target, training
from benchmarks.accelerator.ledger import Row

Cells = tuple[str, ...]


def as_markdown(rows: list[Row], machine: dict[str, Any]) -> str:
    """The page: where it was measured, and every table that has rows."""
    memory = machine["device_memory_bytes"]
    of_memory = f", {memory / 2**30:.0f} GiB" if memory else ""
    lines = [
        f"# {machine['device']}",
        "",
        "Written by `sh benchmarks/on_accelerator.sh`; docs/speed.md says how to read it.",
        "",
        f"{machine['device']}{of_memory}, {machine['threads']} processor threads, "
        f"{machine['dtype']}, jax {machine['jax']}, Python {machine['python']}.",
    ]
    for part, (title, head, cells) in TABLES.items():
        timed = [row for row in rows if row["part"] == part and "seconds" in row]
        if timed:
            table = (head, ("---",) * len(head), *map(cells, timed))
            lines += ["", f"## {title}", "", *("| " + " | ".join(each) + " |" for each in table)]
    return "\n".join([*lines, ""])


def _check_cells(row: Row) -> Cells:
    if "bytes_apart" in row:
        return row["name"], f"{row['bytes_apart']:.2g} of all bytes", "0", _yes(row["within"])
    apart = ", ".join(f"{name} {value:.1e}" for name, value in row["apart"].items())
    allowed = ", ".join(f"{name} {value:.0e}" for name, value in row["allowed"].items())
    return row["name"], apart, allowed, _yes(row["within"])


def _rate_cells(row: Row) -> Cells:
    return (
        f"{row['scenario']}, {row['products']} products",
        row["name"],
        f"{row['stores']:,}",
        f"{row['store_periods_per_s'] / 1e6:.3g}",
        f"{row['product_periods_per_s'] / 1e6:,.0f}",
        f"{row['program_bytes'] / 2**30:.3g}",
    )


def _target_cells(row: Row) -> Cells:
    seconds, (gain, low, high) = row["seconds_to_target"], row["gain_percent_on_new_customers"]
    return (
        row["scenario"],
        f"{row['stores']:,}",
        "not reached" if seconds is None else f"{seconds:.2f}",
        f"{row['iterations']:,}",
        f"{row['learning_seconds']:.1f}",
        f"{gain:.2f} [{low:.2f}, {high:.2f}]",
        row["best_pair"],
    )


def _seeds_cells(row: Row) -> Cells:
    ratio = row.get("ratio_to_one_seed")
    rate = f"{row['store_periods_per_s'] / 1e6:.3g}"
    return str(row["seeds"]), f"{row['stores']:,}", rate, "" if ratio is None else f"{ratio:.1f}"


def _profile_cells(row: Row) -> Cells:
    return (
        f"{row['scenario']}, {row['stores']:,} stores",
        f"{row['seconds'] * 1e3:.1f}",
        f"{row.get('kernels_run', 0):,}",
        f"{row.get('kernel_seconds', 0.0) * 1e3:.1f}",
        ", ".join(each["name"] for each in row.get("top_kernels", [])[:3]),
    )


def _yes(held: bool) -> str:
    return "yes" if held else "no"


RATES = (
    "store", "program", "stores", "M store-periods/s", "M product-periods/s", "program's GiB",
)  # fmt: skip
TABLES: dict[str, tuple[str, Cells, Callable[[Row], Cells]]] = {
    correctness.PART: (
        "Against the CPU, and against itself",
        ("check", "apart", "allowed", "within"),
        _check_cells,
    ),
    stepping.PART: ("The step", RATES, _rate_cells),
    training.PART: ("Training iterations", RATES, _rate_cells),
    target.PART: (
        f"Learning to {target.PERCENT:g} % over the best tuned pair, one seed",
        (
            "store", "stores", "seconds to it", "iterations in all", "seconds in all",
            "% gained in the end, other customers", "best pair",
        ),
        _target_cells,
    ),
    seeds.PART: (
        "Seeds in one program",
        ("seeds", "stores", "M store-periods/s", "against one"),
        _seeds_cells,
    ),
    profiling.PART: (
        "One training iteration",
        ("store", "ms", "kernels", "ms in kernels", "those that take the most"),
        _profile_cells,
    ),
}  # fmt: skip
"""Each part's title, head and cells of a row."""
