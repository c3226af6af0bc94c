"""Tuning the heuristics by simulation: every pair of recommender and order rule, same effort each.

Cross-entropy search over the knobs with common random numbers. All candidates of all pairs run in
one compiled program; the customers are never those of an evaluation (the caller splits the key).
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from agents.evaluation import simulate
from agents.heuristics import ORDER_RULES, RECOMMENDERS, HeuristicPair, Knobs, knobs_of
from jaxsim.params import Params

# safety, fractile, spread, stock_weight, cap (days), gap (days): where the search begins.
LOWEST = np.array([-1.0, 0.0, -0.1, 0.0, 0.8, 0.0])
HIGHEST = np.array([4.0, 2.0, 0.5, 3.0, 4.0, 4.0])


@dataclass(frozen=True)
class Effort:
    """How hard every pair is tuned: `rounds` of `candidates`, each over `stores` × `periods`."""

    rounds: int = 4
    candidates: int = 24
    elites: int = 5
    stores: int = 64
    periods: int = 112
    burn_in: int = 42
    batch: int = 16  # candidates simulated side by side


@dataclass(frozen=True)
class TunedPair:
    """One pair at the mean of its last elites, and their mean profit per period when tuned."""

    name: str
    policy: HeuristicPair
    profit: float


def tune(key: PRNGKeyArray, params: Params, effort: Effort) -> list[TunedPair]:
    """Every pair, tuned; best first. A store with nothing to choose still has one recommender."""
    pairs = [(recommender, rule) for recommender in recommenders(params) for rule in ORDER_RULES]
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())
    centre = np.tile((LOWEST + HIGHEST) / 2, (len(pairs), 1))
    spread = np.tile((HIGHEST - LOWEST) / np.sqrt(12), (len(pairs), 1))
    for number, round_key in enumerate(jax.random.split(key, effort.rounds)):
        settings = _candidates(rng, centre, spread, number, effort)
        profits = _profits(round_key, pairs, settings, params, effort)
        best = np.argsort(-profits, -1)[:, : effort.elites, None]
        elites = np.take_along_axis(settings, best, 1)
        centre, spread = elites.mean(1), elites.std(1) + 0.02
        reached = np.take_along_axis(profits, best[..., 0], 1).mean(1)
    tuned = [
        TunedPair("+".join(pair), HeuristicPair(knobs_of(*pair, jnp.asarray(at))), float(profit))
        for pair, at, profit in zip(pairs, centre.astype(np.float32), reached, strict=True)
    ]
    return sorted(tuned, key=lambda pair: -pair.profit)


def recommenders(params: Params) -> tuple[str, ...]:
    """All of them, or one where every slate is the same."""
    return RECOMMENDERS if params.products > params.slots else RECOMMENDERS[:1]


def _candidates(
    rng: np.random.Generator, centre: np.ndarray, spread: np.ndarray, number: int, effort: Effort
) -> np.ndarray:
    """(pairs, candidates, knobs): uniform over the box at first, then normal around the elites."""
    shape = (len(centre), effort.candidates, len(LOWEST))
    if number == 0:
        drawn = rng.uniform(LOWEST, HIGHEST, shape)
    else:
        drawn = centre[:, None] + spread[:, None] * rng.standard_normal(shape)
    floor = np.array([-4.0, -2.0, -0.5, 0.0, 0.3, 0.0])
    return np.maximum(drawn, floor).astype(np.float32)


def _profits(
    key: PRNGKeyArray,
    pairs: list[tuple[str, str]],
    settings: np.ndarray,
    params: Params,
    effort: Effort,
) -> np.ndarray:
    """(pairs, candidates): mean profit per period."""
    knobs = [
        jax.tree.map(np.asarray, knobs_of(*pair, jnp.asarray(setting)))
        for pair, of_pair in zip(pairs, settings, strict=True)
        for setting in of_pair
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *knobs)
    profits = _simulate_all(key, stacked, params, effort)
    return np.asarray(profits).reshape(settings.shape[:2])


@partial(jax.jit, static_argnames="effort")
def _simulate_all(
    key: PRNGKeyArray, knobs: Knobs, params: Params, effort: Effort
) -> Float[Array, " candidates"]:
    def profit(one: Knobs) -> Float[Array, ""]:
        totals = simulate(
            key, HeuristicPair(one), params, effort.stores, effort.periods, effort.burn_in
        )
        return totals.profit.mean() / effort.periods

    return jax.lax.map(profit, knobs, batch_size=effort.batch)
