"""Reading a retailer's transactions: a CSV or Parquet file with named columns, validated."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from jaxsim.errors import UserError, nearest

ROLES = ("date", "product", "price", "customer", "segment", "cost", "group", "quantity")
NEEDED = ROLES[:3]


class CalibrationError(UserError):
    """Transactions that cannot be used: the message names file, column, value, what is allowed."""


def parse_columns(pairs: tuple[str, ...]) -> dict[str, str]:
    """("date=Day", …) to {"date": "Day", …}. Raises `CalibrationError` for an unknown role."""
    columns = {}
    for pair in pairs:
        role, _, column = pair.partition("=")
        if role not in ROLES or not column:
            raise CalibrationError(
                f"columns: {pair!r}; allowed: ROLE=COLUMN with ROLE one of {', '.join(ROLES)}"
            )
        columns[role] = column
    missing = [role for role in NEEDED if role not in columns]
    if missing:
        raise CalibrationError(f"columns: no {missing[0]}; needed: {', '.join(NEEDED)}")
    return columns


def read_transactions(path: Path, columns: dict[str, str], margin: float = 0.25) -> pd.DataFrame:
    """One row per purchase with columns date, product, price, segment, cost, group and, where
    given, customer. Price and cost are money for the whole row. Rows without a payment (returns,
    gifts) are left out; an empty segment or group becomes `unknown`.

    columns: the file's column for each role. margin: over price, where there is no cost column.
    Raises `CalibrationError` for a missing or unreadable file, a missing column (naming the
    nearest), dates that cannot be read, values that are not numbers or negative, and no rows.
    """
    raw = _read(Path(path))
    for role, column in columns.items():
        if column not in raw.columns:
            near = nearest(column, raw.columns.astype(str))
            hint = f"did you mean {near}? " if near else ""
            raise CalibrationError(
                f"{path}: no column {column!r} for {role}; {hint}it has: "
                f"{', '.join(map(str, raw.columns))}; say --columns {role}=ONE_OF_THEM"
            )
    table = pd.DataFrame({role: raw[column] for role, column in columns.items()})
    if table.empty:
        raise CalibrationError(f"{path}: has no rows")
    table["date"] = _dates(table["date"], path, columns["date"])
    numbers = [role for role in ("price", "cost", "quantity") if role in columns]
    for role in numbers:
        table[role] = _number(table[role], path, columns[role])
    if "quantity" in columns:
        for role in numbers[:-1]:
            table[role] = table[role] * table["quantity"]
    for role in {"segment", "group"} & set(columns):
        table[role] = table[role].fillna("unknown").astype(str).str.strip()
    for role in {"product", "customer"} & set(columns):
        empty = np.flatnonzero(table[role].isna())
        if len(empty):
            row = int(empty[0]) + 2
            raise CalibrationError(
                f"{path}: column {columns[role]!r} is empty in row {row}; allowed: a name or number"
            )
        table[role] = table[role].astype(str).str.strip()
    if "cost" not in table:
        table["cost"] = table["price"] * (1 - margin)
    for role in ("segment", "group"):
        if role not in table:
            table[role] = "all"
    table = table[table["price"] > 0]
    if table.empty:
        raise CalibrationError(f"{path}: column {columns['price']!r} is 0 in every row")
    return table.reset_index(drop=True)


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.name.endswith((".csv", ".csv.zip", ".csv.gz")):
            return _read_csv(path)
    except FileNotFoundError:
        raise CalibrationError(f"transactions: {path} does not exist") from None
    except Exception as error:  # pandas and pyarrow raise many kinds for a malformed file
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise CalibrationError(f"transactions: {path} cannot be read ({first})") from None
    raise CalibrationError(
        f"transactions: {path}; allowed: a .csv, .csv.zip, .csv.gz or .parquet file"
    )


def _read_csv(path: Path) -> pd.DataFrame:
    """Separated by commas, by tabs, or by semicolons with decimal commas, as the header shows."""
    header = pd.read_csv(path, nrows=0).columns
    if len(header) == 1 and ";" in header[0]:
        return pd.read_csv(path, sep=";", decimal=",")
    if len(header) == 1 and "\t" in header[0]:
        return pd.read_csv(path, sep="\t")
    return pd.read_csv(path)


def _dates(values: pd.Series, path: Path, column: str) -> pd.Series:
    """Days. Month first or day first, whichever reads the whole column: a history of more than
    twelve days can be read in one way only."""
    with warnings.catch_warnings():  # about formats; dates that cannot be read are refused below
        warnings.simplefilter("ignore", UserWarning)
        dates = pd.to_datetime(values, errors="coerce")
        if dates.isna().any():
            other = pd.to_datetime(values, errors="coerce", dayfirst=True)
            dates = other if other.isna().sum() < dates.isna().sum() else dates
    if dates.isna().any():
        row = int(np.flatnonzero(dates.isna())[0])
        raise CalibrationError(
            f"{path}: column {column!r} has {values.iloc[row]} in row {row + 2}; "
            "allowed: dates, such as 2024-03-01"
        )
    return dates.dt.normalize()


def _number(values: pd.Series, path: Path, column: str) -> pd.Series:
    money = pd.to_numeric(values, errors="coerce")
    wrong = ~(np.isfinite(money.to_numpy(float)) & (money.to_numpy(float) >= 0))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise CalibrationError(
            f"{path}: column {column!r} has {values.iloc[row]} in row {row + 2}; "
            "allowed: numbers from 0"
        )
    return money.astype(float)
