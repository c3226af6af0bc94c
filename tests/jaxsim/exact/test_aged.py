"""Stores whose goods age: the solver gives the known answers of one product, and the simulator
earns what it says of two; what it does not take is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.evaluation.simulation import interval, profit_per_period, simulate
from jaxsim.exact import known_perishables as known
from jaxsim.exact.optimum import average_worth, optimum
from jaxsim.exact.policy import policy_of
from jaxsim.exact.truncation import ExactError
from jaxsim.scenarios import get

PERIODS = 500


@pytest.fixture(scope="module")
def aged():
    """A pair of slow movers that can be sold for 2 and 3 periods, with lead times of 1 and 2."""
    pair = get("pair").params()
    return pair.replace(
        arrivals=0.5 * pair.arrivals,
        cost=jnp.array([4.0, 4.0]),
        shelf_life=jnp.array([2, 4]),
        arrival_age=jnp.array([0, 1]),
        max_shelf_life=4,
        lead_time=jnp.array([1, 2]),
        max_lead_time=2,
        order_cost=jnp.array([0.1, 0.0]),
        disposal=jnp.array([0.5, 1.0]),
        fresh_share=jnp.float32(0.3),
        max_order=jnp.full(2, 3.0),
    )


@pytest.mark.parametrize(
    ("experiment", "cost"), [(1, 15.92061), (2, 14.95442), (6, 14.99562)], ids=str
)
def test_one_product_costs_what_is_known(experiment, cost):
    """Freshest first, with a best policy of period 2; oldest first; a lead time of 2."""
    product = known.published(2, experiment)
    found = optimum(known.store_of(product, "rounded-gamma"), tolerance=1e-6)
    assert found.bound <= 1e-6
    assert -found.profit == pytest.approx(cost, abs=1e-5)


def test_the_simulator_earns_and_wastes_what_the_solver_says(aged):
    found = optimum(aged, tolerance=1e-5)
    totals = simulate(jax.random.key(0), policy_of(found), aged, 512, PERIODS, 50)
    _, (low, high) = interval(profit_per_period(totals, PERIODS), 0.999)
    assert low <= found.profit <= high
    assert average_worth(found) == pytest.approx(found.profit, abs=2e-5)
    rule, over = found.rule, found.long_run
    wasted = found.tables.flows(found.grid).wasted[0]
    met = wasted[rule.slate[over.states], rule.met_by_demand(over.states)]
    for of_product, simulated in zip((over.share @ met).T, totals.wasted.T, strict=True):
        low, high = interval(np.asarray(simulated) / PERIODS, 0.999)[1]
        assert low <= of_product <= high and of_product > 0.01


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shelf_life": jnp.array([2, 0])}, r"shelf_life: \[2, 0\]; .* allows 1 or more of every"),
        ({"lead_time": jnp.array([0, 1])}, r"lead_time: \[0, 1\]; .* allows 1 or more where"),
        ({"overflow": jnp.float32(0.2)}, r"overflow: 0\.2.*; .* allows 0 where goods age"),
        ({"max_order": jnp.full(2, 1e9), "arrivals": jnp.full(2, 50.0)}, r"GiB; allowed: 2 GiB"),
    ],
)
def test_what_is_beyond_it_is_refused_in_a_line(aged, changes, said):
    with pytest.raises(ExactError, match=said):
        optimum(aged.replace(**changes))
