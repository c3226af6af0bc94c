"""Goods that spoil, beside other libraries: `python -m benchmarks.perishables`.

The step of a store beside viso_jax's, and the best orders beside MDPax's, on products of De Moor,
Gijsbrechts and Boute (2022). Both sides run in one process, in turns, with the same versions of
Python and JAX, in an environment that is made on first use. Writes perishables.json.
"""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from agents.errors import RunError
from agents.files import open_folder, write_json
from benchmarks import command, measure
from benchmarks.peers.environments import ROOT, NotInstalled, default_folder, python_of
from benchmarks.results import times_as_fast

NAME = "perishables"
REQUIREMENTS = (
    f"jax=={jax.__version__}",
    "-e", str(ROOT),
    "gymnax==0.0.9", "numpyro==0.22.0", "tensorflow-probability==0.25.0",
    "hydra-core==1.3.2", "loguru==0.7.3",
)  # fmt: skip
# viso_jax is in no package index. They ask for CUDA's libraries and for an older NumPy: not needed.
BARE = (
    "mdpax==0.2.2",
    "git+https://github.com/joefarrington/viso_jax@0da656023a473ffa9fed37f2503ac2b805e75441",
)
PATHS = ((2, 1), (3, 2), (4, 7), (5, 6))
"""Shelf lives and experiments of the products whose paths are compared."""
LEVELS = {(2, 2): 7, (3, 2): 8, (5, 7): 9}
"""Base-stock levels of the products that are timed."""
STORES = (1_024, 8_192, 65_536)
PRODUCTS = ((2, 1), (2, 2), (2, 6), (3, 2), (4, 2))
"""Shelf lives and experiments of the products whose best orders are found."""


@dataclass(frozen=True)
class Settings:
    """Time stores of goods that spoil beside viso_jax's, and their best orders beside MDPax's."""

    out: Path = Path("runs/benchmarks")
    """Folder for perishables.json."""
    environments: Path = field(default_factory=default_folder)
    """Folder in which the peers' environment is kept."""
    repeats: int = 10
    """Timed turns of the step; of the best orders three."""
    periods: int = 64
    """Periods of a call."""


def step_sizes(settings: Settings) -> dict[str, Any]:
    """What `benchmarks.peers.viso_jax_store` is asked for."""
    cases = [(2, 2, stores) for stores in STORES] + [(3, 2, STORES[1]), (5, 7, STORES[1])]
    return {
        "repeats": settings.repeats,
        "periods": settings.periods,
        "paths": [{"shelf_life": life, "experiment": number} for life, number in PATHS],
        "cases": [
            {
                "shelf_life": life,
                "experiment": number,
                "level": LEVELS[life, number],
                "stores": stores,
            }
            for life, number, stores in cases
        ],
        "draws": [STORES[1]],
    }


def said(python: Path, module: str, size: dict[str, Any]) -> dict[str, Any]:
    """What a peer's script prints, run by its interpreter. Raises `RunError` in one line."""
    asked = [str(python), "-m", f"benchmarks.peers.{module}", json.dumps(size)]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise RunError(f"{module}: {last[0]}")
    return json.loads(done.stdout.splitlines()[-1])


def environment(folder: Path) -> Path:
    """The interpreter that has both peers. Raises `RunError`, saying what they need."""
    try:
        return python_of(NAME, REQUIREMENTS, folder, BARE)
    except NotInstalled as error:
        raise RunError(
            f"{error}; needed: pip with its package index for mdpax, and git with github.com for "
            "viso_jax, which has no package"
        ) from None


def step_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(
        "part", "m", "experiment", "stores", "ns, viso_jax", "ns, jaxsim", "times as fast", "range",
        "compile s", "cost (exact)", title="A store-period, one core; beside viso_jax",
    )  # fmt: skip
    for row in rows:
        cost = ""
        if "known_cost" in row:
            cost = "{viso_jax_cost:.2f}, {jaxsim_cost:.2f} ({known_cost:.2f})".format(**row)
        table.add_row(
            row["part"],
            str(row.get("shelf_life", "")),
            str(row.get("experiment", "")),
            f"{row['stores']:,}",
            f"{row['viso_jax_ns']:.0f}",
            f"{row['jaxsim_ns']:.0f}",
            times_as_fast(row["ratio"]),
            f"{row['ratio_least']:.2f} to {row['ratio_most']:.2f}",
            f"{row['viso_jax_compile_seconds']:.1f}, {row['jaxsim_compile_seconds']:.1f}",
            cost,
        )
    return table


def values_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(
        "m", "experiment", "states", "s, MDPax", "s to compile", "s, jaxsim", "times as fast",
        "cost, MDPax", "cost, jaxsim", title="Best orders; beside MDPax, compiled",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            str(row["shelf_life"]),
            str(row["experiment"]),
            f"{row['states']:,}",
            f"{row['mdpax_seconds']:.3f}",
            f"{row['mdpax_compile_seconds']:.1f}",
            f"{row['jaxsim_seconds']:.3f}",
            times_as_fast(row["ratio"]),
            f"{row['mdpax_cost']:.5f}",
            f"{row['jaxsim_cost']:.5f}",
        )
    return table


def main(settings: Settings) -> None:
    command.refuse_none(settings, "repeats", "periods")
    folder, console = open_folder(settings.out), Console(width=150)
    python, machine = environment(open_folder(settings.environments)), measure.machine()
    walked = said(python, "viso_jax_store", step_sizes(settings))
    solved = said(python, "mdpax_values", {"repeats": 3, "products": PRODUCTS})
    rows = walked["rows"] + solved["rows"]
    body = {"machine": machine, "same_paths": walked["paths"], "rows": rows}
    write_json(folder / f"{NAME}.json", body)
    periods = sum(each["periods"] for each in walked["paths"])
    console.print(f"The same demand and orders on both sides: alike in all {periods} periods.")
    console.print(step_table(walked["rows"]))
    console.print(values_table(solved["rows"]))


if __name__ == "__main__":
    command.run(main, Settings)
