"""Tuning the heuristics by simulation: every pair of recommender and order rule, same effort each.

Cross-entropy search with common random numbers. All candidates of all pairs run in one compiled
program, in batches side by side on the cores there are; the customers are never those of an
evaluation (the caller splits the key).

What a candidate earns is soon told from what another earns on the same customers: few stores in a
round, others in the next, and many rounds find better pairs than many stores in few rounds.
"""

from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PRNGKeyArray

from agents.evaluation.keys import keys_of
from agents.evaluation.simulation import simulate
from agents.policies.heuristics import (
    FOR_AGEING,
    ORDER_RULES,
    RECOMMENDERS,
    HeuristicPair,
    HeuristicParams,
)
from jaxsim.params import Params

SETTINGS = (
    "safety", "fractile", "spread", "stock_weight", "cap", "gap", "least_margin", "low", "limit",
)  # fmt: skip
# In this order (cap in review intervals, gap in days): where the search begins, and its limits.
LOWEST = np.array([-1.0, 0.0, -0.1, 0.0, 0.7, 0.0, 0.0, 0.0, 0.3])
HIGHEST = np.array([3.0, 2.0, 0.5, 3.0, 2.0, 2.0, 0.8, 0.5, 1.2])
FLOOR = np.array([-4.0, -2.0, -0.5, 0.0, 0.3, 0.0, 0.0, 0.0, 0.1])
CEILING = np.array([12.0, 6.0, 2.0, 8.0, 20.0, 20.0, 1.0, 1.0, 3.0])
RULE_SETTINGS = [4, 5, 7, 8]  # those of one order rule alone
FEWEST = 6  # candidates of a pair, of which two are the elites
WIDEN = 0.5  # share of the first spread that the second search starts with at least


@dataclass(frozen=True)
class Effort:
    """How hard every pair is tuned: `candidates` in all per round, over `stores` × `periods`."""

    first_rounds: int = 7  # on each recommender with plain base-stock
    rounds: int = 9  # on every pair, from what its recommender reached
    candidates: int = 360
    of_a_pair: int = 24  # at least
    elite_share: float = 0.15
    stores: int = 4  # others in each round
    periods: int = 84
    burn_in: int = 28
    batch: int = 96  # candidates in one call

    def times(self, share: float) -> "Effort":
        """This share of the candidates in each round, at least `FEWEST` of a pair."""
        return replace(
            self,
            candidates=round(self.candidates * share),
            of_a_pair=max(FEWEST, round(self.of_a_pair * share)),
        )

    def each(self, pairs: int) -> int:
        """Candidates of each of so many pairs per round."""
        return max(self.candidates // pairs, self.of_a_pair)


@dataclass(frozen=True)
class Search:
    """Where each pair's search stands: (pairs, heuristic)."""

    pairs: list[tuple[str, str]]
    centre: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True)
class TunedPair:
    """One pair at the mean of its last elites, and its mean profit per period on the customers that
    pairs are ranked on, as many stores as all candidates of a pair had in a round."""

    name: str
    policy: HeuristicPair
    profit: float


def tune(
    params: Params, effort: Effort = Effort(), key: PRNGKeyArray | None = None
) -> list[TunedPair]:
    """Every pair of recommender and order rule, tuned; best first. `key`: of the customers that are
    tuned on, by default the same for all trainings.

    The recommenders are first tuned with plain base-stock; the other order rules then start from
    there, as base-stock is a special case of most. A store where every slate is the same has one
    recommender; rules for goods that age are for where they do.
    """
    first_key, rest, last = jax.random.split(keys_of(0)["tune"] if key is None else key, 3)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(rest)).tolist())
    plain = [(recommender, ORDER_RULES[0]) for recommender in recommenders(params)]
    box = (LOWEST + HIGHEST) / 2, (HIGHEST - LOWEST) / np.sqrt(12)
    search = Search(plain, *(np.tile(each, (len(plain), 1)) for each in box))
    search = _rounds(first_key, rng, search, effort.first_rounds, params, effort)

    rules = order_rules(params)
    centre, spread = (np.repeat(each, len(rules), 0) for each in (search.centre, search.spread))
    centre[:, RULE_SETTINGS], spread[:, RULE_SETTINGS] = (
        box[0][RULE_SETTINGS],
        box[1][RULE_SETTINGS],
    )
    spread = np.maximum(spread, WIDEN * box[1])
    pairs = [(recommender, rule) for recommender in recommenders(params) for rule in rules]
    search = _rounds(rest, rng, Search(pairs, centre, spread), effort.rounds, params, effort)
    tuned = [
        TunedPair("+".join(pair), HeuristicPair(_heuristic(pair, at)), float(profit))
        for pair, at, profit in zip(
            pairs, search.centre.astype(np.float32), _ranked(last, search, params, effort),
            strict=True,
        )
    ]  # fmt: skip
    return sorted(tuned, key=lambda pair: -pair.profit)


def store_periods(params: Params, effort: Effort) -> int:
    """What all pairs of a store together are tuned on."""
    kinds = len(recommenders(params))
    pairs = kinds * len(order_rules(params))
    first, rounds = effort.first_rounds * kinds, (effort.rounds + 1) * pairs
    candidates = first * effort.each(kinds) + rounds * effort.each(pairs)
    return candidates * effort.stores * (effort.periods + effort.burn_in)


def recommenders(params: Params) -> tuple[str, ...]:
    """Those that differ in this store: one where every slate is the same."""
    return _of(RECOMMENDERS if params.slates_differ else RECOMMENDERS[:1], params)


def order_rules(params: Params) -> tuple[str, ...]:
    """Those that differ in this store: (s, S) where an order has a cost of its own."""
    placing_costs = bool((params.order_cost > 0).any())
    return tuple(rule for rule in _of(ORDER_RULES, params) if placing_costs or rule != "s-S")


def _of(rules: tuple[str, ...], params: Params) -> tuple[str, ...]:
    return tuple(rule for rule in rules if params.ages or rule not in FOR_AGEING)


def _rounds(
    key: PRNGKeyArray,
    rng: np.random.Generator,
    search: Search,
    rounds: int,
    params: Params,
    effort: Effort,
) -> Search:
    """Cross-entropy rounds, new customers in each; the search after them."""
    each = effort.each(len(search.pairs))
    elites = max(2, round(effort.elite_share * each))
    for round_key in jax.random.split(key, rounds):
        settings = _candidates(rng, search, each)
        same = jnp.broadcast_to(round_key, each)
        profits = _profits(same, search.pairs, settings, params, effort)
        best = np.argsort(-profits, -1)[:, :elites]
        chosen = np.take_along_axis(settings, best[..., None], 1)
        search = Search(search.pairs, chosen.mean(1), chosen.std(1) + 0.02)
    return search


def _ranked(key: PRNGKeyArray, search: Search, params: Params, effort: Effort) -> np.ndarray:
    """(pairs,): mean profit per period of each pair at the search's centre, all on the same new
    customers. They do not favour a pair whose candidates happened to suit those of a round."""
    each = effort.each(len(search.pairs))
    settings = np.repeat(search.centre.astype(np.float32)[:, None], each, 1)
    return _profits(jax.random.split(key, each), search.pairs, settings, params, effort).mean(1)


def _candidates(rng: np.random.Generator, search: Search, each: int) -> np.ndarray:
    """(pairs, candidates, heuristic): normal around the search's centre, which is one of them."""
    shape = (len(search.pairs), each, len(LOWEST))
    noise = rng.standard_normal(shape)
    noise[:, 0] = 0.0
    drawn = search.centre[:, None] + search.spread[:, None] * noise
    return np.clip(drawn, FLOOR, CEILING).astype(np.float32)


def _profits(
    keys: Key[Array, " candidates"],
    pairs: list[tuple[str, str]],
    settings: np.ndarray,
    params: Params,
    effort: Effort,
) -> np.ndarray:
    """(pairs, candidates): mean profit per period, each candidate of a pair on its key's customers.

    One call for each batch. None waits for another: they run side by side.
    """
    pairs_there, each = settings.shape[:2]
    count = pairs_there * each
    heuristics = [
        _heuristic(pair, of_pair.T) for pair, of_pair in zip(pairs, settings, strict=True)
    ]

    def joined(*leaves: Array) -> np.ndarray:
        return np.concatenate([np.broadcast_to(leaf, each) for leaf in leaves])

    together = jax.tree.map(joined, *heuristics)
    calls = -(-count // effort.batch)
    profits = [
        _simulated(
            keys[own % each], jax.tree.map(itemgetter(own), together), params,
            effort.stores, effort.periods, effort.burn_in,
        )
        for own in np.resize(np.arange(count), (calls, effort.batch))
    ]  # fmt: skip
    return np.concatenate(jax.device_get(profits))[:count].reshape(pairs_there, each)


def _heuristic(
    pair: tuple[str, str], numbers: Float[np.ndarray, "settings *candidates"]
) -> HeuristicParams:
    """The parameters of a pair from a point of the search, or from several."""
    recommender, order_rule = pair
    settings = dict(zip(SETTINGS, jnp.asarray(numbers), strict=True))
    named = HeuristicParams(recommender=recommender, **settings).for_rule(order_rule)
    return jax.tree.map(jnp.asarray, named)


@partial(jax.jit, static_argnames=("stores", "periods", "burn_in"))
def _simulated(
    keys: Key[Array, " candidates"],
    heuristics: HeuristicParams,
    params: Params,
    stores: int,
    periods: int,
    burn_in: int,
) -> Float[Array, " candidates"]:
    def profit(key: PRNGKeyArray, one: HeuristicParams) -> Float[Array, ""]:
        totals = simulate(key, HeuristicPair(one), params, stores, periods, burn_in)
        return totals.profit.mean() / periods

    return jax.vmap(profit)(keys, heuristics)
