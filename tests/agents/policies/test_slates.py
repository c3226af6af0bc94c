"""Slates: exact densities, greedy choice against brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from agents.policies import slates
from jaxsim import choice
from jaxsim.scenarios import get

LOGITS = jnp.array([[0.3, -1.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])


def all_slates(products, slots):
    return list(itertools.permutations(range(products), slots))


def test_probabilities_of_all_slates_sum_to_one():
    total = np.zeros(2)
    for slate in all_slates(4, 3):
        both = jnp.array([slate, slate])
        total += np.exp(slates.log_probability(LOGITS, both)[0])
    np.testing.assert_allclose(total, 1, atol=1e-5)


def test_draws_have_the_probabilities_they_claim():
    draw = jax.jit(jax.vmap(lambda key: slates.draw_slate(key, LOGITS, 2)))
    drawn = np.asarray(draw(jax.random.split(jax.random.key(3), 30_000)))
    for segment in range(2):
        possible = all_slates(4, 2)
        seen = [(drawn[:, segment] == slate).all(-1).sum() for slate in possible]
        expected = [
            np.exp(slates.log_probability(LOGITS, jnp.array([slate, slate]))[0][segment])
            for slate in possible
        ]
        assert stats.chisquare(seen, np.array(expected) * len(drawn), sum_check=False).pvalue > 1e-4


def test_slates_never_repeat_a_product_and_ties_go_to_the_first():
    slate = slates.top_slate(jnp.zeros((2, 4)), 4)
    np.testing.assert_array_equal(slate, [[0, 1, 2, 3]] * 2)
    np.testing.assert_array_equal(slates.top_slate(LOGITS, 3)[0], [2, 0, 3])


def test_greedy_fills_the_first_slot_as_brute_force_does():
    params = get("boutique").params()
    worth = params.price - params.cost
    plain = slates.market_weights(jnp.zeros((params.segments, params.products)), params)
    slate = slates.greedy_slate(plain, worth, params)
    for segment in range(params.segments):
        earned = []
        for product in range(params.products):
            shown = jnp.zeros((params.segments, params.products)).at[segment, product].set(1.0)
            weights = choice.weights_of(shown, jnp.zeros_like(shown), params)
            shares = choice.choice_shares(weights, jnp.ones(params.products), params.no_purchase)
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
                choice.choice_shares(weights, jnp.asarray(offered, float), jnp.ones(1))[0] @ margin
            )
            for offered in itertools.product([0, 1], repeat=5)
        }
        best = max(earned.values())
        nested = [tuple([1] * m + [0] * (5 - m)) for m in range(6)]
        assert max(earned[offered] for offered in nested) >= best - 1e-5
