"""Comparisons are paired, intervals are the textbook's, KPIs come from the ledger."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import agents
from agents.errors import ConfigError
from agents.evaluation.simulation import Totals, interval, kpis, never_ordered, simulate
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from jaxsim.scenarios import get


def policy(safety):
    return HeuristicPair(
        HeuristicParams(recommender="margin", safety=safety, fractile=0.0, stock_weight=0.0)
    )


def test_the_same_key_brings_the_same_customers_to_every_policy():
    params = get("lost-sales").params()
    lean, full = (
        simulate(jax.random.key(5), policy(safety), params, 16, 30, 5) for safety in (0.0, 3.0)
    )
    np.testing.assert_array_equal(lean.asked, full.asked)
    assert (lean.sold < full.sold).any()


def test_interval_is_the_t_interval():
    values = np.random.default_rng(0).normal(3, 2, 50)
    mean, (low, high) = interval(values)
    expected = stats.t.interval(0.95, 49, values.mean(), stats.sem(values))
    np.testing.assert_allclose((mean, low, high), (values.mean(), *expected))


def test_kpis_of_a_hand_made_ledger():
    fields = {name: jnp.zeros((1, 1)) for name in Totals.__dataclass_fields__}
    for name, value in dict(
        profit=40.0,
        revenue=100.0,
        cost_of_sold=60.0,
        cost_of_left=30.0,
        cost_of_waste=7.0,
        disposal=2.0,
    ).items():
        fields[name] = jnp.full((1,), value)
    for name, value in dict(
        wanted=20.0, served=15.0, bought=16.0, missed=3.0, sold=16.0, shown_sold=4.0,
        stockouts=5.0, offered=7.0, ordered=16.0, wasted=4.0,
    ).items():  # fmt: skip
        fields[name] = jnp.full((1, 1), value)
    got = kpis(Totals(**fields), periods=10)
    assert got["profit"] == 4 and got["margin"] == 4
    assert got["fill_rate"] == 0.75 and got["shown_share"] == 0.25
    assert got["stockout_share"] == 0.5 and got["turnover"] == 2
    assert got["service_level"] == 0.8 and got["availability"] == 0.7
    assert got["waste"] == 0.4 and got["waste_cost"] == 0.7 and got["disposal"] == 0.2
    assert got["missed"] == pytest.approx(0.3) and got["carried"] == 1


def test_a_product_that_is_never_ordered_is_named_with_what_its_absence_costs():
    """Hidden from its customers, who leave or take the other one: those who leave are missed."""
    params = get("pair").params()
    nothing = HeuristicPair(HeuristicParams(recommender="margin", safety=2.0, least_margin=0.9))
    totals = jax.device_get(simulate(jax.random.key(1), nothing, params, 64, 100, 20))
    (absent,) = never_ordered(totals, params, 100)
    found = kpis(totals, 100)
    assert absent["product"] == 1 and found["carried"] == 0.5
    assert absent["margin"] == pytest.approx(2.5 * absent["missed"])
    assert found["missed"] >= absent["missed"] > 0.5
    assert found["service_level"] < found["fill_rate"] + 1e-6 < 0.9
    assert found["availability"] < 0.6


def test_bullwhip_is_one_when_orders_repeat_demand():
    params = (
        get("lost-sales")
        .params()
        .replace(backlogged=jnp.ones(1, bool), forecast_memory=jnp.float32(1))
    )
    totals = jax.device_get(simulate(jax.random.key(0), policy(2.0), params, 64, 400, 50))
    assert abs(kpis(totals, 400)["bullwhip"] - 1) < 0.02


@pytest.mark.parametrize("size", [{"stores": 1}, {"periods": 0}, {"burn_in": -1}])
def test_an_evaluation_of_nothing_is_refused_by_name(size):
    ((field, value),) = size.items()
    with pytest.raises(ConfigError, match=f"{field}: {value}; allowed: . or more"):
        agents.evaluate({}, get("pair").params(), **size)
