"""Reading a shop's file of transactions: columns of text, each read by stated rules, and said."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from jaxsim.calibration.aggregate import query_for, read_aggregated
from jaxsim.calibration.columns import (
    ROLES,
    CalibrationError,
    check_columns,
    parse_columns,
    usual_columns,
)  # fmt: skip
from jaxsim.calibration.reader import Reader, Said
from jaxsim.calibration.settings import TransactionsConfig
from jaxsim.calibration.source import database, open_parts, quoted
from jaxsim.calibration.week import closed_weekdays, named_weekdays


@dataclass(frozen=True)
class Sales:
    """What a shop sold."""

    table: pd.DataFrame
    """Purchases, as `jaxsim.calibration.aggregate.read_aggregated` gives them."""
    said: list[Said] = field(default_factory=list)


def read_transactions(
    config: TransactionsConfig, train_days: int = 0, products: tuple[str, ...] = ()
) -> Sales:
    """Purchases by day, segment and product. Identifiers are text, as they are; a day is one of the
    shop's own clock. Rows without a payment (returns, gifts) are left out and counted. `train_days`
    and `products` as in `query_for`.

    Raises `CalibrationError` for a missing or unreadable file, missing or unclear columns, dates
    and amounts that cannot be read or that can be read in two ways, empty names, and no rows.
    """
    path = config.transactions
    if path is None:
        raise CalibrationError("transactions: none; allowed: a file, a folder, or a pattern")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with database(scratch) as connection:
            parts = open_parts(path, scratch, connection)
            columns = parse_columns(config.columns) or usual_columns(parts[0].header, parts[0].path)
            for part in parts:
                check_columns(columns, part.header, part.path)
            reader = Reader(connection, parts, columns, path)
            reader.load()
            said = [reader.dates(config.date_order, config.first_day)]
            reader.amounts(config.decimal)
            about, *amounts = reader.typed()
            said += reader.names(given=bool(config.columns))
            own = {role: role for role in reader.columns}
            query = query_for(own, "typed", train_days, products, clean=True)
            target = scratch / "sales.parquet"
            connection.execute(f"COPY ({query}) TO {quoted(target)} (FORMAT parquet)")
        table = read_aggregated(target)
    said[0] = said[0]._replace(found=f"{said[0].found}; {_span(table)}")
    said = sorted([*said, *amounts], key=lambda line: ROLES.index(line.what))
    return Sales(table, [about, *said])


def _span(table: pd.DataFrame) -> str:
    """61 days from 2024-03-04 to 2024-05-03, closed on Sundays."""
    busy = table[table["product"].isna()].groupby("day")["purchases"].sum()
    every = pd.date_range(busy.index.min(), busy.index.max())
    weekday = every.day_of_week.to_numpy()
    closed = closed_weekdays(busy.reindex(every, fill_value=0.0).to_numpy(float), weekday)
    shut = f", closed on {named_weekdays(closed)}" if closed.any() and len(every) > 27 else ""
    return f"{len(every)} days from {every[0]:%Y-%m-%d} to {every[-1]:%Y-%m-%d}{shut}"
