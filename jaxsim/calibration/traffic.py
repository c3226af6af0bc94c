"""How busy a shop was on each day, as its transactions tell, in a store's own terms."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from jaxsim.calibration.columns import CalibrationError
from jaxsim.calibration.week import weekday_medians
from jaxsim.scenarios.scenario import Scenario

QUIETEST = 1e-3
"""The least share of a day's usual customers: a closed day has a logarithm, too."""

QUIET = 0.5
"""A day with less than this share of its weekday's median is quiet."""
FOR_GOOD, MOSTLY = 7, 0.8
"""Quiet days, so many at least and such a share of them, up to the end of a history (or from its
beginning) are a shop that shrank (or grew), not gaps."""


@dataclass(frozen=True)
class Traffic:
    """Days that were not fitted, as they were."""

    days: pd.DatetimeIndex
    market: Float[np.ndarray, " D"]  # log multiplier of all arrivals, as in `State.market`


def split(days: pd.DatetimeIndex, train_days: int) -> int:
    """How many of a history's days are for fitting: `train_days`, or three quarters where it is 0.
    Raises `CalibrationError` where too few are left on either side."""
    train = train_days or int(0.75 * len(days))
    if 28 <= train <= len(days) - 7:
        return train
    span = f"{len(days)} days from {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}"
    if train_days:
        raise CalibrationError(
            f"train_days: {train} of {span}; allowed: at least 28, and 7 days left"
        )
    raise CalibrationError(f"transactions: {span}; allowed: 38 or more, or 35 with --train-days 28")


def whole_days(
    visitors: Float[np.ndarray, " D"], weekday: Int[np.ndarray, " D"], train: int
) -> Bool[np.ndarray, " D"]:
    """False on gaps: days with less than half the visitors of their weekday's median in the first
    `train` days, lost from the data or closed for once; and days open for once on weekdays on which
    the shop is closed. A weekday on which it is closed is no gap, nor is a change for good. The
    days after the first `train` decide on nothing before."""
    usual = weekday_medians(visitors[:train], weekday[:train])[weekday]
    closed = usual == 0
    quiet = visitors < QUIET * usual
    quiet[train:] &= ~_for_good(quiet, ~closed)[train:]
    quiet[:train] &= ~_for_good(quiet[:train], ~closed[:train])
    return ~quiet & ~(closed & (visitors > 0))


def _for_good(quiet: Bool[np.ndarray, " D"], opened: Bool[np.ndarray, " D"]) -> np.ndarray:
    """Days of a change for good: the longest stretch up to either end of the days that are open
    which is mostly quiet."""
    changed = np.zeros(len(quiet), bool)
    days = np.flatnonzero(opened)
    for way in (days, days[::-1]):  # from the beginning, and from the end
        share = np.cumsum(quiet[way]) / np.arange(1, len(way) + 1)
        ends = np.flatnonzero(quiet[way] & (share >= MOSTLY)) + 1
        if len(ends) and ends[-1] >= FOR_GOOD:
            changed[way[: ends[-1]]] = True
    return changed


def traffic_of(table: pd.DataFrame, scenario: Scenario, train_days: int = 0) -> Traffic:
    """The days after the first `train_days` (0: three quarters) of a table of purchases, as
    `jaxsim.calibration.aggregate.read_aggregated` gives it.

    Customers of a day over those of its weekday in the days before, where the table knows
    customers; else purchases of the store's products. Raises `CalibrationError`, also for a table
    without any of them.
    """
    own = table[table["product"].isin(scenario.products)]
    if own.empty:
        raise CalibrationError(
            f"transactions: none of the {len(scenario.products)} products of {scenario.name}; "
            "allowed: the file that the store was fitted to, or a later one of the same shop"
        )
    days = pd.date_range(table["day"].min(), table["day"].max())
    train = split(days, train_days)
    totals = table[table["product"].isna()]
    known = totals["visitors"].notna().any()
    busy = totals.groupby("day")["visitors"] if known else own.groupby("day")["purchases"]
    visitors = busy.sum().reindex(days, fill_value=0).to_numpy(float)
    weekday = days.day_of_week.to_numpy()
    fitted = whole_days(visitors, weekday, train) & (np.arange(len(days)) < train)
    usual = np.array([visitors[fitted & (weekday == day)].mean() for day in range(7)])
    expected = usual[weekday[train:]]
    ratio = np.where(expected > 0, visitors[train:] / np.maximum(expected, 1e-9), 1.0)
    # A store's arrivals are those of e^m = 1, and e^m is on average above that.
    spread = scenario.market_noise**2 / (1 - scenario.market_persistence**2)
    return Traffic(days[train:], np.log(np.maximum(ratio, QUIETEST)) + spread / 2)
