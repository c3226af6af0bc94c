"""What is allowed less earns less, and the study says what it is supposed to say."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from agents.report.theory import level_charts, slate_charts
from agents.theory.coordination import CURVES, changed, settings, value_rows
from agents.theory.foresight import tiring
from agents.theory.restricted import (
    benchmarks_of,
    best_base_stock,
    best_stock_blind,
    blind,
    siloed,
    up_to,
)
from jaxsim.exact import published
from jaxsim.exact.classical import mnl_row, newsvendor_row
from jaxsim.exact.optimum import average_worth, optimum, tables_of
from jaxsim.exact.structure import structure_of
from jaxsim.exact.tables import Tables
from jaxsim.scenarios import get


@pytest.fixture(scope="module")
def pair():
    return get("pair").params()


@pytest.fixture(scope="module")
def tables(pair):
    return Tables(pair)


def test_coordination_is_worth_something_on_the_pair_store(tables):
    found = benchmarks_of(tables, 1e-4)
    assert found.joint > found.stock_blind + 0.05 > found.silo + 0.05
    assert found.stock_blind < found.myopic <= found.joint + 2e-4
    profit, levels = best_base_stock(tables, 1e-4)
    assert found.stock_blind < profit < found.joint
    for change in itertools.product((-1, 0, 1), repeat=2):
        near = tuple(np.add(levels, change).tolist())
        assert optimum(tables, up_to(near), 1e-4).profit <= profit + 2e-4


@pytest.mark.parametrize("lead_times", [(0, 0), (1, 2)])
def test_base_stock_levels_with_other_lead_times(pair, lead_times):
    slow = pair.replace(
        arrivals=0.25 * pair.arrivals, lead_time=jnp.array(lead_times), max_lead_time=2
    )
    tables = Tables(slow)
    profit, levels = best_base_stock(tables, 1e-3)
    assert profit <= optimum(tables).profit + 2e-3
    assert profit >= optimum(tables, up_to(tuple(np.add(levels, 1).tolist()))).profit - 2e-3


def test_of_goods_that_keep_for_two_days_silos_carry_one_too_many(pair):
    store = tables_of(changed(pair, (("demand", 0.25), ("margin", 0.4), ("shelf_life", 2))))
    together, apart = optimum(store, tolerance=1e-4), siloed(store, 1e-4)
    for found, carried in ((together, 1), (apart, 2)):
        over = found.long_run
        assert (over.share @ found.rule.order[over.states] > 0.1).sum() == carried
    assert together.profit == pytest.approx(best_stock_blind(store, 1e-4).profit, abs=2e-4)
    assert average_worth(apart) < 0.7 * together.profit


def test_without_lift_slates_are_worth_nothing(pair):
    plain = Tables(changed(pair, (("lift", 0.0),)))
    fixed = optimum(plain, blind((0,))).profit
    assert optimum(plain).profit == pytest.approx(fixed, abs=2e-3)
    assert average_worth(siloed(plain)) <= fixed + 2e-3


def test_where_customers_tire_slates_that_ignore_stock_take_turns(pair):
    store = Tables(tiring(pair, 1.0))
    found = best_stock_blind(store)
    assert set(found.rule.slate[found.long_run.states]) == {0, 1}
    for number in (0, 1):
        assert optimum(store, blind((number, number))).profit < found.profit - 0.01


def test_a_store_met_twice_is_solved_once(pair, monkeypatch):
    solved = []
    some = [("lift", (("lift", 0.6),)), ("a x b", (("lift", 0.6), ("holding", 0.3)))]
    monkeypatch.setattr("agents.theory.coordination.settings", lambda: some)
    monkeypatch.setattr(
        "agents.theory.coordination.benchmarks_of",
        lambda store, tolerance: solved.append(store) or benchmarks_of(store, tolerance),
    )
    first, second = value_rows(pair, 1e-3)
    assert len(solved) == 1
    assert first["lift"] == 0.6 and first["joint"] == second["joint"]


def test_every_setting_is_on_a_curve_or_a_map(pair):
    views = {view for view, _ in settings()}
    assert set(CURVES) <= views
    assert {
        "margin x lift",
        "demand x holding",
        "lead_time x demand",
        "shelf_life x margin",
    } <= views
    store = changed(pair, (("margin", 0.2), ("demand", 0.5), ("lead_time", 2.0)))
    np.testing.assert_allclose(1 - store.cost / store.price, 0.2, rtol=1e-6)
    assert store.arrivals.tolist() == [1.5, 1.5]
    assert store.lead_time.tolist() == [2, 2]


def test_newsvendor_and_choice_are_the_textbook_s():
    row = newsvendor_row(1e-4)
    assert row["normal_level"] == pytest.approx(published.NEWSVENDOR_ANSWER["level"], abs=1e-5)
    assert row["normal_cost"] == pytest.approx(published.NEWSVENDOR_ANSWER["cost"], abs=1e-5)
    assert row["solver_level"] == row["level"]
    assert row["solver_cost"] == pytest.approx(row["cost"], abs=2e-4)
    np.testing.assert_allclose(mnl_row()["shares"], published.MNL_SHARES, atol=1e-5)


def test_the_structure_of_the_pair_store(tables):
    found = optimum(tables, tolerance=1e-4)
    structure = structure_of(found)
    assert structure["switching_monotone"] == [True, True]
    assert len(structure["order_up_to"]) == 2
    first, second = level_charts(structure)
    assert "product 1: ordered up to (units): 0 on hand from 4 to 5; 2 on hand" in first.svg
    assert "on hand, product 1" in second.svg and len(slate_charts(structure)) == 2
