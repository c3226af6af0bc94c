"""The traffic of days that were not fitted, found again from the transactions of a known shop."""

import json

import numpy as np
import pandas as pd
import pytest

from jaxsim.calibration.columns import CalibrationError
from jaxsim.calibration.traffic import split, traffic_of
from jaxsim.scenarios import FOLDER
from jaxsim.scenarios.scenario import parse

SHOP = parse(json.loads((FOLDER / "pair.json").read_text()), "pair")
WEEK = np.array([50, 60, 70, 80, 90, 120, 130])
DAYS = pd.date_range("2024-01-01", periods=60)  # from a Monday on


def receipts(factor: np.ndarray) -> pd.DataFrame:
    """Purchases of one product, and as many customers as the weekday has, times the day's factor,
    who buy something."""
    counts = (WEEK[DAYS.day_of_week] * factor).astype(int)
    own = pd.DataFrame({"day": DAYS, "product": "left", "purchases": counts // 3})
    everything = pd.DataFrame(
        {"day": DAYS, "product": None, "purchases": counts, "visitors": counts}
    )
    return pd.concat([own, everything])


def test_traffic_is_customers_over_those_of_the_weekday_before():
    factor = np.where(np.arange(60) < 45, 1.0, np.linspace(0.5, 2.0, 60))
    factor[10] = 0.1  # a gap says nothing of what is usual
    found = traffic_of(receipts(factor), SHOP)
    assert list(found.days) == list(DAYS[45:])
    np.testing.assert_allclose(np.exp(found.market), factor[45:], rtol=0.02)


def test_without_customers_purchases_of_the_store_s_products_are_counted():
    factor = np.where(np.arange(60) < 40, 1.0, 1.5)
    table = receipts(factor).assign(visitors=np.nan)
    found = traffic_of(table, SHOP, train_days=40)
    np.testing.assert_allclose(np.exp(found.market), 1.5, rtol=0.05)


def test_the_mean_of_the_market_is_taken_into_account():
    """Arrivals are those of a market state of 0, whose exponential is above 1 on average."""
    lively = SHOP.model_copy(update={"market_noise": 0.3, "market_persistence": 0.8})
    calm, found = (traffic_of(receipts(np.ones(60)), shop) for shop in (SHOP, lively))
    np.testing.assert_allclose(found.market - calm.market, 0.3**2 / (1 - 0.8**2) / 2, rtol=1e-6)


def test_a_file_of_another_shop_is_refused():
    table = receipts(np.ones(60)).replace({"product": {"left": "other"}})
    with pytest.raises(CalibrationError, match="none of the 2 products of pair; allowed"):
        traffic_of(table, SHOP)


@pytest.mark.parametrize(("days", "train"), [(30, 0), (60, 54), (60, 27)])
def test_days_on_both_sides_are_needed(days, train):
    with pytest.raises(CalibrationError, match=r"allowed: .*28"):
        split(pd.date_range("2024-01-01", periods=days), train)
