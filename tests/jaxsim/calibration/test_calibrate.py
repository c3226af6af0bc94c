"""Calibration finds the store that made the transactions, and says what is wrong with others."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import train
from jaxsim.calibration.calibrate import calibrate
from jaxsim.calibration.columns import CalibrationError
from jaxsim.calibration.settings import CalibrateConfig
from jaxsim.calibration.transactions import read_transactions
from jaxsim.choice import choice_shares
from jaxsim.scenarios.scenario import load

COLUMNS = (
    "date=day", "product=sku", "price=paid", "cost=cost", "customer=card", "segment=age",
    "group=shelf",
)  # fmt: skip
DAYS = 520
ARRIVALS = np.array([30.0, 15.0])
TASTES = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])
BUYING = np.array([0.5, 0.7])
WEEK = np.array([0.8, 0.8, 0.9, 0.9, 1.0, 1.3, 1.3])
PERSISTENCE, MARKET, NOISE = 0.6, 0.25, np.array([0.0, 0.3, 0.5, 0.7])
PRICE, COST = np.array([4.0, 5.0, 6.0, 7.0]), np.array([3.0, 4.0, 4.5, 5.0])


@pytest.fixture(scope="module")
def transactions() -> pd.DataFrame:
    """Rows of a known store. Who buys none of its four products buys a bag, sold at a loss."""
    rng = np.random.default_rng(0)
    frames, market, card = [], 0.0, 0
    for number, day in enumerate(pd.date_range("2024-01-01", periods=DAYS)):
        market = PERSISTENCE * market + MARKET * rng.standard_normal()
        shock = np.exp(NOISE * rng.standard_normal(4) - NOISE**2 / 2)
        for segment, arrivals in enumerate(ARRIVALS * WEEK[number % 7] * np.exp(market)):
            bought = rng.poisson(arrivals * BUYING[segment] * TASTES[segment] * shock)
            bags = rng.poisson(arrivals * (1 - BUYING[segment]))
            skus = np.repeat(np.arange(5), [*bought, bags])
            frame = pd.DataFrame({"sku": skus, "age": "young" if segment == 0 else "old"})
            frames.append(frame.assign(day=str(day.date()), card=card + np.arange(len(skus))))
            card += len(skus)
    rows = pd.concat(frames)
    rows["paid"] = np.append(PRICE, 1.0)[rows["sku"]]
    rows["cost"] = np.append(COST, 1.5)[rows["sku"]]
    return rows.assign(shelf=rows["sku"] % 2)


def config(path: Path, **settings) -> CalibrateConfig:
    defaults = dict(columns=COLUMNS, products=4, out=path.parent / "store.json", train_days=500)
    return CalibrateConfig(transactions=path, **defaults | settings)


@pytest.fixture
def csv(tmp_path: Path, transactions: pd.DataFrame) -> Path:
    transactions.to_csv(tmp_path / "sales.csv", index=False)
    return tmp_path / "sales.csv"


def test_the_store_behind_the_transactions_is_found(csv):
    found = calibrate(config(csv, needs=False)).scenario
    order = [int(name) for name in found.products]
    rows = [found.segments.index("young"), found.segments.index("old")]
    weights = np.exp(np.array(found.utility))[rows][:, np.argsort(order)]
    np.testing.assert_allclose(weights / weights.sum(1, keepdims=True), TASTES, atol=0.02)
    np.testing.assert_allclose(weights.sum(1) / (1 + weights.sum(1)), BUYING, atol=0.03)
    np.testing.assert_allclose(np.array(found.arrivals)[rows], ARRIVALS, rtol=0.15)
    np.testing.assert_allclose(np.mean(found.season, 0), WEEK, atol=0.12)
    np.testing.assert_allclose(found.market_persistence, PERSISTENCE, atol=0.12)
    np.testing.assert_allclose(found.market_noise, MARKET, atol=0.05)
    np.testing.assert_allclose(np.array(found.demand_noise)[np.argsort(order)], NOISE, atol=0.15)
    np.testing.assert_array_equal(np.array(found.price)[np.argsort(order)], PRICE)
    np.testing.assert_array_equal(np.array(found.cost)[np.argsort(order)], COST)


def test_a_product_that_was_sold_out_is_fitted_on_the_days_when_it_was_there(csv, transactions):
    """Weeks without it, and the Sundays on which the shop is closed, which are no absences."""
    day = pd.to_datetime(transactions["day"])
    opened = transactions[day.dt.day_of_week < 6]
    gone = (opened["day"] > "2024-03-01") & (opened["day"] < "2024-05-01") & (opened["sku"] == 0)
    found = []
    for sales in (opened, opened[~gone]):
        sales.to_csv(csv, index=False)
        found.append(calibrate(config(csv, needs=False)))
    whole, without = found
    assert whole.report["days without a product, all products"] == 0
    absent = without.report["days without a product, all products"]
    assert 49 <= absent <= 51  # gaps apart
    at = [each.scenario.products.index("0") for each in found]
    for field, tolerance in (("utility", 0.1), ("demand_noise", 0.15)):
        kept, refound = (
            np.array(getattr(each.scenario, field))[..., place]
            for each, place in zip(found, at, strict=True)
        )
        np.testing.assert_allclose(refound, kept, atol=tolerance)


def test_the_verb_says_what_it_read_and_how_well_it_fits(csv, capsys):
    columns = ["--columns", *COLUMNS, "--transactions", str(csv)]
    assert train.main(["calibrate", *columns, "--out", str(csv.parent / "store.json")]) == 0
    said = capsys.readouterr().out
    assert "log-likelihood per purchase" in said and f"--scenario {csv.parent}" in said
    assert load(csv.parent / "store.json").products
    assert train.main(["calibrate", *columns, "--print-sql"]) == 0
    assert "GROUP BY" in capsys.readouterr().out


def test_csv_and_parquet_give_the_same_store(csv, transactions):
    calibrate(config(csv))
    parquet = csv.with_suffix(".parquet")
    transactions.to_parquet(parquet)
    calibrate(config(parquet, out=csv.parent / "again.json"))
    again = load(csv.parent / "again.json").model_copy(update={"name": "store"})
    assert again == load(csv.parent / "store.json")


def test_a_spreadsheet_s_own_signs_give_the_same_store(csv, transactions):
    plain = calibrate(config(csv)).scenario
    for sign, point in ((";", ","), ("\t", ".")):
        transactions.to_csv(csv, index=False, sep=sign, decimal=point)
        assert calibrate(config(csv)).scenario == plain


def test_all_products_that_can_be_kept_are_kept_where_they_are_few(csv):
    assert sorted(calibrate(config(csv, products=None)).scenario.products) == ["0", "1", "2", "3"]


def test_the_report_judges_days_that_were_not_fitted(csv):
    report = calibrate(config(csv)).report
    assert DAYS - 500 - report["days left out as gaps"] <= report["hold-out days"] <= DAYS - 500
    popularity = report["log-likelihood per purchase, popularity only"]
    assert popularity < report["log-likelihood per purchase"] < 0


def test_days_held_out_choose_nothing(csv, transactions):
    """Other prices, a new bestseller and a new segment in the days held out: the same store."""
    plain = calibrate(config(csv, products=None, segments=3)).scenario
    late = transactions["day"] > "2025-05-14"  # the first 500 days end with it
    changed = transactions.assign(paid=transactions["paid"].where(~late, 9.0))
    news = changed[late & (changed["sku"] == 0)].assign(sku=9, age="new")
    pd.concat([changed, *5 * [news]]).to_csv(csv, index=False)
    assert calibrate(config(csv, products=None, segments=3)).scenario == plain


WRONG_FILES = {
    "day": ("day", "not a day", "'day' has not a day in row 2; allowed: dates"),
    "money": (
        "paid",
        "4,00",
        "'paid' has 4,00 in row 2; allowed: one decimal sign",
    ),
    "negative": ("cost", "-1", "'cost' has -1 in row 2; allowed: numbers from 0"),
    "card": ("card", None, "'card' is empty in row 2"),
}


@pytest.mark.parametrize(("column", "value", "said"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_malformed_cell_is_named(tmp_path, transactions, column, value, said):
    rows = transactions.astype({column: object}).reset_index(drop=True)
    rows.loc[0, column] = value
    rows.to_csv(tmp_path / "sales.csv", index=False)
    refused(config(tmp_path / "sales.csv"), said)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    refused(config(tmp_path / "none.csv"), "does not exist")
    for name in ("empty.csv", "sales.parquet"):
        (tmp_path / name).write_bytes(b"")
        refused(config(tmp_path / name), "cannot be read")
    (tmp_path / "sales.xlsx").write_bytes(b"")
    refused(config(tmp_path / "sales.xlsx"), "allowed: .csv, .tsv")
    (tmp_path / "header.csv").write_text("day,sku,paid,cost,card,age,shelf\n")
    refused(config(tmp_path / "header.csv"), "has no rows")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"columns": ("date=day",)}, "no product"),
        ({"columns": ("when=day",)}, "allowed: ROLE=COLUMN"),
        ({"columns": ("date=dya", "product=sku", "price=paid")}, "did you mean day?"),
        ({"products": 9}, "allowed: 1 to 4"),
        ({"aggregated": Path("ready.csv")}, "allowed: one of the two"),
        ({"train_days": 519}, "train_days: 519"),
        ({"holding_a_day": -0.1}, "holding_a_day: -0.1; allowed: 0 to 1"),
        ({"lead_times": (99,)}, "lead_time"),
        ({"lead_times": ()}, "lead_times: none; allowed: one or more numbers"),
        ({"slot_weight": ()}, "slot_weight: none; allowed: one or more numbers"),
        ({"slot_weight": (0.5,)}, "slot_weight"),
        ({"out": Path("store.txt")}, "allowed: a name that ends in .json"),
        ({"out": Path("/nowhere/at/all/store.json")}, "cannot be written"),
    ],
)
def test_a_wrong_setting_is_named(csv, settings, said):
    refused(config(csv, **settings), said)


def refused(wrong: CalibrateConfig, said: str) -> None:
    """One line that says what is wrong, and no scenario left behind."""
    with pytest.raises(ValueError) as error:
        calibrate(wrong)
    assert said in str(error.value) and "\n" not in str(error.value), str(error.value)
    assert not list(wrong.transactions.parent.glob("*.json*"))
    if not isinstance(error.value, CalibrationError):
        assert type(error.value).__name__ == "ScenarioError"


def test_customers_who_buy_several_products_a_day_come_several_times(csv, transactions):
    """The same purchases on fewer cards: the store sells as much, though each buys one unit."""
    for needs in (False, True):
        transactions.to_csv(csv, index=False)
        singly = sold_a_day(calibrate(config(csv, needs=needs)).scenario)
        transactions.assign(card=transactions["card"] // 3).to_csv(csv, index=False)
        together = sold_a_day(calibrate(config(csv, needs=needs)).scenario)
        np.testing.assert_allclose(together, singly, rtol=0.05)


def test_groups_are_needs_of_their_own(csv, transactions):
    """Products compete within their group only, and each sells as it does in one big choice."""
    apart, together = (calibrate(config(csv, needs=needs)).scenario for needs in (True, False))
    shelf = dict(transactions[["sku", "shelf"]].astype(str).itertuples(index=False))
    assert apart.category == [shelf[product] for product in apart.products]
    assert together.category == []
    np.testing.assert_allclose(sold_a_day(apart), sold_a_day(together), rtol=1e-3)


def sold_a_day(scenario) -> np.ndarray:
    """Expected first choices of each product on a day of the average market."""
    params = scenario.params()
    everything = jnp.ones(params.products)
    shares = choice_shares(jnp.exp(params.utility), everything, params.needs)
    share = scenario.market_noise**2 / (1 - scenario.market_persistence**2) / 2
    return np.asarray(params.arrivals @ shares) * np.exp(share)


def test_dates_may_have_the_day_first(csv, transactions):
    sales = read_transactions(config(csv)).table
    days = pd.to_datetime(transactions["day"]).dt.strftime("%d/%m/%Y")
    transactions.assign(day=days).to_csv(csv, index=False)
    pd.testing.assert_frame_equal(read_transactions(config(csv)).table, sales)
