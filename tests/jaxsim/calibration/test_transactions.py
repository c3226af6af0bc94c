"""Files as shops export them: every way to write days, money and names, one small file each."""

import gzip
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from jaxsim.calibration.calibrate import calibrate, history_of, portable_query
from jaxsim.calibration.columns import CalibrationError
from jaxsim.calibration.estimates import market_state, weekly_season
from jaxsim.calibration.settings import CalibrateConfig
from jaxsim.calibration.transactions import Sales, TransactionsConfig, read_transactions

START = date(2024, 3, 4)  # a Monday; clocks change within the forty days
DAYS = [START + timedelta(days=number) for number in range(40)]
COLUMNS = ("date=when", "product=what", "price=paid")
CHANGE = date(2024, 3, 31)


def rows(day: Callable[[date], str] = str, paid: str = "1.5") -> list[list[str]]:
    """Two of 007 and one of tea on each day."""
    return [[day(each), what, paid] for each in DAYS for what in ("007", "007", "tea")]


def written(path: Path, table: list[list[str]], separator: str = ",", header: str = "") -> Path:
    quoted = [[f'"{cell}"' if separator in cell else cell for cell in row] for row in table]
    lines = [header or separator.join(("when", "what", "paid")), *map(separator.join, quoted)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(path: Path, columns: tuple[str, ...] = COLUMNS, **settings) -> Sales:
    return read_transactions(TransactionsConfig(transactions=path, columns=columns, **settings))


def said(sales: Sales) -> str:
    return "\n".join(" ".join(line) for line in sales.said)


def purchases(sales: Sales) -> list[tuple]:
    """Day, product and number of purchases."""
    own = sales.table[sales.table["product"].notna()]
    return sorted(zip(own["day"].dt.date, own["product"], own["purchases"], strict=True))


WHOLE = sorted((day, what, n) for day in DAYS for what, n in (("007", 2.0), ("tea", 1.0)))


def stamp(day: date, a_second: int) -> str:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return str(int(noon.timestamp()) * a_second)


WAYS: dict[str, tuple[Callable[[date], str], str]] = {
    "offsets": (
        lambda day: f"{day} 23:30:00 {'+0200' if day >= CHANGE else '+0100'}", "own clock",
    ),
    "fractions": (lambda day: f"{day}T14:39:01{'.5' * (day.day % 2)}", "ISO; 40 days"),
    "mixed": (lambda day: str(day) if day.day % 2 else f"{day:%Y%m%d}", "ISO and as 20240304"),
    "compact": (lambda day: f"{day:%Y%m%d}", "as 20240304"),
    "serial": (lambda day: f"{(day - date(1899, 12, 30)).days}.75", "spreadsheet"),
    "seconds": (lambda day: stamp(day, 1), "seconds since 1970"),
    "nanoseconds": (lambda day: stamp(day, 10**9), "nanoseconds since 1970"),
    "dotted": (lambda day: f"{day:%d.%m.%Y}", "day first"),
    "american": (lambda day: f"{day:%m/%d/%y} 5:07 PM", "month first"),
    "short": (lambda day: f"{day:%y-%m-%d}", "year first"),
    "names": (lambda day: f"{day:%a, %d %B %Y} 10:00", "names of months"),
}  # fmt: skip


@pytest.mark.parametrize(("way", "told"), WAYS.values(), ids=WAYS)
def test_a_day_is_the_shop_s_own_however_it_is_written(tmp_path, way, told):
    sales = read(written(tmp_path / "sales.csv", rows(way)))
    assert purchases(sales) == WHOLE
    assert told in said(sales)


def test_numbered_days_need_a_calendar(tmp_path):
    path = written(tmp_path / "sales.csv", rows(lambda day: str((day - START).days + 1)))
    with pytest.raises(CalibrationError, match=r"1 to 40, .* day numbers.*--first-day"):
        read(path)
    assert purchases(read(path, first_day=START)) == WHOLE


def test_an_order_of_day_and_month_that_no_date_decides_is_asked_for(tmp_path):
    early = [[f"{day:%d/%m/%Y}", "tea", "2"] for day in DAYS if day.day <= 12]
    path = written(tmp_path / "sales.csv", early)
    with pytest.raises(CalibrationError, match=r"day first or month first.*--date-order"):
        read(path)
    assert read(path, date_order="dmy").table["day"].max() == pd.Timestamp("2024-04-12")


MONEY = {
    "dollars": ("$1,500.00", 1500.0), "euro": ("1.500,00 €", 1500.0), "blanks": ("1 500,5", 1500.5),
    "rupees": ("Rs. 1,50,000.00", 150_000.0), "swiss": ("CHF 1'500.00", 1500.0),
    "bare": (".75", 0.75), "scientific": ("1.5e3", 1500.0), "plain": ("800", 800.0),
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), MONEY.values(), ids=MONEY)
def test_money_is_read_as_it_is_meant(tmp_path, text, value):
    sales = read(written(tmp_path / "sales.csv", rows(paid=text), separator=";"))
    own = sales.table[sales.table["product"] == "tea"]
    np.testing.assert_array_equal(own["paid"], value)


def test_money_that_can_be_read_in_two_ways_is_asked_for(tmp_path):
    table = [*rows(paid="1.500"), *rows(paid="800")]
    path = written(tmp_path / "sales.csv", table)
    with pytest.raises(
        CalibrationError, match=r"1\.500 in row 2.*--decimal point.*--decimal comma"
    ):
        read(path)
    for decimal, most in (("point", 801.5), ("comma", 2300)):
        own = read(path, decimal=decimal).table
        np.testing.assert_array_equal(own[own["product"] == "tea"]["paid"], most)


@pytest.mark.parametrize("back", ["-1.5", "(1.50)", "1.50-", "$-1.50"])
def test_returns_are_left_out_counted_and_said(tmp_path, back):
    table = [*rows(), [str(DAYS[3]), "tea", back], [str(DAYS[4]), "tea", "0"]]
    sales = read(written(tmp_path / "sales.csv", table))
    assert purchases(sales) == WHOLE
    assert "1 return left out; 1 row without a payment left out" in said(sales)


FILES: dict[str, tuple[str, Callable[[Path, str], object]]] = {
    "capitals": ("SALES.CSV", lambda path, text: path.write_text(text)),
    "tabs": ("sales.tsv", lambda path, text: path.write_text(text.replace(",", "\t"))),
    "bars": ("sales.txt", lambda path, text: path.write_text(text.replace(",", "|"))),
    "marked": ("s.csv", lambda path, text: path.write_text("sep=;\n" + text.replace(",", ";"))),
    "bom": ("sales.csv", lambda path, text: path.write_text(text, encoding="utf-8-sig")),
    "utf-16": ("sales.csv", lambda path, text: path.write_text(text, encoding="utf-16")),
    "windows": (
        "s.csv",
        lambda path, text: path.write_text(text + "2024-03-04,café,0\n", "cp1252"),
    ),
    "gzip": ("sales.csv.gz", lambda path, text: path.write_bytes(gzip.compress(text.encode()))),
    "trailing": ("s.csv", lambda path, text: path.write_text(re.sub("(5)\n", "\\1,\n", text))),
    "blank lines": (
        "s.csv",
        lambda path, text: path.write_text(text.replace("\n", "\n\n") + ",,\n"),
    ),
}


@pytest.mark.parametrize(("name", "write"), FILES.values(), ids=FILES)
def test_any_packing_of_the_same_rows_is_the_same_file(tmp_path, name, write):
    write(tmp_path / name, written(tmp_path / "plain", rows()).read_text())
    assert purchases(read(tmp_path / name)) == WHOLE


def test_folders_patterns_zips_and_parquet_are_read(tmp_path):
    table = pd.DataFrame(rows(), columns=["when", "what", "paid"])
    (tmp_path / "sales").mkdir()
    typed = table.assign(when=pd.to_datetime(table["when"]), paid=table["paid"].astype(float))
    typed[:60].to_parquet(tmp_path / "sales" / "1.pq")
    table[60:].to_csv(tmp_path / "sales" / "2.csv", index=False)
    assert purchases(read(tmp_path / "sales")) == WHOLE
    assert purchases(read(tmp_path / "sales" / "*")) == WHOLE
    with zipfile.ZipFile(tmp_path / "sales.csv.zip", "w") as archive:
        archive.writestr("sales.csv", table.to_csv(index=False))
    assert purchases(read(tmp_path / "sales.csv.zip")) == WHOLE


REFUSED = {
    "a number": ('2024-03-04,"two\nlines",1\n2024-03-04,tea,x\n', "'paid' has x in row 3; allowed"),
    "digits": (f"2024-03-04,tea,{'9' * 400}\n", r"9999... \(400 characters\) in row 2"),
    "a name": ("2024-03-04,tea,1\n\n2024-03-04, ,1\n", "'what' is empty in row 4; allowed"),
    "cells": ("2024-03-04,tea,1\n2024-03-04,tea,1,5\n", "row 3 has more cells than the header, 5"),
    "escape": ('2024-03-04,tea,"a\nb\x1b[31m"\n', r"has a\\nb\\x1b\[31m in row 2"),
    "month": ("2024-03-04,tea,1\n2024-13-04,tea,1\n", "has 2024-13-04 in row 3; allowed: dates"),
    "signs": ('2024-03-04,tea,1.50\n2024-03-04,tea,"1,50"\n', "1.50 in row 2.* 1,50 in row 3"),
    "gifts": ("2024-03-04,tea,0\n", "'paid' is 0 or less in every row"),
}


@pytest.mark.parametrize(("text", "match"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_names_the_row_of_a_spreadsheet_in_one_printable_line(tmp_path, text, match):
    (tmp_path / "sales.csv").write_text("when,what,paid\n" + text)
    with pytest.raises(CalibrationError, match=match) as error:
        read(tmp_path / "sales.csv")
    assert str(error.value).isprintable()


def test_columns_are_found_by_their_usual_names_or_asked_for(tmp_path):
    path = written(tmp_path / "s.csv", rows(), header="Created at,Lineitem name,Lineitem price")
    sales = read(path, columns=())
    assert purchases(sales) == WHOLE and "product Lineitem name text, 2 different" in said(sales)
    path = written(tmp_path / "s.csv", rows(), header="Order date,SKU,Item")
    with pytest.raises(CalibrationError, match="which is the product, 'SKU' or 'Item'"):
        read(path, columns=())


def opened(days: list[date], each: Callable[[date], int]) -> pd.DataFrame:
    """The table of a shop that sells so many of one product on each of these days."""
    sold = pd.DataFrame({"day": pd.to_datetime(days), "purchases": [each(day) for day in days]})
    sold = sold.assign(segment="all", paid=sold["purchases"] * 2.0, cost=np.nan, visitors=np.nan)
    sold = sold.assign(pieces=sold["purchases"], pieces_squared=sold["purchases"])
    return pd.concat([sold.assign(product="tea", category="all"), sold.assign(product=None)])


SETTINGS = CalibrateConfig(transactions=Path("sales.csv"))


def test_closed_weekdays_are_a_zero_of_the_week_and_no_swing_of_the_market():
    rng = np.random.default_rng(0)
    days = [START + timedelta(days=number) for number in range(120)]
    table = opened([day for day in days if day.weekday() < 5], lambda _: rng.poisson(30))
    history = history_of(table, SETTINGS)
    counts, season = history.counts, weekly_season(history.counts)
    assert (season[:, 5:] == 0).all() and (season[:, :5] > 0).all() and history.whole.all()
    expected = (counts.visitors.mean(0) * season.T[counts.weekday]).sum(1)
    assert market_state(counts, expected)[1] < 0.06


@pytest.mark.parametrize("shrank", [True, False])
def test_a_shop_that_changed_for_good_has_no_gaps(shrank):
    days = [START + timedelta(days=number) for number in range(80)]
    change = days[62] if shrank else days[20]
    table = opened(days, lambda day: 30 if (day < change) == shrank else 6)
    assert history_of(table, SETTINGS).whole.all()
    lost = days[40:43]
    table = opened(days, lambda day: 3 if day in lost else 30)
    assert list(np.flatnonzero(~history_of(table, SETTINGS).whole)) == [40, 41, 42]


def test_a_history_that_cannot_be_fitted_is_refused_by_what_is_wrong_with_it():
    days = [START + timedelta(days=number) for number in range(60)]
    with pytest.raises(CalibrationError, match=r"sales on only 61 of the 2060 days.*mistaken"):
        history_of(opened([*days, START + timedelta(days=2059)], lambda _: 30), SETTINGS)
    table = opened(days, lambda _: 30)
    with pytest.raises(CalibrationError, match="no product was sold on five in six of the 45 days"):
        history_of(table[table["product"].isna()], SETTINGS)


def test_daily_totals_are_no_purchases():
    days = [START + timedelta(days=number) for number in range(60)]
    with pytest.raises(CalibrationError, match="one row a product and day"):
        history_of(opened(days, lambda _: 1), SETTINGS)


def test_the_table_that_a_database_makes_gives_the_same_store_to_the_last_digit(tmp_path):
    rng = np.random.default_rng(0)
    count = 3000
    table = pd.DataFrame(
        {
            "Day": pd.to_datetime(rng.choice(DAYS, count)), "SKU": rng.choice(["07", "b"], count),
            "Paid": rng.integers(80, 320, count) / 100, "Pieces": rng.integers(-1, 3, count),
            "Card": rng.integers(0, 400, count), "Age": rng.choice(["old", "young", ""], count),
        }
    )  # fmt: skip
    roles = ("date=Day", "product=SKU", "price=Paid", "quantity=Pieces", "customer=Card")
    settings = dict(columns=(*roles, "segment=Age"), products=2)
    table.to_csv(tmp_path / "sales.csv", index=False)
    ours = CalibrateConfig(
        transactions=tmp_path / "sales.csv", out=tmp_path / "a" / "store.json", **settings
    )
    with duckdb.connect() as database:
        database.register("transactions", pa.Table.from_pandas(table))
        ready = tmp_path / "ready.csv"
        database.execute(f"COPY ({portable_query(ours).rstrip()}) TO '{ready}'")
    theirs = CalibrateConfig(aggregated=ready, out=tmp_path / "b" / "store.json", products=2)
    for config in (ours, theirs):
        config.out.parent.mkdir()
    assert calibrate(ours).report == calibrate(theirs).report
    assert ours.out.read_text() == theirs.out.read_text()
