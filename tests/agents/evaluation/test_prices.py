"""Shadow prices are what one more unit, and one more customer, change: by lives lived twice, and by
the exact solver."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.errors import ConfigError
from agents.evaluation import prices
from agents.evaluation.prices import Prices, price_table, shadow_prices, stock_prices_along
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from jaxsim.exact.optimum import optimum
from jaxsim.exact.policy import policy_of
from jaxsim.responses import warmed
from jaxsim.rollouts import keyed
from jaxsim.scenarios import get

STORES = 4096


@pytest.fixture(scope="module")
def pair():
    return get("pair").params()


@pytest.fixture(scope="module")
def blind():
    """A pair whose slates do not look at stock: nothing is left out of its prices."""
    return HeuristicPair(HeuristicParams(recommender="margin", safety=0.5, fractile=0.5))


def test_prices_are_finite_differences_on_the_same_customers(pair, blind):
    found = shadow_prices(jax.random.key(3), blind, pair, stores=STORES, burn_in=20, ahead=24)
    warm_up, customers, decisions = jax.random.split(jax.random.key(3), 3)
    start = warmed(warm_up, blind, pair, STORES, 20)
    keys = keyed(*(jax.random.split(each, STORES) for each in (customers, decisions)))
    none = jnp.zeros((STORES, 2))

    @jax.jit
    def earned(more):
        return prices._worth(keys, blind, pair, start, 24, more) / STORES

    for product, one in enumerate(jnp.eye(2)):
        for name, cost in (("stock", pair.cost[product]), ("demand", 0.0)):
            both = [
                float(earned(Prices(none, none).replace(**{name: none + sign * one[None]})))
                for sign in (1, -1)
            ]
            mean = float(getattr(found, name)[:, product].mean())
            assert mean == pytest.approx((both[0] - both[1]) / 2 + float(cost), rel=0.12)


def test_a_unit_of_stock_is_worth_what_the_exact_solver_says(pair):
    """On the states that the optimum visits, h(x + 1) - h(x), by product; a pair near the optimum
    has nearly its prices."""
    best = optimum(pair, tolerance=1e-4)
    value = np.asarray(best.solution.value)[0]
    key = jax.random.key(5)
    reached = warmed(jax.random.split(key, 3)[0], policy_of(best), pair, STORES, 20).state.on_hand
    at = np.asarray(reached, int)
    exact = [value[tuple((at + one).T)] - value[tuple(at.T)] for one in np.eye(2, dtype=int)]
    near = HeuristicPair(HeuristicParams(recommender="margin", safety=0.9, fractile=0.5))
    table = price_table(shadow_prices(key, near, pair, stores=STORES, burn_in=20))
    for product in (0, 1):
        mean = table["stock"][product]["mean"]
        assert mean == pytest.approx(exact[product].mean(), rel=0.05)


def test_sizes_are_checked(pair, blind):
    with pytest.raises(ConfigError, match="periods: 0; allowed: 1 or more"):
        shadow_prices(jax.random.key(0), blind, pair, ahead=0)


def test_one_store_s_time_has_the_prices_of_many_stores(pair, blind):
    """The mean over one store's 1,500 periods against that over stores: 10 %."""
    along = stock_prices_along(jax.random.key(8), blind, pair, 1500, 20)
    across = shadow_prices(jax.random.key(9), blind, pair, stores=STORES, burn_in=20)
    np.testing.assert_allclose(along.mean(0), across.stock.mean(0), rtol=0.1)
    assert along.shape == (1500, 2)
    assert along.min() < pair.cost.min() and along.max() <= pair.price.max() * 1.5
