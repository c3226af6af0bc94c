"""The slope that one backward pass gives is what finite differences say, on the same customers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.policies.heuristics import HeuristicPair, HeuristicParams
from jaxsim import store
from jaxsim.scenarios import get

STORES, PERIODS = 1024, 24


@jax.jit
def earned(safety, params):
    """Mean profit per period of stores that start alike, with a safety factor for each product.

    Slates do not pass on the slope of the stock they look at, as in training; here they are blind
    to it.
    """
    pair = HeuristicPair(HeuristicParams(recommender="margin").replace(safety=safety))

    def period(states, key):
        def one(key, state):
            action, _ = pair.act(key, (), state, params)
            state, flows = store.advance(store.draw(key, params), state, action, params)
            return state, store.profit_on_sale(flows, params).sum()

        states, profit = jax.vmap(one)(jax.random.split(key, STORES), states)
        return states, profit.mean()

    keys = jax.random.split(jax.random.key(1), STORES)
    states = jax.vmap(store.reset, (0, None))(keys, params)
    _, profits = jax.lax.scan(period, states, jax.random.split(jax.random.key(2), PERIODS))
    return profits.mean()


@pytest.mark.parametrize(
    ("scenario", "penalty", "safety", "step", "off"),
    [
        ("lost-sales", None, 0.3, 0.2, 0.03),
        ("pair", None, -0.6, 0.2, 0.15),
        ("pair", 4.0, -0.6, 0.4, 0.1),  # also for customers whom hidden products cost
        ("boutique", None, 0.2, 0.2, 0.15),
    ],
)
def test_the_slope_in_each_safety_factor_is_that_of_finite_differences(
    scenario, penalty, safety, step, off
):
    """Within a stated error of its length, in the mean over stores."""
    params = get(scenario).params()
    if penalty is not None:
        params = params.replace(penalty=jnp.full(params.products, penalty))
    at = jnp.full(params.products, safety)
    slope = np.asarray(jax.jit(jax.grad(earned))(at, params))
    differences = np.array(
        [
            float(earned(at + each, params) - earned(at - each, params)) / (2 * step)
            for each in step * jnp.eye(params.products)
        ]
    )
    assert np.linalg.norm(slope - differences) < off * np.linalg.norm(differences)
