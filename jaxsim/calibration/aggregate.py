"""The small table between a shop's records and a store: purchases by day, segment and product.

One query makes it, of standard SQL, so that a warehouse can run it where the records are.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd

from jaxsim.calibration.columns import CalibrationError, check_columns
from jaxsim.calibration.source import database, first_line, named, open_parts, quoted

COLUMNS = (
    "day", "segment", "product", "category", "purchases", "pieces", "pieces_squared", "paid",
    "cost", "visitors",
)  # fmt: skip
PIECES = ("pieces", "pieces_squared")
"""Pieces, and the sum of the squares of each purchase's; where a table has neither, a purchase is a
piece."""
EMPTY_ALLOWED = ("product", "category", "cost", "visitors")

QUERY = """\
-- Purchases by day, segment and product, of products sold on two days in three of those to fit;
-- rows without a product are of all products, and have the number of customers.
WITH bought AS (
  SELECT {date} AS day, {segment} AS segment, {product} AS product, {category} AS category,
         {customer} AS customer, {pieces} AS pieces, {price} AS paid, {cost} AS cost
  FROM {table}
  WHERE {kept}
),
days AS (
  SELECT day, ROW_NUMBER() OVER (ORDER BY day) AS number, COUNT(*) OVER () AS all_days
  FROM (SELECT DISTINCT day FROM bought) AS each_day
),
history AS (SELECT day FROM days WHERE {fitted}),
steady AS (
  SELECT product
  FROM (SELECT DISTINCT product, day FROM bought) AS sold
  WHERE day IN (SELECT day FROM history)
  GROUP BY product
  HAVING 3 * COUNT(*) >= 2 * (SELECT COUNT(*) FROM history)
),
visits AS (
  SELECT day, segment, COUNT(customer) AS visitors
  FROM (SELECT DISTINCT day, segment, customer FROM bought) AS seen
  GROUP BY day, segment
),
totals AS (
  SELECT day, segment, COUNT(*) AS purchases, SUM(pieces) AS pieces,
         SUM(pieces * pieces) AS pieces_squared, SUM(paid) AS paid, SUM(cost) AS cost
  FROM bought
  GROUP BY day, segment
)
SELECT day, segment, product, category, COUNT(*) AS purchases, SUM(pieces) AS pieces,
       SUM(pieces * pieces) AS pieces_squared, SUM(paid) AS paid, SUM(cost) AS cost,
       NULL AS visitors
FROM bought
WHERE product IN ({chosen})
GROUP BY day, segment, product, category
UNION ALL
SELECT totals.day, totals.segment, NULL, NULL, totals.purchases, totals.pieces,
       totals.pieces_squared, totals.paid, totals.cost, {visitors}
FROM totals JOIN visits ON visits.day = totals.day AND visits.segment = totals.segment
"""


def query_for(
    columns: dict[str, str],
    table: str = "transactions",
    train_days: int = 0,
    products: tuple[str, ...] = (),
    clean: bool = False,
) -> str:
    """The query over a table with a row per purchase. columns: its column for each role. Rows
    without a payment are left out. Pieces are the quantity; a purchase of no whole number of pieces
    is weighed goods, and one piece. train_days: days to fit on, 0 for the first three quarters.
    products: those to keep; by default all that sell nearly every day. clean: names are texts
    without blanks around them already."""
    price, cost = "price", "cost"
    amount = {
        role: f"CAST({named(columns[role])} AS DECIMAL(18, 6))"
        for role in ("price", "cost", "quantity")
        if role in columns
    }
    quantity = amount.get("quantity", "1")
    times = f" * {quantity}" if "quantity" in columns else ""
    whole = f"CASE WHEN {quantity} = FLOOR({quantity}) THEN CAST({quantity} AS BIGINT) ELSE 1 END"
    kept = [f"{named(columns[role])} > 0" for role in ("price", "quantity") if role in columns]
    chosen = ", ".join(map(quoted, products)) or "SELECT product FROM steady"
    return QUERY.format(
        date=f"CAST({named(columns['date'])} AS DATE)",
        segment=_label(columns.get("segment"), clean),
        product=_text(columns["product"], clean),
        category=_label(columns.get("group"), clean),
        customer=_text(columns["customer"], clean) if "customer" in columns else "NULL",
        pieces=whole if "quantity" in columns else "1",
        price=amount[price] + times,
        cost=amount[cost] + times if cost in amount else "NULL",
        table=table,
        kept=" AND ".join(kept),
        fitted=f"number <= {train_days}" if train_days else "4 * number <= 3 * all_days + 3",
        chosen=chosen,
        visitors="visits.visitors" if "customer" in columns else "NULL",
    )


def read_aggregated(path: Path) -> pd.DataFrame:
    """The table that the query makes, from CSV or Parquet: a row for each day, segment and product,
    and one for each day and segment with all products together, whose product is missing. Columns:
    day, segment, product, category, purchases, `PIECES`, paid and cost (money), visitors
    (customers; missing where there are no customers). Raises `CalibrationError`."""
    with tempfile.TemporaryDirectory() as scratch, database(Path(scratch)) as connection:
        parts = open_parts(path, Path(scratch), connection)
        header = [name.lower() for name in parts[0].header]
        instead: dict[str, str]
        instead = {} if set(PIECES) & set(header) else dict.fromkeys(PIECES, "purchases")
        read = {name: instead.get(name, name) for name in COLUMNS}
        check_columns(read, header, path)
        places = {name: f"nullif(trim(c{header.index(own)}), '')" for name, own in read.items()}
        for part in parts:
            if [name.lower() for name in part.header] != header:
                raise CalibrationError(f"aggregated: {part.path} has other columns than the first")
        numbers = dict.fromkeys(COLUMNS[4:], "DOUBLE") | {"day": "DATE"}
        cells = [
            f"{f'TRY_CAST({place} AS {numbers[name]})' if name in numbers else place} AS {name}"
            for name, place in places.items()
        ]
        given = [f"{place} AS given_{name}" for name, place in places.items()]
        union = " UNION ALL ".join(f"({part.query})" for part in parts)
        try:
            connection.execute(
                f"CREATE TEMP TABLE ready AS SELECT {', '.join(cells + given)} FROM ({union})"
            )
        except duckdb.InvalidInputException as error:
            why = first_line(error)
            raise CalibrationError(f"aggregated: {path} cannot be read ({why})") from None
        _check(connection, path, parts[0].row)
        kept = ", ".join(COLUMNS)
        sorted_rows = connection.sql(f"SELECT {kept} FROM ready ORDER BY ALL").to_arrow_table()
    table = sorted_rows.to_pandas(date_as_object=False)
    if table["product"].notna().all():
        raise CalibrationError(
            f"aggregated: {path} needs a row without a product for each day and segment; "
            "python train.py calibrate --print-sql prints the query that makes them"
        )
    table["day"] = table["day"].astype("datetime64[us]")
    return table.astype(dict.fromkeys(COLUMNS[4:], float))


def _check(connection: duckdb.DuckDBPyConnection, path: Path, row: Callable[[int], int]) -> None:
    for name in COLUMNS:
        empty = "" if name in EMPTY_ALLOWED else f" OR {name} IS NULL"
        numeric = f" OR {name} < 0 OR NOT isfinite({name})" if name in COLUMNS[4:] else ""
        wrong = connection.sql(
            f"SELECT rowid, given_{name} FROM ready WHERE (given_{name} IS NOT NULL AND {name} IS "
            f"NULL){empty}{numeric} ORDER BY rowid LIMIT 1"
        ).fetchall()
        for found in wrong:
            allowed = "a date" if name == "day" else "a name" if not numeric else "numbers from 0"
            raise CalibrationError(
                f"aggregated: {path}: column {name!r} has {found[1] or 'nothing'} in row "
                f"{row(found[0])}; allowed: {allowed}"
            )


def _text(column: str, clean: bool) -> str:
    return named(column) if clean else f"TRIM(CAST({named(column)} AS VARCHAR))"


def _label(column: str | None, clean: bool) -> str:
    """A segment or a category: `unknown` in an empty cell, `all` where there is no column."""
    if column is None:
        return "'all'"
    text = named(column) if clean else f"NULLIF({_text(column, clean)}, '')"
    return f"COALESCE({text}, 'unknown')"
