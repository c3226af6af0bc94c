"""The upper bound is above the exact optimum, and meets it where stock is chosen every morning."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxsim.exact.optimum import optimum
from jaxsim.exact.truncation import ExactError
from jaxsim.exact.upper_bound import upper_bound
from jaxsim.params import UNLIMITED
from jaxsim.scenarios import get


@pytest.fixture(scope="module")
def pair():
    return get("pair").params()


def test_it_is_the_optimum_where_the_store_is_a_newsvendor():
    """Lead time 0, one product, nothing to choose but its stock."""
    stock = np.arange(200)[:, None]
    demand, chance = np.arange(200)[None], stats.poisson(50).pmf(np.arange(200))
    cost = 0.18 * np.maximum(stock - demand, 0) + 0.7 * np.maximum(demand - stock, 0)
    assert upper_bound(get("newsvendor").params()).profit == pytest.approx(
        -(cost @ chance).min(), abs=1e-4
    )


CHANGES = {
    "as it is": {},
    "one unit a period of product 1": {"max_order": jnp.array([1.0, UNLIMITED])},
    "little of both": {"max_order": jnp.array([1.0, 2.0]), "lift": jnp.full(2, 2.4)},
    "absences are seen": {"hide_stockouts": jnp.array(False), "penalty": jnp.full(2, 2.0)},
    "demand waits": {"backlogged": jnp.array([True, True]), "penalty": jnp.full(2, 1.0),
                     "arrivals": jnp.array([0.5, 0.5])},
    "all choose again": {"substitution": jnp.array(1.0), "price": jnp.array([10.0, 8.0])},
    "geometric demand": {"family": "geometric", "arrivals": jnp.array([1.0, 1.0])},
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_no_policy_earns_more(pair, change):
    """At most 25 % more, too: a bound that any number satisfies would say nothing."""
    store = pair.replace(**CHANGES[change])
    best = optimum(store, tolerance=0.02)
    found = upper_bound(store)
    assert best.profit - best.bound <= found.profit <= 1.25 * best.profit


def test_a_limit_to_orders_has_a_price_and_lowers_the_bound(pair):
    scarce = upper_bound(pair.replace(max_order=jnp.array([1.0, UNLIMITED])))
    assert scarce.supply_price[0] > 0 and scarce.supply_price[1] == 0
    assert scarce.profit < upper_bound(pair).profit - 0.1


def test_a_hidden_market_and_shocks_are_averaged_over(pair):
    """By hand: with a price for everything else at nothing, profit is margin times customers."""
    free = pair.replace(holding=jnp.zeros(2), market_noise=jnp.array(0.3), lift=jnp.zeros(2))
    still = upper_bound(free.replace(market_noise=jnp.array(0.0))).profit
    spread = 0.3**2 / (1 - float(free.market_persistence) ** 2)
    assert upper_bound(free).profit == pytest.approx(still * np.exp(spread / 2), rel=1e-6)


def test_stores_of_which_it_is_not_known_are_refused(pair):
    with pytest.raises(ExactError, match="slates: 304,278,004,800 for a segment; the upper bound"):
        upper_bound(get("marketplace-200").params())
    with pytest.raises(ExactError, match="family: own; the upper bound allows poisson, geometric"):
        upper_bound(pair.replace(family="own"))
