"""The exact solver agrees with published answers, plain loops and the simulator; it knows its
limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from agents.evaluation.simulation import interval, profit_per_period, simulate
from agents.theory.foresight import tiring
from jaxsim.exact import published
from jaxsim.exact.classical import backlog_row, lost_sales_row, one_product
from jaxsim.exact.grid import Grid
from jaxsim.exact.one_product import (
    base_stock_cost,
    best_base_stock_level,
    best_capped_base_stock,
    projected_level_cost,
)
from jaxsim.exact.optimum import average_worth, optimum
from jaxsim.exact.policy import policy_of
from jaxsim.exact.tables import Tables
from jaxsim.exact.truncation import ExactError
from jaxsim.scenarios import get
from jaxsim.scenarios.scenario import PRODUCT_FIELDS


@pytest.fixture(scope="module")
def pair():
    return get("pair").params()


@pytest.fixture(scope="module")
def joint(pair):
    return optimum(pair)


@pytest.mark.parametrize(
    ("family", "penalty", "lead_time"),
    [("poisson", 4.0, 1), ("poisson", 4.0, 4), ("poisson", 9.0, 3), ("geometric", 9.0, 2)],
)
def test_the_published_answers_of_lost_sales(family, penalty, lead_time):
    row = lost_sales_row(family, penalty, lead_time, 1e-4)
    assert row["bound"] <= 1e-4
    assert row["optimal_cost"] == pytest.approx(row["published"], abs=0.0051)
    assert row["best_base_stock_cost"] >= row["optimal_cost"]
    if lead_time <= 2:
        assert row["optimal_cost"] < row["projected_level_cost"] < row["best_base_stock_cost"]
    if (family, penalty, lead_time) == ("poisson", 4.0, 1):
        assert row["projected_level"] == 6.76
    if family == "poisson":
        assert row["best_base_stock"] == row["published_base_stock"]
        published = row["published_base_stock_cost"]
        assert row["best_base_stock_cost"] == pytest.approx(published, abs=0.0051)


def test_the_best_base_stock_level_beats_its_neighbours():
    params = one_product("lost-sales", 19.0, 2, "geometric")
    level, cost = best_base_stock_level(params)
    assert cost == pytest.approx(base_stock_cost(params, level), abs=1e-4)
    assert cost < base_stock_cost(params, level - 1)
    assert cost < base_stock_cost(params, level + 1)


@pytest.mark.parametrize(
    ("penalty", "lead_time", "level", "cost"),
    [
        (4.0, 1, 6.76, 4.04230),
        (9.0, 1, 8.63, 5.45654),
        (4.0, 2, 6.95, 4.40531),
        (9.0, 2, 8.71, 6.11952),
    ],
)
def test_the_projected_inventory_level_costs_what_is_known(penalty, lead_time, level, cost):
    params = one_product("lost-sales", penalty, lead_time, "poisson")
    assert projected_level_cost(params, level) == pytest.approx(cost, abs=6e-6)


@pytest.mark.parametrize("lead_time", [1, 2])
def test_the_published_best_cap_on_base_stock_orders(lead_time):
    params = one_product("lost-sales", 4.0, lead_time, "poisson")
    level, cap, cost = best_capped_base_stock(params)
    published_level, published_cap, published_cost = published.CAPPED_BASE_STOCK["poisson", 4.0][
        lead_time - 1
    ]
    assert (level, cap) == (published_level, published_cap)
    assert cost == pytest.approx(published_cost, abs=0.00051)
    assert cost < base_stock_cost(params, level)
    assert cost == pytest.approx(base_stock_cost(params, level, cap), abs=1e-4)


@pytest.mark.parametrize(("penalty", "lead_time"), [(4.0, 2), (9.0, 1)])
def test_the_published_backlog_optimum(penalty, lead_time):
    row = backlog_row(penalty, lead_time, 1e-4)
    assert row["base_stock"] == row["published_base_stock"]
    assert row["cost"] == pytest.approx(row["published"], abs=2e-4)


@pytest.mark.parametrize(
    ("scenario", "family"), [("lost-sales", "geometric"), ("backlog", "poisson")]
)
def test_without_a_lead_time_every_day_is_a_newsvendor(scenario, family):
    found = optimum(one_product(scenario, 4.0, 0, family), tolerance=1e-9)
    demand = np.arange(1000)
    law = {"poisson": stats.poisson(5), "geometric": stats.nbinom(1, 1 / 6)}[family]
    costs = [
        law.pmf(demand) @ (np.maximum(s - demand, 0) + 4 * np.maximum(demand - s, 0))
        for s in range(40)
    ]
    assert found.bound <= 1e-9
    assert -found.profit == pytest.approx(min(costs), abs=found.bound + 1e-11)


@pytest.mark.parametrize("discount", [0.8, 0.95, 1.0])
def test_plain_loops_find_the_same_value(discount):
    """One product, Poisson(1.5), lead time 1: value iteration written out, on a cut of 12."""
    price, cost, holding, rate, most = 4.0, 1.0, 0.5, 1.5, 12
    params = one_product("lost-sales", 0.0, 1, "poisson").replace(
        price=jnp.full(1, price), cost=jnp.full(1, cost), holding=jnp.full(1, holding),
        arrivals=jnp.full(1, rate),
    )  # fmt: skip
    grid = Grid((most,), (0,), (most,), (1,))
    found = optimum(params, tolerance=1e-6, discount=discount, grid=grid)
    value, demand = np.zeros(most + 1), np.arange(60)
    chance = stats.poisson(rate).pmf(demand)
    for _ in range(1000):
        after = np.zeros_like(value)
        for x in range(most + 1):
            sold = np.minimum(demand, x)
            today = chance @ (price * sold - holding * (x - sold))
            following = [
                chance @ value[np.minimum(x - sold + q, most)] * discount - cost * q
                for q in range(most + 1)
            ]
            after[x] = today + max(following)
        gain, value = after - value, after
    expected = (gain.min() + gain.max()) / 2 if discount == 1 else (1 - discount) * value[0]
    assert abs(found.profit - expected) <= found.bound + 1e-12
    np.testing.assert_allclose(found.solution.value[0], value - value[0], atol=1e-3)


def narrow(params):
    """A second segment away, so that two joint slates are left."""
    per_segment = (
        "arrivals", "utility", "lift", "season", "no_purchase", "fatigue_weight",
    )  # fmt: skip
    return params.replace(**{field: getattr(params, field)[:1] for field in per_segment})


@pytest.mark.parametrize(
    ("lead_times", "changes"),
    [
        ((1, 1), {"order_cost": [0.5, 0.0], "overflow": 0.2, "capacity": 8.0}),
        ((0, 2), {"max_order": [2.0, 1e9]}),
        ((2, 1), {"arrivals": [0.75, 0.75]}),
    ],
)
def test_the_simulator_earns_what_the_solver_says(pair, lead_times, changes):
    arrays = {field: jnp.asarray(value, jnp.float32) for field, value in changes.items()}
    params = pair.replace(lead_time=jnp.array(lead_times), max_lead_time=2, **arrays)
    check_by_simulation(optimum(params))


def test_the_simulator_earns_what_the_solver_says_of_tired_customers(pair):
    found = optimum(tiring(pair, 1.0))
    assert found.grid.remembered == 2
    check_by_simulation(found)


def test_three_products_of_two_categories_with_slates_of_two(pair):
    params = narrow(pair)
    of_product = {field: getattr(params, field) for field in PRODUCT_FIELDS}
    three = params.replace(
        **{field: jnp.append(leaf, leaf[0]) for field, leaf in of_product.items()},
        utility=jnp.array([[0.3, -0.7, 0.0]]), arrivals=jnp.array([0.5]),
        slot_weight=jnp.array([1.0, 0.6]), category=jnp.array([0, 1, 0]),
        no_purchase=jnp.ones((1, 2)),
    )  # fmt: skip
    dear = three.replace(holding=jnp.full(3, 1.5))  # few units are kept, so a small grid will do
    small = Grid((4,) * 3, (0,) * 3, (4,) * 3, (1,) * 3)
    check_by_simulation(optimum(dear, grid=small))


def test_penalties_for_customers_of_hidden_products_are_in_the_tables(pair):
    check_by_simulation(optimum(pair.replace(penalty=jnp.array([1.5, 0.5]))))


def check_by_simulation(found):
    """Brute force: the policy earns in the simulator, and in its own stationary distribution, what
    value iteration says."""
    params = found.tables.params
    totals = simulate(jax.random.key(0), policy_of(found), params, 512, 500, 50)
    _, (low, high) = interval(profit_per_period(totals, 500), 0.999)
    assert low - found.bound <= found.profit <= high + found.bound
    assert average_worth(found) == pytest.approx(found.profit, abs=found.bound + 1e-4)


@pytest.mark.parametrize("scenario", ["pair", "lost-sales", "backlog"])
def test_the_best_policy_hardly_ever_touches_a_cap(scenario):
    params = get("pair").params()
    if scenario != "pair":
        params = one_product(scenario, 4.0, 1, "poisson")
    tight = Tables(params).first_grid
    halved = [tuple(cap // 2 for cap in each) for each in (tight.on_hand, tight.owed, tight.order)]
    found = optimum(params, grid=Grid(*halved, tight.lead_time))
    grid, over = found.grid, found.long_run
    at = np.stack(np.unravel_index(over.states, grid.shape), -1)[:, 1 : grid.products + 1]
    full = (at >= np.array(grid.stock_shape) - 1).any(-1)
    most = (found.rule.order[over.states] >= np.array(grid.order)).any(-1)
    assert over.share.sum() == pytest.approx(1.0)
    assert over.share[full | most].sum() < 1e-8
    if max(grid.owed):
        assert found.rule.evening[0] < 1e-8
    assert found.profit == pytest.approx(optimum(params).profit, abs=2e-3)


@pytest.mark.parametrize(
    ("scenario", "said"),
    [("grocery", "demand_noise: .* allows 0 only"), ("boutique", "market_noise: .* allows 0 only")],
)
def test_a_store_beyond_the_exact_model_is_refused(scenario, said):
    with pytest.raises(ExactError, match=said):
        optimum(get(scenario).params())


def test_what_the_exact_model_cannot_remember_is_refused(pair):
    with pytest.raises(ExactError, match=r"fatigue_memory: 0\.5.* allows 0 only"):
        optimum(tiring(pair, 1.0).replace(fatigue_memory=jnp.float32(0.5)))
    with pytest.raises(ExactError, match=r"discount: 1\.5; allowed: above 0, up to 1"):
        optimum(pair, discount=1.5)
    waits = pair.replace(backlogged=jnp.full(2, True))
    with pytest.raises(ExactError, match=r"discount: 0\.9; allowed: 1 where paying"):
        optimum(waits, discount=0.9)


def test_a_tolerance_that_is_not_reached_is_an_error():
    with pytest.raises(ExactError, match=r"tolerance: 1e-17; reached: .*e-1\d in 5,000 updates"):
        optimum(one_product("lost-sales", 9.0, 2, "poisson"), tolerance=1e-17)


def test_a_store_too_large_is_refused_with_its_size(pair):
    with pytest.raises(ExactError, match=r"GiB; allowed: 2 GiB"):
        optimum(pair.replace(arrivals=100 * pair.arrivals))
