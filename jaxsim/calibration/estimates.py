"""Parameters of demand from counts: moments, and frequencies with an empirical-Bayes prior."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import optimize, special

from jaxsim.calibration.counts import Counts


@dataclass(frozen=True)
class Fitted:
    """Parameters of demand that are estimated."""

    tastes: Float[np.ndarray, "K N"]  # shares of products in purchases
    season: Float[np.ndarray, "K 7"]
    persistence: float  # ρ of the market state
    market: float  # σ of its innovations
    noise: Float[np.ndarray, " N"]  # σ of the lognormal shocks


def shrunken_tastes(counts: Counts) -> Float[np.ndarray, "K N"]:
    """Shares of products in each segment's purchases, shrunk towards the overall shares by a
    Dirichlet prior whose weight maximises the likelihood of the segments' counts."""
    by_segment = counts.purchases.sum(0)
    everybody = (by_segment.sum(0) + 0.5) / (by_segment.sum() + 0.5 * by_segment.shape[1])

    def loss(log_weight: float) -> float:
        prior = np.exp(log_weight) * everybody
        return -float(
            (special.gammaln(by_segment + prior) - special.gammaln(prior)).sum()
            - (
                special.gammaln(by_segment.sum(1) + prior.sum()) - special.gammaln(prior.sum())
            ).sum()
        )

    best = optimize.minimize_scalar(loss, bounds=(0.0, 12.0), method="bounded")
    posterior = by_segment + np.exp(best.x) * everybody
    return posterior / posterior.sum(1, keepdims=True)


def weekly_season(counts: Counts) -> Float[np.ndarray, "K 7"]:
    """Mean visitors of each weekday over the mean of all weekdays, by segment; Monday first."""
    of_day = [counts.visitors[counts.weekday == day].mean(0) for day in range(7)]
    means = np.stack(of_day, -1)
    return means / np.maximum(means.mean(1, keepdims=True), 1e-9)


def market_state(counts: Counts, expected: Float[np.ndarray, " D"]) -> tuple[float, float]:
    """ρ and σ of the AR(1), in logs, of daily visitors over their expectation, with counting noise
    removed. Days on which nobody is expected, as the shop is closed, say nothing; ρ is estimated
    from consecutive days only."""
    opened = expected > 0
    ratio = counts.visitors.sum(1)[opened] / expected[opened]
    ratio = ratio / ratio.mean() - 1
    counting = (1 / np.maximum(counts.a_visitor * expected[opened], 1.0)).mean()
    variance = max(float(ratio.var() - counting), 1e-6)
    neighbours = np.diff(counts.days[opened]) == np.timedelta64(1, "D")
    covariance = float((ratio[1:] * ratio[:-1])[neighbours].sum() / max(neighbours.sum(), 1))
    persistence = float(np.clip(covariance / variance, 0.0, 0.95))
    return persistence, float(np.sqrt(np.log1p(variance) * (1 - persistence**2)))


def demand_noise(
    counts: Counts,
    there: Bool[np.ndarray, "D N"],
    expected: Float[np.ndarray, " D"],
    market_variance: float,
) -> Float[np.ndarray, " N"]:
    """σ_i of the lognormal shocks: the daily variance that Poisson demand and the market state do
    not explain, on the days on which a product was there."""
    daily = counts.purchases.sum(1)
    mean = daily.mean(0) * (expected / expected.mean())[:, None]
    excess = (((daily - mean) ** 2 - mean) * there).sum(0) / (mean**2 * there).sum(0)
    left = (1 + np.maximum(excess, 0)) / np.exp(market_variance)
    return np.sqrt(np.log(np.maximum(left, 1.0)))
