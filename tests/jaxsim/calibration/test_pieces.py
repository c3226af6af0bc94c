"""Purchases of several pieces, and days at a lower price, in transactions of a known truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jaxsim.calibration import promotions
from jaxsim.calibration.aggregate import read_aggregated
from jaxsim.calibration.calibrate import Calibration, calibrate, history_of, portable_query
from jaxsim.calibration.columns import CalibrationError
from jaxsim.calibration.settings import CalibrateConfig
from jaxsim.calibration.transactions import read_transactions

COLUMNS = ("date=day", "product=sku", "price=each", "quantity=pieces", "customer=card")
DAYS, A_DAY = 300, 20.0
PIECES = np.array([0.6, 0.3, 0.1])  # of purchases, with 1, 2 and 3 pieces
PRICE, LOWER, ELASTICITY = 5.0, 0.8, 3.0
BATCH = float(PIECES @ [1, 2, 3])
DISPERSION = float(PIECES @ [1, 4, 9]) / BATCH


@pytest.fixture(scope="module")
def transactions() -> pd.DataFrame:
    """Two products, of one of which every fourth day is one at a lower price, among many others
    that sell now and then."""
    rng = np.random.default_rng(0)
    frames = []
    for number, day in enumerate(pd.date_range("2024-01-01", periods=DAYS)):
        cheap = number % 4 == 0
        for sku, more in (("a", LOWER**-ELASTICITY if cheap else 1.0), ("b", 1.0)):
            count = rng.poisson(A_DAY * more)
            each = PRICE * (LOWER if cheap and sku == "a" else 1.0)
            pieces = rng.choice([1, 2, 3], count, p=PIECES)
            rows = pd.DataFrame({"day": str(day.date()), "sku": sku, "pieces": pieces})
            frames.append(rows.assign(each=each))
        others = {"sku": rng.integers(0, 10**6, 200), "pieces": 1, "each": 1.0}
        frames.append(pd.DataFrame(others).assign(day=str(day.date())))
    rows = pd.concat(frames)
    return rows.assign(card=np.arange(len(rows)))


def fitted(folder: Path, table: pd.DataFrame, columns: tuple[str, ...] = COLUMNS) -> Calibration:
    table.to_csv(folder / "sales.csv", index=False)
    settings = CalibrateConfig(
        transactions=folder / "sales.csv", columns=columns, out=folder / "store.json", products=2
    )
    return calibrate(settings)


def test_batches_and_what_a_lower_price_sells_are_found(tmp_path, transactions):
    found = fitted(tmp_path, transactions)
    store, report = found.scenario, found.report
    assert store.family == "negative-binomial"
    np.testing.assert_allclose(store.batch, BATCH, rtol=0.02)
    np.testing.assert_allclose(store.dispersion, DISPERSION, rtol=0.03)
    np.testing.assert_array_equal(store.price, PRICE)
    assert report["price elasticity"] == pytest.approx(ELASTICITY, rel=0.1)
    # At its usual price the first sells as the second does.
    daily = np.exp(np.array(store.utility[0]))
    assert daily[0] == pytest.approx(daily[1], rel=0.05)
    level = report["weekly sales, simulated, all products"]
    assert level == pytest.approx(report["weekly sales, real, all products"], rel=0.04)
    spread = report["daily variance over mean, simulated, median product"]
    assert spread == pytest.approx(DISPERSION, rel=0.15)


def test_without_quantities_a_purchase_is_a_unit(tmp_path, transactions):
    columns = tuple(each for each in COLUMNS if "quantity" not in each)
    store = fitted(tmp_path, transactions, columns).scenario
    assert (store.family, store.batch, store.dispersion) == ("poisson", 1.0, 1.0)


def test_weighed_goods_are_one_piece_a_purchase(tmp_path, transactions):
    by_weight = transactions.assign(pieces=transactions["pieces"] * 0.35)
    table = read_transactions(
        CalibrateConfig(transactions=_written(tmp_path, by_weight), columns=COLUMNS)
    ).table
    own = table[table["product"].isin(["a", "b"])]
    assert (own["pieces"] == own["purchases"]).all()
    paid = (by_weight["each"] * by_weight["pieces"]).sum()
    assert table.loc[table["product"].isna(), "paid"].sum() == pytest.approx(paid, rel=1e-6)


def test_prices_that_never_change_tell_nothing(tmp_path, transactions):
    flat = transactions.assign(each=PRICE)
    settings = CalibrateConfig(transactions=_written(tmp_path, flat), columns=COLUMNS, products=2)
    counts = history_of(read_transactions(settings).table, settings).counts
    there = np.ones((len(counts.days), 2), bool)
    usual = promotions.usual_prices(counts)
    assert promotions.elasticity(counts, there, usual) == 0.0
    np.testing.assert_array_equal(promotions.effect(counts, usual, 3.0), 1.0)


def test_a_ready_table_may_know_no_pieces_but_not_half_of_them(tmp_path, transactions):
    settings = CalibrateConfig(transactions=_written(tmp_path, transactions), columns=COLUMNS)
    assert "SUM(pieces * pieces)" in portable_query(settings)
    table = read_transactions(settings).table
    table.drop(columns=["pieces", "pieces_squared"]).to_csv(tmp_path / "old.csv", index=False)
    old = read_aggregated(tmp_path / "old.csv")
    assert (old["pieces"] == old["purchases"]).all()
    table.drop(columns="pieces_squared").to_csv(tmp_path / "half.csv", index=False)
    with pytest.raises(CalibrationError, match="pieces_squared"):
        read_aggregated(tmp_path / "half.csv")


def _written(folder: Path, table: pd.DataFrame) -> Path:
    table.to_csv(folder / "sales.csv", index=False)
    return folder / "sales.csv"
