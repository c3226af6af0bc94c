"""A number that no policy's average profit exceeds, for stores that are too large to be solved.

Every period is given stock as if it could be chosen that morning and what is left be taken back at
cost: the store without its lead times. Supply that is limited is shared out by prices, one for each
product (a Lagrangian relaxation), the best that are found. Source: this project; docs/theory.md has
the proof.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import jax
import numpy as np
from jaxtyping import Float
from scipy import optimize

from jaxsim import families
from jaxsim.exact.truncation import ExactError
from jaxsim.params import UNLIMITED, Params

SPLIT = ("poisson", "geometric", "negative-binomial")
"""Families whose demand is the sum of any number of like parts of the same family."""
MOST_SLATES = 50_000
MARKET_NODES, SHOCK_NODES = 9, 24


@dataclass(frozen=True)
class UpperBound:
    """What no policy earns more than, in the long run."""

    profit: float  # money per period
    supply_price: Float[np.ndarray, " N"]  # money per unit of what may be ordered; 0: no limit


def upper_bound(params: Params) -> UpperBound:
    """The bound of one store, up to the quadrature of its market state and shocks.

    Raises `ExactError` for a family of demand of which it is not known, and for too many slates.
    """
    if params.family not in SPLIT:
        raise ExactError(f"family: {params.family}; the upper bound allows {', '.join(SPLIT)}")
    slates = math.perm(params.products, params.slots)
    if slates > MOST_SLATES:
        raise ExactError(
            f"slates: {slates:,} for a segment; the upper bound allows up to {MOST_SLATES:,}"
        )
    store = _Relaxed(jax.tree.map(lambda leaf: np.asarray(leaf, float), params))
    limited = np.flatnonzero(store.supply < UNLIMITED / 2)
    if not len(limited):
        return UpperBound(store.profit_at(np.zeros(params.products)), np.zeros(params.products))

    def prices(of_limited: np.ndarray) -> np.ndarray:
        found = np.zeros(params.products)
        found[limited] = np.abs(of_limited)
        return found

    # Any prices give a bound: the search need not end at the best.
    best = optimize.minimize(
        lambda of_limited: store.profit_at(prices(of_limited)),
        0.2 * store.margin[limited],
        method="Nelder-Mead",
        options={"maxfev": 150 * len(limited), "adaptive": True},
    )
    return UpperBound(float(best.fun), prices(best.x))


@dataclass(frozen=True)
class _Circumstance:
    """A period of the season in one state of the market."""

    chance: float
    arrivals: Float[np.ndarray, " K"]
    mean: Float[np.ndarray, " N"]  # the most units that may be asked for, on average
    covered: list[Float[np.ndarray, " stock"]]  # by product: see `_covered`


@dataclass(frozen=True)
class _Relaxed:
    """A store without its past, in double precision. T slates."""

    params: Params

    @cached_property
    def margin(self) -> Float[np.ndarray, " N"]:
        return np.asarray(self.params.price - self.params.cost)

    @cached_property
    def supply(self) -> Float[np.ndarray, " N"]:
        """Units that may be ordered in a period, on average."""
        return np.asarray(self.params.order_cap / self.params.review)

    @cached_property
    def weights(self) -> list[Float[np.ndarray, "T N"]]:
        """MNL weights of products under every slate, for each segment."""
        params = self.params
        slates = np.array(list(itertools.permutations(range(params.products), params.slots)))
        attention = np.zeros((len(slates), params.products))
        np.put_along_axis(attention, slates, params.slot_weight[None], axis=1)
        return [
            np.exp(utility + lift * attention)
            for utility, lift in zip(params.utility, params.lift, strict=True)
        ]

    @cached_property
    def categories(self) -> list[np.ndarray]:
        """Numbers of the products of each."""
        count = self.params.no_purchase.shape[1]
        return [np.flatnonzero(self.params.category == each) for each in range(count)]

    @cached_property
    def thinned(self) -> bool:
        """Whether fewer products can be on offer, or drawn to with less weight, than all."""
        return bool(self.params.hide_stockouts or (self.params.fatigue_weight > 0).any())

    @cached_property
    def circumstances(self) -> list[_Circumstance]:
        return list(self._circumstances())

    def profit_at(self, prices: Float[np.ndarray, " N"]) -> float:
        """The bound where every unit ordered costs so much more and what may be ordered is paid
        for, in money per period."""
        again = self._second_choice(prices)
        free = sum(
            each.chance * each.arrivals @ self._customers(self._worth(each, prices, again))
            for each in self.circumstances
        )
        return float(free + prices @ np.where(prices > 0, self.supply, 0.0))

    def _customers(self, worth: Float[np.ndarray, " N"]) -> Float[np.ndarray, " K"]:
        """The most that a customer of each segment brings, where a unit of demand brings so much:
        the best slate, and the best products on offer beside it where that can be chosen."""
        values = worth * self.params.batch

        def brought(weights: np.ndarray, no_purchase: np.ndarray) -> float:
            by_need = [
                _mean_value(weights[:, own], values[own], outside, self.thinned)
                for own, outside in zip(self.categories, no_purchase, strict=True)
            ]
            return np.sum(by_need, axis=0).max()

        return np.array(list(map(brought, self.weights, self.params.no_purchase)))

    def _second_choice(self, prices: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        """The most that a unit brings which was asked for and is not there."""
        params, found = self.params, np.zeros(self.params.products)
        instead = self.margin - prices + params.holding  # the unit is not left over either
        for number, own in enumerate(self.categories):
            segments = [
                (weights[:, own], outside)
                for weights, outside in zip(
                    self.weights, params.no_purchase[:, number], strict=True
                )
            ]
            worth, finds = (
                max(_mean_value(weights, values, outside, thinned).max()
                    for weights, outside in segments)
                for values, thinned in ((instead[own], True), (np.ones(len(own)), False))
            )  # fmt: skip
            lost = params.penalty[own] * (1 - params.substitution * finds)
            found[own] = params.substitution * worth - lost
        later = self.margin - prices - params.penalty  # it waits, at least until the next period
        return np.where(params.backlogged, later, found)

    def _worth(
        self,
        period: _Circumstance,
        prices: Float[np.ndarray, " N"],
        again: Float[np.ndarray, " N"],
    ) -> Float[np.ndarray, " N"]:
        """The most that a unit of demand brings on average, with the best stock for the period."""
        params = self.params
        found = np.zeros(params.products)
        for at, covered in enumerate(period.covered):
            mean, stock = period.mean[at], np.arange(len(covered))
            sales = (self.margin[at] - prices[at]) * covered
            earned = sales + again[at] * (mean - covered) - params.holding[at] * (stock - covered)
            found[at] = earned.max() / mean if mean > 0 else 0.0
        return found

    def _circumstances(self) -> Iterator[_Circumstance]:
        params = self.params
        spread = params.market_noise / math.sqrt(1 - params.market_persistence**2)
        goodwill = params.goodwill_ceiling if params.goodwill_rate > 0 else 1.0
        markets, chances = _normal(MARKET_NODES if spread > 0 else 1)
        for season in params.season.T:
            for market, chance in zip(markets, chances, strict=True):
                arrivals = params.arrivals * season * np.exp(spread * market) * goodwill
                mean = arrivals @ self._highest_share * params.batch
                covered = [self._covered(at, each) for at, each in enumerate(mean)]
                yield _Circumstance(chance / params.season_length, arrivals, mean, covered)

    @cached_property
    def _highest_share(self) -> Float[np.ndarray, "K N"]:
        """The most customers of each segment who may choose each product."""
        found = np.zeros_like(self.params.utility)
        for segment, weights in enumerate(self.weights):
            for own, outside in zip(self.categories, self.params.no_purchase[segment], strict=True):
                drawn = weights[:, own]
                beside = 0.0 if self.thinned else drawn.sum(1, keepdims=True) - drawn
                found[segment, own] = (drawn / (outside + drawn + beside)).max(0)
        return found

    def _covered(self, product: int, mean: float) -> Float[np.ndarray, " stock"]:
        """E min(stock, D) of demand with this mean, for stock 0, 1, …: the units sold."""
        if mean <= 0:
            return np.zeros(1)
        family = families.get(self.params.family)
        if family.in_batches:
            family = family.at(self.params.dispersion[product])
        noise = self.params.demand_noise[product]
        shocks, chances = _normal(SHOCK_NODES if noise > 0 else 1)
        law = family.law(mean * np.exp(noise * shocks - noise**2 / 2), 1)
        most = min(float(np.max(law.isf(1e-9))), 20 * mean + 100)
        beyond = chances @ law.sf(np.arange(most + 1)[:, None]).T
        # The last stands for every larger stock: no sale is missed, and no more is left over.
        return np.concatenate([[0.0], np.cumsum(beyond)[:-1], [mean]])


def _mean_value(
    weights: Float[np.ndarray, "T N"],
    values: Float[np.ndarray, " N"],
    outside: float,
    thinned: bool,
) -> Float[np.ndarray, " T"]:
    """What a customer's choice in one category brings on average under every slate: of all
    products, or `thinned`, of the best to be on offer, which are those of the highest values."""
    order = np.argsort(-values)
    brought = np.cumsum(weights[:, order] * values[order], axis=1)
    drawn = outside + np.cumsum(weights[:, order], axis=1)
    means = brought / drawn
    return np.maximum(means.max(axis=1), 0.0) if thinned else means[:, -1]


def _normal(nodes: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Points and chances of a standard normal number, by Gauss and Hermite."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    return points, weights / weights.sum()
