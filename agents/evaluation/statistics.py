"""Statistics over training seeds, after Agarwal et al. (2021, arXiv 2108.13264).

Interquartile means with bootstrap intervals, the probability that one way to learn does better than
another, and differences run by run on the same seed. Samples have a value for each seed, two or
more where an interval is asked for (`ValueError` otherwise); results are in the unit of the values.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

SEED = 0  # of the bootstrap
Interval = tuple[float, float]
"""Lower and upper end."""


def interquartile_mean(values: Float[np.ndarray, " seeds"]) -> float:
    """The mean of the middle half (of all, where there are fewer than four)."""
    return float(stats.trim_mean(values, 0.25))


def bootstrap_interval(values: Float[np.ndarray, " seeds"]) -> Interval:
    """95 % percentile interval of the interquartile mean, seeds drawn anew."""
    return bootstrap((values,), partial(stats.trim_mean, proportiontocut=0.25))


def apart(one: Interval, other: Interval = (0.0, 0.0)) -> int:
    """1 where one interval is wholly above the other, -1 where below, 0 where they touch."""
    return int(one[0] > other[1]) - int(one[1] < other[0])


def probability_of_improvement(
    better: Float[np.ndarray, " seeds"], than: Float[np.ndarray, " others"]
) -> tuple[float, Interval]:
    """P(X > Y) of a run of one kind against a run of another, ties half, with its interval."""

    def share(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        wins = np.sign(x[..., :, None] - y[..., None, :])
        return (wins / 2 + 0.5).mean((axis - 1, axis))

    return float(share(better, than)), bootstrap((better, than), share)


def paired_difference(rows: pd.DataFrame, base: pd.DataFrame) -> tuple[float, Interval]:
    """How much more profit than `base`, run by run on the same seed: mean over the seeds of both,
    with its interval. Both have a row per run, with columns seed and profit."""
    paired = rows.merge(base, on="seed", suffixes=("", "_base"))
    difference = (paired["profit"] - paired["profit_base"]).to_numpy()
    return float(difference.mean()), bootstrap((difference,), np.mean)


def bootstrap(samples: tuple[Float[np.ndarray, " seeds"], ...], statistic: Any) -> Interval:
    """95 % percentile interval of a statistic, each sample drawn anew 2,000 times.

    `statistic` takes as many arrays as there are samples, and the axis of the seeds.
    """
    found = stats.bootstrap(
        samples,
        statistic,
        n_resamples=2000,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(found.low), float(found.high)
