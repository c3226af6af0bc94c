"""Purchases, pieces and visitors by day, of the products and segments that a store will have."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from jaxsim.calibration.aggregate import PIECES
from jaxsim.calibration.columns import CalibrationError
from jaxsim.calibration.settings import CalibrateConfig

MOST_PRODUCTS = 20
"""Products that are kept by default."""


@dataclass(frozen=True)
class Counts:
    """The data as arrays: D days, K segments, N products. Money is per piece."""

    days: pd.DatetimeIndex
    products: list[str]
    groups: list[str]
    segments: list[str]
    purchases: Float[np.ndarray, "D K N"]
    visitors: Float[np.ndarray, "D K"]
    price: Float[np.ndarray, " N"]
    cost: Float[np.ndarray, " N"]
    pieces: Float[np.ndarray, "D N"]
    paid: Float[np.ndarray, "D N"]
    batch: Float[np.ndarray, " N"]
    """Mean pieces of a purchase."""
    dispersion: Float[np.ndarray, " N"]
    """E(B²) / E(B) of the pieces B of a purchase."""
    a_visitor: float = 1.0
    """What was counted a visitor: below 1 where purchases were, for want of customers."""

    @property
    def weekday(self) -> np.ndarray:
        """Monday is 0."""
        return self.days.day_of_week.to_numpy()


def count(
    table: pd.DataFrame, days: pd.DatetimeIndex, hold_out: pd.Timestamp, config: CalibrateConfig
) -> Counts:
    """Chooses products and segments on the days before `hold_out`, and counts purchases and
    visitors on all `days`; those of segments that only came later are left out. `table`: as
    `jaxsim.calibration.aggregate.read_aggregated` gives it. Raises `CalibrationError`."""
    history = table[table["day"] < hold_out]
    kept = choose_products(history, config)
    sizes = history[history["product"].isna()].groupby("segment")["purchases"].sum()
    by_size = sizes.sort_values(ascending=False, kind="stable").index
    named = list(by_size if len(by_size) <= config.segments else by_size[: config.segments - 1])
    segment = table["segment"].where(table["segment"].isin(named), "other")
    segments = sorted(segment[history.index].unique())
    table = table.assign(segment=segment)
    index = pd.MultiIndex.from_product([days, segments, kept.index])
    bought = table[table["product"].isin(kept.index)]
    known = table["visitors"].notna().any()
    by_day = pd.MultiIndex.from_product([days, kept.index])
    pieces, paid = (
        _summed(bought, what, ["day", "product"], by_day).reshape(len(days), len(kept))
        for what in ("pieces", "paid")
    )
    purchases = _summed(bought, "purchases", ["day", "segment", "product"], index)
    purchases = purchases.reshape(len(days), len(segments), len(kept))
    visitors = _visitors(table, days, segments) if known else purchases.sum(2) / config.conversion
    return Counts(
        days=days,
        products=[str(product) for product in kept.index],
        groups=list(kept["category"]),
        segments=[str(each) for each in segments],
        purchases=purchases,
        visitors=visitors,
        price=kept["price"].to_numpy(),
        cost=kept["cost"].to_numpy(),
        pieces=pieces,
        paid=paid,
        batch=(kept["pieces"] / kept["purchases"]).to_numpy(),
        dispersion=(kept["pieces_squared"] / kept["pieces"]).to_numpy(),
        a_visitor=1.0 if known else config.conversion,
    )


def choose_products(history: pd.DataFrame, config: CalibrateConfig) -> pd.DataFrame:
    """The products bought most among those sold on five in six of the days on which the shop sold
    anything, with a sufficient margin, from the groups that sell most of these. Columns: category,
    purchases, pieces and the sum of their squares, price and cost per piece. Raises
    `CalibrationError`, also where there is one purchase of each on each day, as in a table of daily
    totals."""
    sold = history[history["product"].notna()]
    of_product = sold.groupby("product")
    sums: list[str] = ["purchases", *PIECES, "paid", "cost"]
    goods = of_product[sums].sum()
    goods["days"] = of_product["day"].nunique()
    goods["category"] = _largest_category(sold)
    goods["price"] = goods["paid"] / goods["pieces"]
    known = sold["cost"].notna().any()
    goods["cost"] = goods["cost"] / goods["pieces"] if known else _at(config.margin, goods)
    opened = history["day"].nunique()
    steady = goods[goods["days"] >= opened * 5 / 6]
    if len(steady) and (steady["purchases"] == steady["days"]).all():
        raise CalibrationError(
            "transactions: one row a product and day, as in a table of daily totals; needed: one "
            "row a purchase, or --aggregated with the number of purchases (--print-sql tells how)"
        )
    sound = (steady["price"] > 0) & (1 - steady["cost"] / steady["price"] > config.least_margin)
    goods = steady[sound]
    if goods.empty:
        raise CalibrationError(
            f"transactions: no product was sold on five in six of the {opened} days on which the "
            f"shop sold anything, with a margin above {config.least_margin}; needed: one or more"
        )
    largest = goods.groupby("category")["purchases"].sum().nlargest(config.groups).index
    goods = goods[goods["category"].isin(largest)]
    number = min(MOST_PRODUCTS, len(goods)) if config.products is None else config.products
    if not 1 <= number <= len(goods):
        raise CalibrationError(
            f"products: {number}; allowed: 1 to {len(goods)}, those sold on five days in six "
            f"with a margin above {config.least_margin}"
        )
    goods = goods.sort_index().sort_values("purchases", ascending=False, kind="stable")
    return goods.head(number)


def some_days(counts: Counts, part: Bool[np.ndarray, " D"]) -> Counts:
    """The counts of some of the days."""
    return replace(
        counts,
        days=counts.days[part],
        purchases=counts.purchases[part],
        pieces=counts.pieces[part],
        paid=counts.paid[part],
        visitors=counts.visitors[part],
    )


def _largest_category(sold: pd.DataFrame) -> pd.Series:
    """The category of each product; where it has several, that of most of its purchases."""
    sizes = sold.groupby(["product", "category"])["purchases"].sum().reset_index()
    first = sizes.sort_values("purchases", ascending=False, kind="stable")
    return first.drop_duplicates("product").set_index("product")["category"]


def _at(margin: float, goods: pd.DataFrame) -> pd.Series:
    return goods["price"] * (1 - margin)


def _visitors(
    table: pd.DataFrame, days: pd.DatetimeIndex, segments: list[str]
) -> Float[np.ndarray, "D K"]:
    """Distinct customers by day and segment."""
    totals = table[table["product"].isna()]
    index = pd.MultiIndex.from_product([days, segments])
    visitors = _summed(totals, "visitors", ["day", "segment"], index)
    return visitors.reshape(len(days), len(segments))


def _summed(
    table: pd.DataFrame, what: str, by: list[str], index: pd.MultiIndex
) -> Float[np.ndarray, " M"]:
    return table.groupby(by)[what].sum().reindex(index, fill_value=0).to_numpy(float)
