"""Slates: the chances of drawing them, greedy choice against brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from agents.policies import slates
from agents.policies.heuristics import RECOMMENDERS, HeuristicParams, recommend, slate_problem
from agents.policies.slates import SlateProblem
from jaxsim import choice, store
from jaxsim.scenarios import get
from tests.random_stores import one_need, random_params, random_state

LOGITS = jnp.array([[0.3, -1.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])


def plain_problem(slots: int, logits: jax.Array = LOGITS) -> SlateProblem:
    """Products ranked by these values alone."""
    segments, products = logits.shape
    ones = jnp.ones(products)
    problem = SlateProblem(
        weights=jnp.ones((segments, products)), worth=ones[None], plain=jnp.zeros((1, products)),
        is_plain=jnp.array(True), boost=jnp.full((slots, segments), 2.0),
        needs=one_need(segments, products), at_stake=ones, place=jnp.float32(1.0),
    )  # fmt: skip
    return problem.corrected(logits)


def all_slates(products, slots):
    return list(itertools.permutations(range(products), slots))


@pytest.fixture(scope="module")
def boutique():
    params = get("boutique").params()
    return params, store.reset(jax.random.key(0), params)


def test_probabilities_of_all_slates_sum_to_one():
    total = np.zeros(2)
    problem = plain_problem(3)
    for slate in all_slates(4, 3):
        both = jnp.array([slate, slate])
        total += np.exp(slates.log_probability(problem, both, 1.0)[0])
    np.testing.assert_allclose(total, 1, atol=1e-5)


@pytest.mark.parametrize("problem", ["plain", "by worth"])
def test_draws_have_the_probabilities_they_claim(problem, boutique):
    if problem == "plain":
        problem, products = plain_problem(2), 4
    else:
        params = random_params(3, 4, 2, 2, 3)
        problem, products = slate_problem(random_state(3, params), HeuristicParams(), params), 4
        assert not problem.is_plain
    draw = jax.jit(jax.vmap(lambda key: slates.fill(problem, key, 1.0)[0]))
    drawn = np.asarray(draw(jax.random.split(jax.random.key(3), 30_000)))
    for segment in range(2):
        possible = all_slates(products, 2)
        seen = [(drawn[:, segment] == slate).all(-1).sum() for slate in possible]
        expected = [
            np.exp(slates.log_probability(problem, jnp.array([slate, slate]), 1.0)[0][segment])
            for slate in possible
        ]
        assert stats.chisquare(seen, np.array(expected) * len(drawn), sum_check=False).pvalue > 1e-4


def test_the_chances_of_each_slot_are_those_of_the_drawn_slate(boutique):
    params, state = boutique
    problem = slate_problem(state, HeuristicParams(), params)
    slate, chances = jax.jit(slates.fill)(problem, jax.random.key(1), 0.7)
    np.testing.assert_allclose(chances.sum(-1), 1, atol=1e-5)
    drawn = jnp.take_along_axis(chances, slate.T[..., None], -1)[..., 0]
    expected = slates.log_probability(problem, slate, 0.7)[0]
    np.testing.assert_allclose(jnp.log(drawn).sum(0), expected, rtol=1e-4)


def test_slates_never_repeat_a_product_and_ties_go_to_the_first():
    slate, _ = slates.fill(plain_problem(4, jnp.zeros((2, 4))))
    np.testing.assert_array_equal(slate, [[0, 1, 2, 3]] * 2)
    np.testing.assert_array_equal(slates.fill(plain_problem(3))[0][0], [2, 0, 3])


@pytest.mark.parametrize("recommender", RECOMMENDERS)
def test_a_cold_draw_is_the_greedy_slate(recommender):
    params = random_params(5, 6, 3, 2, 3)
    state, heuristic = random_state(5, params), HeuristicParams(recommender)
    problem = slate_problem(state, heuristic, params)
    drawn, _ = jax.jit(slates.fill)(problem, jax.random.key(0), 1e-5)
    np.testing.assert_array_equal(drawn, recommend(state, heuristic, params))


@pytest.mark.parametrize("categories", [1, 3])
def test_greedy_fills_the_first_slot_as_brute_force_does(boutique, categories):
    params, state = boutique
    params = params.replace(
        category=jnp.arange(params.products) % categories,
        no_purchase=jnp.ones((params.segments, categories)),
    )
    slate = recommend(state, HeuristicParams("margin"), params)
    worth = params.price - params.cost
    for segment in range(params.segments):
        earned = []
        for product in range(params.products):
            shown = jnp.zeros((params.segments, params.products)).at[segment, product].set(1.0)
            weights = choice.weights_of(shown, jnp.zeros_like(shown), params)
            shares = choice.choice_shares(weights, jnp.ones(params.products), params.needs)
            earned.append(float(shares[segment] @ worth))
        assert int(slate[segment, 0]) == int(np.argmax(earned))
        assert len(set(np.asarray(slate[segment]).tolist())) == params.slots


def test_the_best_assortment_without_stock_limits_is_nested_in_margin_order():
    rng = np.random.default_rng(0)
    for _ in range(20):
        margin = np.sort(rng.uniform(1, 10, 5))[::-1]
        weights = jnp.asarray(rng.uniform(0.1, 2, (1, 5)))
        earned = {
            offered: float(
                choice.choice_shares(weights, jnp.asarray(offered, float), one_need(1, 5))[0]
                @ margin
            )
            for offered in itertools.product([0, 1], repeat=5)
        }
        best = max(earned.values())
        nested = [tuple([1] * m + [0] * (5 - m)) for m in range(6)]
        assert max(earned[offered] for offered in nested) >= best - 1e-5
