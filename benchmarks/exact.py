"""Seconds and memory of exact solutions, from a cold start: `python -m benchmarks.exact`.

Every store is solved in a process of its own, so that compilation is counted and the peak of memory
is the store's. Targets: `pair` within 20 s, lost sales with lead time 4 within 60 s and 2 GiB, on
two CPU cores.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agents.files import open_folder, write_json
from jaxsim.exact.classical import PENALTIES, one_product
from jaxsim.exact.optimum import optimum
from jaxsim.params import Params
from jaxsim.scenarios import get

OUT = Path("runs/benchmarks/exact.json")
TOLERANCE = 1e-4  # money per period
SECONDS_ALLOWED = {"pair": 20.0} | {
    f"{family} {penalty:g}": 60.0 for family in ("poisson", "geometric") for penalty in PENALTIES
}


def store_of(name: str) -> Params:
    """`pair`, or a lost-sales store with lead time 4 by family and penalty."""
    if name == "pair":
        return get("pair").params()
    family, penalty = name.split()
    return one_product("lost-sales", float(penalty), 4, family)


def measure(name: str) -> dict[str, float | str]:
    """Solves one store; the seconds count from here, imports and start of Python before."""
    start = time.perf_counter()
    found = optimum(store_of(name), tolerance=TOLERANCE)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "store": name,
        "seconds": seconds,
        "peak_gib": peak,
        "states": found.solution.value.size,
        "profit": found.profit,
        "bound": found.bound,
    }


def main(arguments: list[str]) -> None:
    if arguments:
        print(json.dumps(measure(" ".join(arguments))))
        return
    table = Table("store", "seconds", "allowed", "peak GiB", "states", "profit", "bound")
    rows = []
    for name, allowed in SECONDS_ALLOWED.items():
        command = [sys.executable, "-m", "benchmarks.exact", *name.split()]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        row = json.loads(said.splitlines()[-1])
        rows.append(row)
        table.add_row(
            name,
            f"{row['seconds']:.1f}",
            f"{allowed:g}",
            f"{row['peak_gib']:.2f}",
            f"{row['states']:,}",
            f"{row['profit']:.4f}",
            f"{row['bound']:.0e}",
        )
    write_json(open_folder(OUT.parent) / OUT.name, {"exact": rows})
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
