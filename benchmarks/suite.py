"""The benchmark: every row, the tables, one picture. `make bench`, or `python -m benchmarks.suite`.

Each row runs in a process of its own, so that its peak of memory is its own; the numba kernel's row
follows at once. Writes results.json, RESULTS.md and throughput.png.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from agents.files import open_folder, write_json, write_text
from benchmarks import command, limits, measure, results
from benchmarks.bars import bars
from benchmarks.peers.environments import default_folder
from benchmarks.peers.measuring import measured as measured_peers
from benchmarks.rows import left_out, planned, run_row, too_large
from benchmarks.throughput import BY_HAND


@dataclass(frozen=True)
class Settings:
    """Time everything, and write it down."""

    out: Path = Path("benchmarks")
    """Folder for results.json, RESULTS.md and throughput.png."""
    quick: bool = False
    """A few rows, three repeats, no peers, no whole training: does it run, and roughly how fast?"""
    repeats: int = 10
    """Timed calls of each row."""
    environments: Path = field(default_factory=default_folder)
    """Folder in which the peers' environments are kept; they are made on first use."""


def measured(settings: Settings, has_numba: bool) -> Iterator[dict[str, Any]]:
    """Every row as it comes."""
    quick, repeats = settings.quick, 3 if settings.quick else settings.repeats
    machine = limits.measure(repeats)
    yield from machine
    yield from stores(quick, repeats, has_numba)
    yield from elsewhere("sampler", "--repeats", repeats)
    matrix_rate = machine[0]["per_second"]
    yield from elsewhere("iteration", "--repeats", repeats, "--matrix-rate", matrix_rate)
    yield from elsewhere("sweep", "--seeds", *((1, 4) if quick else (1, 4, 16)))
    if not quick:
        yield from elsewhere("whole_training")
        yield from measured_peers(open_folder(settings.environments), repeats)


def stores(quick: bool, repeats: int, has_numba: bool) -> Iterator[dict[str, Any]]:
    """Rows of stores, jaxsim's with its ratio to the kernel's."""
    for row in planned(quick):
        reason = too_large(row)
        if reason:
            yield left_out(row, "jaxsim", reason)
            continue
        ours = run_row(row, "jaxsim", repeats)
        theirs = run_row(row, "numba", repeats) if has_numba and row.name in BY_HAND else {}
        if "per_second" in theirs and "per_second" in ours:
            ours["ratio_to_numba"] = ours["per_second"] / theirs["per_second"]
        yield from (each for each in (ours, theirs) if each)


def elsewhere(module: str, *flags: Any) -> list[dict[str, Any]]:
    """The rows that another benchmark writes, run in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        start = [sys.executable, "-m", f"benchmarks.{module}", "--out", folder]
        done = subprocess.run([*start, *map(str, flags)], capture_output=True, text=True)
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1]
            return [{"name": module, "by": "jaxsim", "left_out": reason}]
        return json.loads((Path(folder) / f"{module}.json").read_text(encoding="utf-8"))["rows"]


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


def said(row: dict[str, Any]) -> str:
    """One row in one line."""
    which = " × ".join(str(row[key]) for key in ("stores", "products") if key in row)
    what = row["left_out"] if "left_out" in row else f"{row['per_second']:.4g} {row['unit']}/s"
    return f"{row['name']} {row.get('part', '')} {row['by']} {which}: {what}"


def main(settings: Settings) -> None:
    console = Console(width=150)
    folder, machine, rows = open_folder(settings.out), measure.machine(), []
    has_numba = "numba" in machine["versions"]
    if not has_numba:
        console.print("numba is not installed: no kernel beside (pip install -e '.[bench]')")
    for row in measured(settings, has_numba):
        rows.append(row)
        console.print(f"[dim]{said(row)}[/dim]")
    rows = against_random(rows)
    body = {"machine": machine, "bars": bars(rows), "rows": rows}
    write_json(folder / "results.json", body)
    write_text(folder / "RESULTS.md", results.as_markdown(body))
    results.draw(rows, folder / "throughput.png")
    for table in results.printed(body):
        console.print(table)


if __name__ == "__main__":
    command.run(main, Settings)
