"""How busy a shop was on each day, as its transactions tell, in a store's own terms."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from jaxsim.calibration.transactions import CalibrationError
from jaxsim.scenarios.scenario import Scenario

QUIETEST = 1e-3
"""The least share of a day's usual customers: a closed day has a logarithm, too."""


@dataclass(frozen=True)
class Traffic:
    """Days that were not fitted, as they were."""

    days: pd.DatetimeIndex
    market: Float[np.ndarray, " D"]  # log multiplier of all arrivals, as in `State.market`


def split(days: int, train_days: int) -> int:
    """How many of a history's days are for fitting: `train_days`, or three quarters where it is 0.
    Raises `CalibrationError` where too few are left on either side."""
    train = train_days or int(0.75 * days)
    if not 28 <= train <= days - 7:
        raise CalibrationError(
            f"train_days: {train} of {days} days; allowed: at least 28, and 7 days left"
        )
    return train


def whole_days(visitors: Float[np.ndarray, " D"], weekday: np.ndarray, train: int) -> np.ndarray:
    """False on days with less than half the visitors of their weekday's median in the first `train`
    days: closed, or lost from the data."""
    medians = np.array([np.median(visitors[:train][weekday[:train] == day]) for day in range(7)])
    return visitors >= 0.5 * medians[weekday]


def traffic_of(table: pd.DataFrame, scenario: Scenario, train_days: int = 0) -> Traffic:
    """The days after the first `train_days` (0: three quarters) of a file of transactions.

    Customers of a day over those of its weekday in the days before, where the file knows customers;
    else purchases of the store's products. Raises `CalibrationError`, also for a file without any
    of them.
    """
    own = table[table["product"].isin(scenario.products)]
    if own.empty:
        raise CalibrationError(
            f"transactions: none of the {len(scenario.products)} products of {scenario.name}; "
            "allowed: the file that the store was fitted to, or a later one of the same shop"
        )
    days = pd.date_range(table["date"].min(), table["date"].max())
    train = split(len(days), train_days)
    by_day = table.groupby("date")["customer"].nunique() if "customer" in table else None
    by_day = own.groupby("date").size() if by_day is None else by_day
    visitors = by_day.reindex(days, fill_value=0).to_numpy(float)
    weekday = days.day_of_week.to_numpy()
    fitted = whole_days(visitors, weekday, train) & (np.arange(len(days)) < train)
    usual = np.array([visitors[fitted & (weekday == day)].mean() for day in range(7)])
    ratio = visitors[train:] / np.maximum(usual[weekday[train:]], 1e-9)
    # A store's arrivals are those of e^m = 1, and e^m is on average above that.
    spread = scenario.market_noise**2 / (1 - scenario.market_persistence**2)
    return Traffic(days[train:], np.log(np.maximum(ratio, QUIETEST)) + spread / 2)
