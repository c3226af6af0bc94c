"""Days on which a product was not there, as far as its sales can tell.

A product that sells every day, and then for days not at all, was sold out, or not yet or no longer
in the range. Its mean is that of the days on which it was there. Source: this project.
"""

from dataclasses import replace
from itertools import groupby

import numpy as np
from jaxtyping import Bool, Float

from jaxsim.calibration.counts import Counts

CHANCE = 1e-3
"""A run of days without a sale is an absence where a product that was there would show one as long
with at most this chance, in all the days together."""
ROUNDS = 3
"""The mean without absences makes shorter runs unlikely, and so on."""


def present(counts: Counts) -> Bool[np.ndarray, "D N"]:
    """False where a product was absent. Days on which nobody came tell nothing: True."""
    opened = counts.visitors.sum(1) > 0
    seen = np.ones((len(counts.days), len(counts.products)), bool)
    for product, daily in enumerate(counts.purchases.sum(1)[opened].T):
        seen[opened, product] = _there(daily)
    return seen


def filled(counts: Counts, there: Bool[np.ndarray, "D N"]) -> Counts:
    """The counts as if every product had been there: on its absences, each segment's visitors buy
    at the rate of the other days."""
    weight = counts.visitors[:, :, None] * there[:, None, :]
    bought = (counts.purchases * there[:, None, :]).sum(0)
    rate = bought / np.maximum(weight.sum(0), 1.0)
    usual = counts.visitors[:, :, None] * rate[None]
    return replace(counts, purchases=np.where(there[:, None, :], counts.purchases, usual))


def _there(daily: Float[np.ndarray, " D"]) -> Bool[np.ndarray, " D"]:
    there = np.ones(len(daily), bool)
    for _ in range(ROUNDS):
        longest = np.log(CHANCE / len(daily)) / min(_log_none(daily[there]), -1e-9)
        there = np.concatenate([np.full(days, days < longest or sold)
                                for sold, days in _runs(daily)])  # fmt: skip
    return there


def _runs(daily: Float[np.ndarray, " D"]) -> list[tuple[bool, int]]:
    """Whether a product sold, and for how many days on end."""
    return [(sold, len(list(days))) for sold, days in groupby(daily > 0)]


def _log_none(daily: Float[np.ndarray, " D"]) -> float:
    """ln P(no sale on a day), of a negative binomial with the mean and variance of these days."""
    mean = max(daily.mean(), 1e-9)
    spread = max(daily.var() / mean, 1.0 + 1e-6)
    return -mean * float(np.log(spread)) / (spread - 1.0)
