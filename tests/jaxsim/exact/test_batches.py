"""Customers who take several units, and orders in packs, in the exact solver.

The figures are this project's own, found by a second program in plain NumPy.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from agents.evaluation.simulation import interval, profit_per_period, simulate
from jaxsim import families, scenarios
from jaxsim.exact.classical import one_product
from jaxsim.exact.one_product import best_base_stock_level, best_capped_base_stock
from jaxsim.exact.optimum import optimum
from jaxsim.exact.policy import policy_of
from jaxsim.exact.truncation import ExactError
from jaxsim.families import Family

TABLE = 512


def geometric_batches(mean):
    """Probabilities of 0, 1, 2, ... units where Poisson customers take 1, 2, ... by a geometric law
    of mean 2, by Panjer's recursion."""
    customers = mean / 2

    def following(last, n):
        one, two = last
        now = ((n - 1 + customers / 2) * one - 0.25 * jnp.maximum(n - 2, 0) * two) / n
        return (now, one), now

    none = jnp.exp(-customers)
    counts = jnp.arange(1, TABLE, dtype=none.dtype)
    return jnp.append(none, lax.scan(following, (none, 0 * none), counts)[1])


def _log_mass(count, mean):
    return jnp.log(jnp.maximum(geometric_batches(mean), 1e-300)[jnp.asarray(count, int)])


def _tail(least, mean):
    mass = geometric_batches(mean).at[:least].set(0.0)
    return mass.sum(), jnp.maximum((jnp.arange(TABLE) * mass).sum() / mass.sum(), least)


def _not_drawn(uniform, mean):
    return jnp.full_like(mean, jnp.nan)


def _law(mean, periods):
    """Of the same mean and variance."""
    return families.NEGATIVE_BINOMIAL.at(3.0).law(mean, periods)


families.register(Family("geometric-batches", _not_drawn, _log_mass, _tail, _law))


@pytest.fixture
def pair():
    return scenarios.get("pair").params()


def batches(family, lead_time, mean, batch, dispersion):
    params = one_product("lost-sales", 9.0, lead_time, family)
    return params.replace(
        arrivals=jnp.full(1, mean / batch),
        batch=jnp.full(1, batch),
        dispersion=jnp.full(1, dispersion),
    )


@pytest.mark.parametrize(
    ("lead_time", "best", "base_stock"), [(1, 8.01269, (15, 8.14387)), (2, 8.82233, (20, 9.12435))]
)
def test_lost_sales_with_negative_binomial_demand(lead_time, best, base_stock):
    params = batches("negative-binomial", lead_time, 5.0, 1.5, 2.0)
    assert -optimum(params, tolerance=1e-6).profit == pytest.approx(best, abs=1e-5)
    level, cost = best_base_stock_level(params)
    assert (level, cost) == (base_stock[0], pytest.approx(base_stock[1], abs=1e-5))


def test_lost_sales_with_geometric_batches():
    params = batches("geometric-batches", 1, 4.0, 1.0, 1.0)
    assert -optimum(params, tolerance=1e-6).profit == pytest.approx(8.98095, abs=1e-5)
    level, cost = best_base_stock_level(params)
    assert (level, cost) == (13, pytest.approx(9.11792, abs=1e-5))
    assert best_capped_base_stock(params) == (13, 7, pytest.approx(9.02110, abs=1e-5))


def test_the_simulator_earns_what_the_solver_says_of_packs_and_batches():
    """Three units a pack, and customers who take 1.6 on average."""
    params = batches("negative-binomial", 1, 5.0, 1.6, 2.5).replace(pack=jnp.full(1, 3.0))
    found = optimum(params, tolerance=1e-4)
    assert (found.rule.order % 3 == 0).all() and found.rule.order.max() > 3
    single = optimum(params.replace(pack=jnp.ones(1)), tolerance=1e-4)
    assert found.profit < single.profit
    totals = simulate(jax.random.key(0), policy_of(found), params, 512, 800, 50)
    _, (low, high) = interval(profit_per_period(totals, 800), 0.999)
    assert low <= found.profit <= high


def test_a_store_where_only_one_product_is_taken_in_batches(pair):
    params = pair.replace(
        family="negative-binomial", batch=jnp.array([1.4, 1.0]), dispersion=jnp.array([2.0, 1.0])
    )
    found = optimum(params, tolerance=1e-3)
    totals = simulate(jax.random.key(0), policy_of(found), params, 512, 600, 50)
    _, (low, high) = interval(profit_per_period(totals, 600), 0.999)
    assert low <= found.profit <= high


def test_a_pack_of_all_that_may_be_ordered_leaves_two_orders():
    """By plain arithmetic: all or nothing, as with a larger unit."""
    params = batches("poisson", 1, 2.0, 1.0, 1.0).replace(
        pack=jnp.full(1, 4.0), max_order=jnp.full(1, 7.0)
    )
    assert set(np.unique(optimum(params, tolerance=1e-4).orders)) == {0, 4}


def test_packs_are_refused_where_the_solver_does_not_know_them():
    params = batches("poisson", 1, 2.0, 1.0, 1.0).replace(pack=jnp.full(1, 4.0))
    with pytest.raises(ExactError, match=r"pack: \[4.0\]; the exact solver allows 1 only here"):
        best_base_stock_level(params)
