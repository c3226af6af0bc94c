"""What reading a shop's transactions takes: `python -m benchmarks.reading`.

Files of made-up receipts over a year, as CSV, are aggregated as `calibrate` does, each in a process
of its own: seconds of processor time, and the most memory that the process had. The shop has 5,000
products that sell as 1 over their rank, 200,000 customers and 2,000 prices. Writes reading.json.
"""

import multiprocessing
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from agents.files import open_folder, write_json
from benchmarks import command, measure

ROLES = (
    "date=day", "product=sku", "price=price", "quantity=pieces", "customer=card", "segment=age",
    "group=shelf",
)  # fmt: skip
RECEIPTS = """
COPY (
    SELECT DATE '2024-01-01' + CAST(hash(row) % 365 AS INTEGER) AS day,
        printf('%06d', rank) AS sku,
        round(0.5 + (hash(row + 2) % 2000) / 100, 2) AS price,
        1 + hash(row + 3) % 3 AS pieces,
        hash(row + 4) % 200000 AS card,
        ['18-30', '31-50', '51-70'][1 + CAST(hash(row + 5) % 3 AS INTEGER)] AS age,
        printf('shelf %d', rank % 40) AS shelf
    FROM (
        SELECT row, CAST(pow(5000, hash(row + 1) % 1000003 / 1000003) AS INTEGER) AS rank
        FROM range({rows}) AS numbers(row)
    )
) TO '{path}'
"""


@dataclass(frozen=True)
class Settings:
    """Read files of transactions, and say what it took."""

    out: Path = Path("runs/benchmarks")
    """Folder for reading.json."""
    rows: tuple[int, ...] = (1_250_000, 5_000_000, 20_000_000)
    """Lengths of the files."""


def reading(path: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and GiB at most that one file takes, imports apart."""
    from jaxsim.calibration.settings import TransactionsConfig
    from jaxsim.calibration.transactions import read_transactions

    began, spent = time.perf_counter(), time.process_time()
    read_transactions(TransactionsConfig(transactions=path, columns=ROLES))
    seconds, spent = time.perf_counter() - began, time.process_time() - spent
    return seconds, spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def row_of(rows: int) -> dict[str, Any]:
    """One file, written, read by a process of its own, and thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "receipts.csv"
        duckdb.sql(RECEIPTS.format(rows=rows, path=path))
        size = path.stat().st_size
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, spent, most = pool.apply(reading, (path,))
    return {
        "rows": rows, "bytes": size, "seconds": seconds, "processor_seconds": spent,
        "peak_gib": most,
    }  # fmt: skip


def main(settings: Settings) -> None:
    folder = open_folder(settings.out)
    found = [row_of(rows) for rows in settings.rows]
    write_json(folder / "reading.json", {"machine": measure.machine(), "rows": found})
    table = Table("rows", "MB", "seconds", "processor seconds", "GiB at most")
    for row in found:
        table.add_row(
            f"{row['rows']:,}", f"{row['bytes'] / 1e6:,.0f}", f"{row['seconds']:.1f}",
            f"{row['processor_seconds']:.1f}", f"{row['peak_gib']:.2f}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    command.run(main, Settings)
