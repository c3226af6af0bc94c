"""The slope that one backward pass gives is what finite differences say, on the same customers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.policies.heuristics import HeuristicPair, HeuristicParams
from jaxsim import store
from jaxsim.scenarios import get

STORES, PERIODS = 2048, 24
PERISHABLE = {"max_shelf_life": 3, "shelf_life": [2, 3], "disposal": 1.0, "fresh_share": 0.3}


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
    ("scenario", "changes", "safety", "step", "off"),
    [
        ("lost-sales", {}, 0.3, 0.2, 0.03),
        ("pair", {"penalty": 4.0}, -0.6, 0.4, 0.1),  # also for customers whom hidden products cost
        ("pair", PERISHABLE, 0.4, 0.507, 0.1),  # a step of one unit
        ("boutique", {}, 0.2, 0.2, 0.15),
    ],
)
def test_the_slope_in_each_safety_factor_is_that_of_finite_differences(
    scenario, changes, safety, step, off
):
    """Within a stated error of its length, in the mean over stores."""
    params = get(scenario).model_copy(update=changes).params()
    at = jnp.full(params.products, safety)
    slope = np.asarray(jax.jit(jax.grad(earned))(at, params))
    differences = np.array(
        [
            float(earned(at + each, params) - earned(at - each, params)) / (2 * step)
            for each in step * jnp.eye(params.products)
        ]
    )
    assert np.linalg.norm(slope - differences) < off * np.linalg.norm(differences)
