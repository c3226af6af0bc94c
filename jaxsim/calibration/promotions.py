"""What a lower price sold, as far as daily prices tell: a store is fitted to days at usual prices.

A shop's price of a product on a day is what was paid for it over its pieces. One elasticity for the
whole shop: a product of its own has too few promotions to tell its own from what else happened on
those days. Source: this project.
"""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import optimize

from jaxsim.calibration.counts import Counts

MOST = 10.0
"""Largest elasticity that is believed."""
LEAST_SPREAD = 1e-3
"""Prices that vary less, in logs, tell nothing."""


def usual_prices(counts: Counts) -> Float[np.ndarray, " N"]:
    """Median over days of each product's mean price of a piece."""
    return np.nanmedian(_daily_prices(counts), 0)


def elasticity(
    counts: Counts, there: Bool[np.ndarray, "D N"], usual: Float[np.ndarray, " N"]
) -> float:
    """By how much more sells, in logs, where a price is lower: Poisson regressions of each
    product's pieces on the log of its price, on visitors, weighted by their precision; 0 or more.

    Their standard errors are those of counts as variable as the product's."""
    ratio = _log_ratio(counts, usual)
    crowd = counts.visitors.sum(1) / max(counts.visitors.sum(1).mean(), 1e-9)
    found = [
        _slope(counts.pieces[days, product], ratio[days, product], crowd[days])
        for product, days in enumerate((there & (crowd > 0)[:, None]).T)
        if np.std(ratio[days, product]) > LEAST_SPREAD
    ]
    if not found:
        return 0.0
    slopes, precisions = np.array(found).T
    return float(np.clip(-np.average(slopes, weights=precisions), 0.0, MOST))


def effect(
    counts: Counts, usual: Float[np.ndarray, " N"], elasticity: float
) -> Float[np.ndarray, "D N"]:
    """Sales of each day and product over those at its usual price."""
    return np.exp(-elasticity * _log_ratio(counts, usual))


def _log_ratio(counts: Counts, usual: Float[np.ndarray, " N"]) -> Float[np.ndarray, "D N"]:
    """Of a day's price to the usual one; on days without a sale, of the last price before, else the
    next."""
    prices = pd.DataFrame(_daily_prices(counts)).ffill().bfill().to_numpy()
    return np.nan_to_num(np.log(prices / usual))


def _daily_prices(counts: Counts) -> Float[np.ndarray, "D N"]:
    sold = np.where(counts.pieces > 0, counts.pieces, np.nan)
    return counts.paid / sold


def _slope(
    pieces: Float[np.ndarray, " D"], ratio: Float[np.ndarray, " D"], crowd: Float[np.ndarray, " D"]
) -> tuple[float, float]:
    """Of log sales in the log of the price, and its precision."""

    def loss(at: Float[np.ndarray, " 2"]) -> float:
        mean = crowd * np.exp(at[0] + at[1] * ratio)
        return float((mean - pieces * np.log(mean + 1e-12)).sum())

    start = np.array([np.log(max(pieces.mean(), 1e-9)), 0.0])
    level, slope = optimize.minimize(loss, start).x
    mean = crowd * np.exp(level + slope * ratio)
    variable = max(float(((pieces - mean) ** 2 / mean).mean()), 1.0)
    centred = ratio - np.average(ratio, weights=mean)
    return float(slope), float((mean * centred**2).sum() / variable)
