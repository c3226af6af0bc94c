"""The exact solver gives the published answers, agrees with the simulator, and knows its limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.evaluation import interval, profit_per_period, simulate
from agents.exact_policy import policy_of
from agents.theory import always, benchmarks_of, best_base_stock, siloed
from agents.theory_study import backlog_row, changed, one_product
from jaxsim.optimum import ExactError, average_worth, base_stock, optimum
from jaxsim.scenarios import get


@pytest.fixture(scope="module")
def pair():
    return get("pair").params()


@pytest.fixture(scope="module")
def joint(pair):
    return optimum(pair)


@pytest.mark.parametrize(
    ("family", "penalty", "lead_time", "cost"),
    [
        ("poisson", 4.0, 1, 4.04), ("poisson", 4.0, 2, 4.40), ("poisson", 4.0, 4, 4.73),
        ("poisson", 9.0, 3, 6.53), ("geometric", 4.0, 2, 10.24), ("geometric", 9.0, 1, 14.51),
    ],
)  # fmt: skip
def test_the_published_optima_of_lost_sales(family, penalty, lead_time, cost):
    found = optimum(one_product("lost-sales", penalty, lead_time, family))
    assert float(found.solution.bound) <= 1e-3
    assert -found.profit == pytest.approx(cost, abs=0.005 + float(found.solution.bound))


@pytest.mark.parametrize(
    ("penalty", "lead_time", "level", "cost"),
    [(4.0, 1, 12, 4.16), (4.0, 3, 20, 4.98), (9.0, 2, 19, 6.32)],
)
def test_the_published_base_stock_costs_of_lost_sales(penalty, lead_time, level, cost):
    params = one_product("lost-sales", penalty, lead_time, "poisson")
    rule = base_stock(params, level)
    worth = average_worth(rule, rule.day)
    assert -worth == pytest.approx(cost, abs=0.0051)


def test_the_published_backlog_optimum():
    row = backlog_row(4.0, 2)
    assert row["base_stock"] == 18
    assert row["cost"] == pytest.approx(5.5880, abs=5e-4)


@pytest.mark.parametrize("lead_times", [(1, 1), (0, 2)])
def test_the_simulator_earns_what_the_solver_says(pair, lead_times):
    params = pair.replace(
        lead_time=jnp.array(lead_times), max_lead_time=2, order_cost=jnp.array([0.5, 0.0]),
        overflow=jnp.float32(0.2), capacity=jnp.float32(8.0),
    )  # fmt: skip
    found = optimum(params)
    totals = simulate(jax.random.key(0), policy_of(found), params, 512, 1000, 50)
    _, (low, high) = interval(profit_per_period(totals, 1000), 0.999)
    assert low - 1e-3 <= found.profit <= high + 1e-3
    assert average_worth(found, found.day) == pytest.approx(found.profit, abs=2e-3)


def test_three_products_with_slates_of_two():
    three = get("pair").params()
    widen = lambda leaf: jnp.concatenate([leaf, leaf[:1]])  # noqa: E731
    per_product = (
        "price", "cost", "holding", "penalty", "order_cost", "lead_time", "review", "max_order",
        "backlogged", "stall", "volume", "demand_noise",
    )  # fmt: skip
    three = three.replace(
        **{field: widen(getattr(three, field)) for field in per_product},
        utility=jnp.array([[0.3, -0.7, 0.0]]),
        lift=three.lift[:1], arrivals=jnp.array([1.5]), season=three.season[:1],
        no_purchase=three.no_purchase[:1], fatigue_weight=three.fatigue_weight[:1],
        slot_weight=jnp.array([1.0, 0.6]),
    )  # fmt: skip
    found = optimum(three, tolerance=5e-3)
    totals = simulate(jax.random.key(0), policy_of(found), three, 512, 500, 50)
    _, (low, high) = interval(profit_per_period(totals, 500), 0.999)
    assert low - 5e-3 <= found.profit <= high + 5e-3


def test_coordination_is_worth_something_on_the_pair_store(pair, joint):
    found = benchmarks_of(pair)
    assert found.joint == pytest.approx(joint.profit, abs=1e-6)
    assert found.joint > found.stock_blind > found.silo
    assert found.myopic <= found.joint + 2e-3
    profit, levels = best_base_stock(pair)
    assert found.stock_blind < profit < found.joint
    assert levels[0] > levels[1]


def test_without_lift_slates_are_worth_nothing(pair):
    plain = changed(pair, "lift", 0.0)
    fixed = optimum(plain, always(0)).profit
    assert optimum(plain).profit == pytest.approx(fixed, abs=2e-3)
    assert siloed(plain) <= fixed + 2e-3


def test_the_best_policy_hardly_ever_touches_a_cap(joint):
    over = joint.long_run
    states = np.stack(np.unravel_index(over.states, joint.grid.shape), -1)
    full = (states >= np.array(joint.grid.on_hand)).any(-1)
    most = (joint.orders.reshape(-1, 2)[over.states] >= np.array(joint.grid.order)).any(-1)
    assert over.share.sum() == pytest.approx(1.0)
    assert over.share[full | most].sum() < 1e-8


@pytest.mark.parametrize(
    ("scenario", "said"),
    [("grocery", "demand_noise: .* allows 0 only"), ("boutique", "market_noise: .* allows 0 only")],
)
def test_a_store_beyond_the_exact_model_is_refused(scenario, said):
    with pytest.raises(ExactError, match=said):
        optimum(get(scenario).params())


def test_a_store_too_large_is_refused_with_its_size(pair):
    with pytest.raises(ExactError, match=r"GiB; allowed: 2 GiB"):
        optimum(pair.replace(arrivals=100 * pair.arrivals))
