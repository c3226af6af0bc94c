"""The benchmark: every row, one table, one picture. `make bench`, or `python -m benchmarks.suite`.

Each row runs in a process of its own, so that its peak of memory is its own; the numba kernel's row
follows at once. Writes results.json and throughput.png.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import psutil
import tyro
from rich.console import Console
from rich.table import Table

from agents.runs import open_folder, write_json
from benchmarks import limits, measure
from benchmarks.throughput import BY_HAND, Config
from benchmarks.workloads import Row

RESULTS = "results.json"
STORES = (2**7, 2**10, 2**12, 2**13, 2**16)
PRODUCTS, LEAD_TIMES = (2, 10, 50, 200, 2000), (1, 4, 16)
LONGEST_CALL = 2**23  # product-periods: a call is cut down to about this many, 4 periods or more
SHARE_OF_MEMORY, COPIES = 0.5, 12  # a row's stores are held about this many times over


@dataclass(frozen=True)
class Settings:
    """Time everything, and write it down."""

    out: Path = Path("benchmarks")
    """Folder for results.json and throughput.png."""
    quick: bool = False
    """A few rows, three repeats: does it run, and roughly how fast?"""
    repeats: int = 10
    """Timed calls of each row."""
    render: bool = False
    """Only print the tables of an earlier run, as Markdown, for a page."""


def planned(quick: bool) -> list[Row]:
    """The rows: sizes one by one around 4,096 stores of ten products, and both together."""
    if quick:
        rows = [Row("step", 1024, 10), Row("random", 1024, 10), Row("lost-sales", 8192, 1, 4)]
        return [*rows, Row("learned", 256, 10)]
    sizes = [(stores, products) for stores in STORES for products in PRODUCTS]
    rows = [Row(name, *size) for name in ("step", "random") for size in sizes]
    rows += [Row("step", 4096, 10, lead) for lead in LEAD_TIMES]
    rows += [Row("lost-sales", stores, 1, 4, 64) for stores in STORES]
    rows += [Row("learned", stores, 10) for stores in STORES[:-1]]
    rows += [Row("learned", 256, products) for products in PRODUCTS[:-1]]
    rows += [Row("training iteration", stores, 10, periods=32) for stores in (256, 1024)]
    return [_shortened(row) for row in rows]


def too_large(row: Row) -> str | None:
    """Why a row is left out, or None."""
    needed, allowed = COPIES * row.state_bytes, SHARE_OF_MEMORY * psutil.virtual_memory().total
    if needed <= allowed:
        return None
    return f"about {needed / 2**30:.0f} GiB needed, {allowed / 2**30:.0f} GiB allowed"


def run_row(row: Row, by: str, repeats: int) -> dict[str, Any]:
    """One row in its own process."""
    config = Config(row.name, by, row.stores, row.products, row.lead_time, row.periods, repeats)
    flags = [
        part
        for field, value in asdict(config).items()
        for part in (f"--{field.replace('_', '-')}", str(value))
    ]
    command = [sys.executable, "-m", "benchmarks.throughput", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return _left_out(row, by, done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def measured(settings: Settings, has_numba: bool) -> Iterator[dict[str, Any]]:
    """Every row as it comes, jaxsim's with its ratio to the kernel's."""
    repeats = 3 if settings.quick else settings.repeats
    yield from limits.measure(repeats)
    for row in planned(settings.quick):
        reason = too_large(row)
        if reason:
            yield _left_out(row, "jaxsim", reason)
            continue
        ours = run_row(row, "jaxsim", repeats)
        theirs = run_row(row, "numba", repeats) if has_numba and row.name in BY_HAND else {}
        if "per_second" in theirs and "per_second" in ours:
            ours["ratio_to_numba"] = ours["per_second"] / theirs["per_second"]
        yield from (each for each in (ours, theirs) if each)


def against_random(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lost-sales rows also against the kernel on ten products with slates at random: the rate
    that the smallest store's is held against."""
    kernel = [
        row["per_second"]
        for row in rows
        if (row["name"], row["by"]) == ("random", "numba") and row.get("products") == 10
        if "per_second" in row
    ]
    for row in rows if kernel else []:
        if row["name"] == "lost-sales" and row["by"] == "jaxsim" and "per_second" in row:
            row["ratio_to_numba_random"] = row["per_second"] / max(kernel)
    return rows


def table(rows: list[dict[str, Any]], title: str) -> Table:
    """All rows that ran."""
    drawn = Table(
        "row", "by", "stores", "products", "lead", "M store-periods/s", "range",
        "M product-periods/s", "× numba", "compile s", "peak GiB", title=title,
    )  # fmt: skip
    for row in filter(_is_timed, rows):
        drawn.add_row(*cells(row))
    return drawn


def cells(row: dict[str, Any]) -> list[str]:
    ratio = row.get("ratio_to_numba")
    return [
        row["name"],
        row["by"],
        f"{row['stores']:,}",
        f"{row['products']:,}",
        str(row["lead_time"]),
        f"{row['per_second'] / 1e6:.3g}",
        f"{row['per_second_least'] / 1e6:.3g} to {row['per_second_most'] / 1e6:.3g}",
        f"{row['product_periods_per_second'] / 1e6:.3g}",
        f"{ratio:.2f}" if ratio else "",
        f"{row['compile_seconds']:.1f}",
        f"{row['peak_memory_bytes'] / 2**30:.2f}",
    ]


def as_markdown(body: dict[str, Any]) -> str:
    """The results as a page shows them."""
    head = [str(column.header) for column in table([], "").columns]
    rows = [cells(row) for row in body["rows"] if _is_timed(row)]
    lines = ["| " + " | ".join(each) + " |" for each in (head, ["---"] * len(head), *rows)]
    machine = body["machine"]
    versions = ", ".join(f"{name} {found}" for name, found in machine["versions"].items())
    where = f"{machine['device']}, {machine['threads']} threads, {machine['dtype']}, {versions}"
    can = [
        f"{row['name']} {row['per_second'] / 1e9:.1f} G {row['unit']}/s"
        for row in body["rows"]
        if row["by"] == "machine"
    ]
    return "\n".join([f"{where}. The machine: {', '.join(can)}.", "", *lines])


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Speed against stores, ten products, both axes logarithmic; and against products."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5))
    for axis, along, fixed, unit in (
        (axes[0], "stores", ("products", (1, 10)), "per_second"),
        (axes[1], "products", ("stores", (4096,)), "product_periods_per_second"),
    ):
        for key in dict.fromkeys((row["name"], row["by"]) for row in rows if _is_timed(row)):
            points = sorted(
                (row[along], row[unit])
                for row in rows
                if _is_timed(row) and (row["name"], row["by"]) == key and row[fixed[0]] in fixed[1]
            )
            if len(points) > 1:
                axis.plot(*zip(*points, strict=True), "o-", label=", ".join(key))
        axis.set(xscale="log", yscale="log", xlabel=along, ylabel=unit.replace("_", " "))
        if axis.lines:
            axis.legend(fontsize=7)
    figure.tight_layout()
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, format="png", dpi=120)
    plt.close(figure)
    temporary.replace(path)


def main(settings: Settings) -> None:
    console = Console(width=150)
    if settings.render:
        print(as_markdown(json.loads((settings.out / RESULTS).read_text(encoding="utf-8"))))
        return
    folder, machine, rows = open_folder(settings.out), measure.machine(), []
    has_numba = "numba" in machine["versions"]
    if not has_numba:
        console.print("numba is not installed: no kernel beside (pip install -e '.[bench]')")
    for row in measured(settings, has_numba):
        rows.append(row)
        said = (
            f"{row['per_second']:.4g} {row['unit']}/s" if "per_second" in row else row["left_out"]
        )
        size = f"{row['stores']} × {row['products']}" if "stores" in row else ""
        console.print(f"[dim]{row['name']} {row['by']} {size}: {said}[/dim]")
    write_json(folder / RESULTS, {"machine": machine, "rows": against_random(rows)})
    draw(rows, folder / "throughput.png")
    console.print(table(rows, f"{machine['device']}, {machine['threads']} threads"))


def _shortened(row: Row) -> Row:
    if row.name == "training iteration":
        return row
    most = LONGEST_CALL // (row.stores * row.products)
    return replace(row, periods=max(4, min(row.periods, most)))


def _left_out(row: Row, by: str, reason: str) -> dict[str, Any]:
    return {
        "name": row.name, "by": by, "stores": row.stores, "products": row.products,
        "lead_time": row.lead_time, "left_out": reason,
    }  # fmt: skip


def _is_timed(row: dict[str, Any]) -> bool:
    return "per_second" in row and "stores" in row


if __name__ == "__main__":
    main(tyro.cli(Settings))
