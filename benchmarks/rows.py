"""Which rows the benchmark has, and how one is run: in a process of its own."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from typing import Any

import psutil

from benchmarks.throughput import Config
from benchmarks.workloads import Row

STORES = (2**7, 2**10, 2**12, 2**13, 2**16)
PRODUCTS, LEAD_TIMES = (2, 10, 50, 200, 2000), (1, 4, 16)
LONGEST_CALL = 2**22  # product-periods: a call is cut down to about this many, 4 periods or more
SHARE_OF_MEMORY, COPIES = 0.5, 12  # a row's stores are held about this many times over


def planned(quick: bool) -> list[Row]:
    """The rows: along stores, and along products with few stores and with many."""
    if quick:
        rows = [Row(name, 4096, 10) for name in ("step", "random")]
        rows += [Row("step", 256, 200, periods=4), Row("lost-sales", 8192, 1, 4, 64)]
        return [*rows, Row("learned", 256, 10), Row("training iteration", 256, 10, periods=32)]
    rows = [Row(name, stores, 10) for name in ("step", "random") for stores in STORES]
    others = [products for products in PRODUCTS if products != 10]
    rows += [Row("step", stores, products) for stores in (256, 4096) for products in others]
    rows += [Row("step", 256, 10)]
    rows += [Row("random", 4096, products) for products in others]
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
        return left_out(row, by, done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def left_out(row: Row, by: str, reason: str) -> dict[str, Any]:
    """A row of the results that says why nothing was timed."""
    return {
        "name": row.name, "by": by, "stores": row.stores, "products": row.products,
        "lead_time": row.lead_time, "left_out": reason,
    }  # fmt: skip


def _shortened(row: Row) -> Row:
    if row.name == "training iteration":
        return row
    most = LONGEST_CALL // (row.stores * row.products)
    return replace(row, periods=max(4, min(row.periods, most)))
