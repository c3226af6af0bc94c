"""The classical rules do what their names say, and tuning finds the known best."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.evaluation.simulation import profit_per_period, simulate_each
from agents.evaluation.tuning import Effort, recommenders, tune
from agents.policies import projection
from agents.policies.heuristics import (
    ORDER_RULES,
    RECOMMENDERS,
    HeuristicPair,
    HeuristicParams,
    balancing_penalty,
    levels_ordering,
    order_quantity,
    order_stock,
    recommend,
)
from jaxsim import store
from jaxsim.exact import known_perishables, perishable_rules
from jaxsim.params import UNLIMITED
from jaxsim.scenarios import get
from jaxsim.views import stock_of
from tests.random_stores import random_state, stacked

PLAIN = HeuristicParams("margin", safety=1.0, fractile=0.5, spread=0.1, cap=1.0, gap=2.0, low=0.4)
QUANTITY, LEVELS = jax.jit(order_quantity), jax.jit(levels_ordering)


@pytest.fixture(scope="module")
def boutique():
    params = get("boutique").params()
    return params, store.reset(jax.random.key(0), params)


def ordered(rule, params, state, settings=PLAIN):
    pair = HeuristicPair(settings.for_rule(rule))
    return pair.act(jax.random.key(0), (), state, params)[0].order


def named(recommender):
    index = RECOMMENDERS.index(recommender)
    return PLAIN.replace(recommender=index).for_rule("base-stock")


def test_base_stock_orders_up_to_its_level(boutique):
    params, state = boutique
    order = ordered("base-stock", params, state)
    level = order + stock_of(state, params).position
    emptier = state.replace(on_hand=jnp.maximum(state.on_hand - 2, 0))
    again = ordered("base-stock", params, emptier) + stock_of(emptier, params).position
    raised = (order > 0) & (again > 0)
    assert raised.any()
    np.testing.assert_array_equal(np.where(raised, level, 0), np.where(raised, again, 0))


def test_capped_and_s_S_are_base_stock_when_their_limits_are_idle(boutique):
    params, state = boutique
    plain = ordered("base-stock", params, state)
    idle = PLAIN.replace(cap=1e6, gap=0.0)
    np.testing.assert_array_equal(ordered("capped", params, state, idle), plain)
    np.testing.assert_array_equal(ordered("s-S", params, state, idle), plain)


def test_a_cap_caps_and_a_gap_waits(boutique):
    params, state = boutique
    empty = state.replace(on_hand=jnp.zeros(10), pipeline=jnp.zeros_like(state.pipeline))
    capped = ordered("capped", params, empty)
    np.testing.assert_array_less(capped, jnp.ceil(empty.forecast) + 0.5)
    heuristic = PLAIN.replace(gap=3.0).for_rule("s-S")
    stock = stock_of(empty, params)
    level = stock.position + 2 * empty.forecast
    assert (order_quantity(level, stock, empty, heuristic, params) == 0).all()


def test_what_earns_too_little_is_not_ordered(boutique):
    params, state = boutique
    empty = state.replace(on_hand=jnp.zeros(10), pipeline=jnp.zeros_like(state.pipeline))
    margin = np.asarray(params.price - params.cost)
    order = ordered("base-stock", params, empty, PLAIN.replace(least_margin=0.6))
    np.testing.assert_array_equal(order > 0, margin >= 0.6 * margin.max())
    assert (ordered("base-stock", params, empty) > 0).all()


@pytest.mark.parametrize("rule", ORDER_RULES)
@pytest.mark.parametrize("gap", [0.0, 0.7, 5.0])
@pytest.mark.parametrize("pack", [1.0, 6.0])
def test_levels_between_the_ends_order_the_same_and_others_do_not(boutique, rule, gap, pack):
    params, state = boutique
    params = params.replace(pack=jnp.full(10, pack))
    state = state.replace(on_hand=jnp.round(state.on_hand * jnp.linspace(0.0, 2.0, 10)))
    heuristic = PLAIN.replace(cap=2.0, gap=gap, least_margin=0.4).for_rule(rule)
    stock = order_stock(state, heuristic, params)

    def quantity(level):
        return QUANTITY(level, stock, state, heuristic, params)

    for more in np.linspace(-9.0, 9.0, 37):
        order = quantity(stock.position + more)
        lower, upper = LEVELS(order, stock, state, heuristic, params)
        for inside in (lower + 0.01, (lower + upper) / 2, upper - 0.01):
            np.testing.assert_array_equal(quantity(inside), order)
        ends = [(lower, -UNLIMITED / 2, -0.01), (upper, UNLIMITED / 2, 0.01)]
        for end, endless, step in ends:
            is_end = jnp.abs(end) < abs(endless)
            assert ((quantity(end + step) != order) == is_end).all()


def test_recommenders_do_what_they_are_called(boutique):
    params, state = boutique
    slate = {
        name: np.asarray(recommend(state, named(name), params))
        for name in ("popularity", "most-stock", "margin", "myopic", "balancing")
    }
    today = np.asarray(stock_of(state, params).today)
    assert (slate["popularity"][:, 0] == np.argmax(state.forecast)).all()
    assert (slate["most-stock"][:, 0] == np.argmax(np.asarray(state.on_hand) / today)).all()
    sold_out = state.replace(on_hand=state.on_hand * 0)
    one_left = sold_out.replace(on_hand=sold_out.on_hand.at[3].set(20))
    for name in ("myopic", "balancing"):
        aware = recommend(one_left, named(name), params)
        assert (aware[:, 0] == 3).all(), name
    blind = recommend(sold_out, named("margin"), params)
    np.testing.assert_array_equal(blind, slate["margin"])


def test_balancing_penalty_runs_from_nothing_to_one():
    np.testing.assert_allclose(balancing_penalty(jnp.array([0.0, 1.0])), [0, 1], atol=1e-6)


def test_who_is_shown_first_is_a_decision_where_every_product_is_shown():
    pair = get("pair").params()
    alike, unlike = (pair.replace(slot_weight=jnp.array(each)) for each in ([1.0, 1.0], [1.0, 0.4]))
    assert len(recommenders(alike)) == 1
    assert recommenders(unlike) == recommenders(pair)


def test_tuning_finds_the_published_policies_of_lost_sales():
    # The demand estimate stays at the true mean, as the published costs assume.
    params = get("lost-sales").params().replace(forecast_memory=jnp.float32(1.0))
    tuned = tune(params, Effort().times(0.5), jax.random.key(0))
    assert {pair.name for pair in tuned} == {
        f"popularity+{rule}" for rule in ("base-stock", "capped", "projected")
    }
    totals = simulate_each(
        jax.random.key(1), {each.name: each.policy for each in tuned}, params, 512, 500, 50
    )
    costs = {name: -profit_per_period(each, 500).mean() for name, each in totals.items()}
    assert costs["popularity+base-stock"] == pytest.approx(5.20, abs=0.06)
    assert costs["popularity+capped"] == pytest.approx(4.80, abs=0.06)
    assert costs["popularity+projected"] == pytest.approx(4.74, abs=0.06)
    assert tuned[0].name == "popularity+projected"


@pytest.mark.parametrize("lead_time", [1, 2])
@pytest.mark.parametrize("lifo", [True, False])
def test_expected_waste_and_the_rule_that_orders_it_again_are_the_exact_solvers(lead_time, lifo):
    product = replace(known_perishables.poisson(lifo, 0.0), lead_time=lead_time)
    params, states = every_state(product)
    wasted = jax.vmap(lambda state: projection.on_mean_demand(state, params).wasted[0])(states)
    np.testing.assert_allclose(wasted, perishable_rules.expected_waste(product), atol=1e-4)
    low, high, limit = 6.0, 10.0, 7.0
    protected = 4.0 * (lead_time + 1)
    rule = HeuristicParams(
        safety=(high - protected) / np.sqrt(protected), fractile=0.0,
        low=(high - low) / protected, limit=limit / protected,
    ).for_rule("BSP-low-EW")  # fmt: skip
    pair = HeuristicPair(rule)
    order = jax.vmap(lambda state: pair.act(jax.random.key(0), (), state, params)[0].order[0])
    exact = perishable_rules.low_stock(product, low, high, limit)
    assert (np.abs(order(states) - exact) <= 1).all()  # halves are rounded to the even unit here
    assert (np.asarray(order(states)) == exact).mean() > 0.9


@pytest.mark.parametrize("lead_time", [1, 2])
@pytest.mark.parametrize("lifo", [True, False])
def test_the_projected_stock_is_near_the_exact_expectation(lead_time, lifo):
    product = replace(known_perishables.poisson(lifo, 0.0), lead_time=lead_time)
    params, states = every_state(product)
    arrives = jax.vmap(lambda state: projection.expected(state, params).on_arrival[0])(states)
    exact = perishable_rules.expected_usable(product)
    assert np.abs(arrives - exact).max() < 0.4
    assert np.abs(arrives - exact).mean() < 0.1


@pytest.mark.parametrize("backlogged", [False, True])
def test_long_lead_times_are_projected_as_short_ones_are(monkeypatch, backlogged):
    """All periods at once, and one after another."""
    params = get("boutique").params().replace(max_lead_time=12, backlogged=jnp.asarray(backlogged))
    params = params.replace(lead_time=jnp.arange(params.products) % 13)
    states = stacked([random_state(seed, params) for seed in range(32)])
    expected = jax.vmap(partial(projection.expected, params=params))
    at_once = expected(states)
    monkeypatch.setattr(projection, "WRITTEN_OUT", 12)
    one_after_another = expected(states)
    np.testing.assert_allclose(at_once.on_arrival, one_after_another.on_arrival, atol=1e-4)
    assert not at_once.wasted.any()


def every_state(product):
    """The product's store, and each state that the exact solver knows, in its order."""
    params = known_perishables.store_of(product, "poisson").replace(forecast_memory=jnp.ones(()))
    blank = store.reset(jax.random.key(0), params)
    at = np.indices(product.sizes, np.float32).reshape(len(product.sizes), -1).T
    rows, pipeline = at[:, : product.shelf_life], at[:, product.shelf_life :]
    pipeline = np.hstack([pipeline, np.zeros((len(at), 1), np.float32)])
    states = jax.vmap(
        lambda rows, pipeline: blank.replace(
            on_hand=rows.sum()[None], expiring=rows[:, None], pipeline=pipeline[:, None]
        )
    )(jnp.asarray(rows), jnp.asarray(pipeline))
    return params, states


def test_what_would_be_wasted_is_shown_by_the_freshness_rule():
    params = get("fresh").params()
    state = store.reset(jax.random.key(0), params)
    full, keeps = jnp.full(10, 4.0), state.replace(on_hand=jnp.full(10, 4.0))
    rows = jnp.zeros((4, 10)).at[3].set(full)
    expires = keeps.replace(expiring=rows.at[:, 6].set(jnp.array([4.0, 0.0, 0.0, 0.0])))
    rule = HeuristicParams("freshness", stock_weight=8.0)
    shown = np.asarray(recommend(expires, rule, params))
    assert (shown == 6).any(1).all()
    others = np.asarray(recommend(keeps.replace(expiring=rows), rule, params))
    assert not (others == 6).any(1).all()
