"""One product that perishes: the solver gives the known answers, and the simulator its costs."""

import jax
import numpy as np
import pytest
from scipy import stats

from agents.evaluation.simulation import interval, profit_per_period, simulate
from jaxsim import families
from jaxsim.exact import known_perishables as known
from jaxsim.exact import perishable_rules as rules
from jaxsim.exact.perishable import base_stock, best_base_stock, best_orders, chain_of

AVERAGES = {
    (2, 1): (15.92061, 5, 16.06261),
    (2, 2): (14.95442, 7, 15.13161),
    (2, 6): (14.99562, 9, 15.34365),
    (3, 2): (14.61692, 8, 14.72524),
}
"""By shelf life and experiment: least average cost, best base-stock level, its cost."""


@pytest.mark.parametrize(("instance", "answers"), AVERAGES.items(), ids=str)
def test_published_products(instance, answers):
    """Average costs by two other programs; discounted costs by the published simulations."""
    product = known.published(*instance)
    found, (level, cost) = best_orders(product), best_base_stock(product)
    assert found.bound <= 1e-8
    assert (round(found.cost, 5), level, round(cost, 5)) == answers
    assert chain_of(product, found.order).average() == pytest.approx(found.cost, abs=1e-7)
    discounted = best_orders(product, known.DISCOUNT, start=found.value)
    horizon = known.DISCOUNT, known.WARM_UP, known.PERIODS
    for order, published in zip(
        (discounted.order, base_stock(product, level)), known.RETURNS[instance], strict=True
    ):
        episode = chain_of(product, order).episode(*horizon)
        assert episode == pytest.approx(published, abs=1.0)


@pytest.mark.parametrize(
    ("lifo", "cost", "answers"),
    [
        (False, 0.0, (5.000257, 9, 5.328764)),
        (False, 3.0, (15.178422, 7, 15.416024)),
        (True, 0.0, (7.047121, 7, 7.774259)),
        (True, 3.0, (16.183672, 5, 16.369983)),
    ],
)
def test_poisson_demand(lifo, cost, answers):
    product = known.poisson(lifo, cost)
    level, of_base_stock = best_base_stock(product)
    assert (round(best_orders(product).cost, 6), level, round(of_base_stock, 6)) == answers


@pytest.mark.parametrize(
    ("lifo", "cost", "settings", "costs"),
    [
        (False, 0.0, [(9,), (6, 10, 7), (9, 4), (5.24,)], [5.254661, 5.001879, 5.037471, 5.001848]),
        (
            True,
            3.0,
            [(5,), (3, 7, 5), (5, 3), (2.61,)],
            [16.334742, 16.216332, 16.310163, 16.183672],
        ),
    ],
)
def test_order_rules(lifo, cost, settings, costs):
    """Costs of the best settings, by another program; near settings are not better."""
    product = known.poisson(lifo, cost)
    every = (rules.with_expected_waste, rules.low_stock, rules.capped, rules.usable_level)
    for rule, at, answer in zip(every, settings, costs, strict=True):

        def average(*at, rule=rule):
            return chain_of(product, rule(product, *at)).average()

        assert round(average(*at), 6) == answer
        step = 0.3 if rule is rules.usable_level else 1
        for which in range(len(at)):
            for by in (-step, step):
                near = [each + by * (place == which) for place, each in enumerate(at)]
                assert average(*near) > answer - 1e-6


@pytest.mark.parametrize("lifo", [False, True])
def test_the_simulator_agrees_under_the_best_policy(lifo):
    """Also what is ordered: mean demand less what is lost, and what is wasted."""
    product = known.poisson(lifo, 3.0)
    found = best_orders(product)
    policy, params = known.table_of(product, found.order), known.store_of(product, "poisson")
    totals = jax.device_get(simulate(jax.random.key(2), policy, params, 256, 500, 30))
    _, (low, high) = interval(-profit_per_period(totals, 500), 0.999)
    assert low <= found.cost <= high
    per_period = {name: getattr(totals, name).mean() / 500 for name in ("ordered", "wasted")}
    served = totals.sold.mean() / 500
    assert per_period["ordered"] == pytest.approx(served + per_period["wasted"], abs=0.02)
    assert per_period["wasted"] > 0


def test_demand_as_published():
    chances = known.rounded_gamma(4.0)
    assert chances[0] == pytest.approx(0.00175162, abs=1e-8)
    assert chances @ np.arange(len(chances)) == pytest.approx(4.000113, abs=1e-6)


def test_the_simulator_draws_that_demand():
    uniform = (np.arange(100_000) + 0.5) / 100_000
    inverse = jax.jit(families.get("rounded-gamma").inverse)
    drawn = np.asarray(inverse(uniform.astype(np.float32), np.full(1, 4.0, np.float32)))
    found = np.bincount(drawn.astype(int), minlength=101) / len(uniform)
    np.testing.assert_allclose(found, known.rounded_gamma(4.0), atol=3e-5)
    ends = np.array([2.0**-32, 1e-6, 1e-3, 0.999, -1e-3, -1e-6], np.float32)  # signed uniforms
    for mean in (0.1, 4.0, 10.0):
        law = stats.gamma(4, scale=mean / 4)
        at = [law.ppf(u) if u > 0 else law.isf(-u) for u in ends.astype(float)]
        np.testing.assert_allclose(inverse(ends, np.full(1, mean, np.float32)), np.round(at))
