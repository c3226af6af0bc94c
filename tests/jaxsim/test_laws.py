"""Laws that hold in every store, whatever is decided: units, customers and money are conserved."""

from functools import cache

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxsim import store
from jaxsim.params import Params
from jaxsim.records import Flows, State
from tests.random_stores import random_action, random_params, random_state

SIZES = [
    (1, 1, 1, 1, "poisson"),
    (4, 3, 2, 3, "poisson"),
    (6, 2, 3, 4, "geometric", 2, 3),
    (5, 2, 2, 2, "negative-binomial", 2, 2),
]
PERIODS = 6

step = jax.jit(store.step)


@cache
def path(seed: int, size: tuple) -> tuple[Params, list[State], list[Flows]]:
    """A store, and some days of it; every law is held against the same."""
    params = random_params(seed, *size)
    states, ledger = [random_state(seed + 1, params)], []
    for period in range(PERIODS):
        key = jax.random.fold_in(jax.random.key(seed), period)
        state, flows = step(key, states[-1], random_action(seed + period, params), params)
        states.append(jax.device_get(state))
        ledger.append(jax.device_get(flows))
    return jax.device_get(params), states, ledger


ENDS = {
    "max_order": (0.0, 0.5, 1.0, 2.5, 3.5, 4.999999, 1e9),
    "arrivals": (0.0, 1e-3, 0.5, 40.0, 1e4, 1e7),
    "demand_noise": (0.0, 3.0),
    "stall": (0.0, 0.999),
}
"""The ends of what a scenario allows, and fractions of units between them."""
ORDERS = (-1e9, -0.6, 0.0, 0.4, 0.6, 1.5, 2.5, 3.5, 7.3, 1e4, 1e9)


def assert_whole(states: list[State], ledger: list[Flows]) -> None:
    units = [leaf for s in states for leaf in (s.on_hand, s.pipeline, s.backlog)]
    names = (
        "ordered", "received", "asked", "served", "substituted", "backlog_served", "sold",
        "waiting", "lost", "wasted", "left", "backlog",
    )  # fmt: skip
    units += [getattr(flows, name) for flows in ledger for name in names]
    units += [s.expiring for s in states if s.expiring is not None]
    for each in units:
        assert (each >= 0).all()
        np.testing.assert_array_equal(each, np.round(each))


every_store = pytest.mark.parametrize("size", SIZES)
many = settings(max_examples=60, deadline=None, derandomize=True)
seeds = st.integers(0, 59)


@every_store
@many
@given(seed=seeds)
def test_units_are_conserved_exactly(size, seed):
    _, states, ledger = path(seed, size)
    for before, after, flows in zip(states, states[1:], ledger, strict=False):
        start = before.on_hand + before.pipeline.sum(0)
        end = after.on_hand + after.pipeline.sum(0)
        np.testing.assert_array_equal(start + flows.ordered, end + flows.sold + flows.wasted)
        np.testing.assert_array_equal(
            before.backlog + flows.waiting, after.backlog + flows.backlog_served
        )


@many
@given(seed=seeds)
def test_what_ages_is_on_hand_by_age_and_only_it_is_wasted(seed):
    params, states, ledger = path(seed, SIZES[-1])
    ages = params.shelf_life > 0
    life = params.shelf_life - params.arrival_age
    for before, after, flows in zip(states, states[1:], ledger, strict=False):
        np.testing.assert_array_equal(after.expiring.sum(0), np.where(ages, after.on_hand, 0))
        beyond = np.arange(params.max_shelf_life)[:, None] >= np.maximum(life, 0)
        assert (after.expiring[beyond] == 0).all()
        assert (flows.wasted[~ages] == 0).all()
        at_once = np.where((params.lead_time == 0) & (life == 1), flows.ordered, 0)
        assert (flows.wasted <= before.expiring[0] + at_once).all()
        np.testing.assert_allclose(flows.disposal, params.disposal * flows.wasted)


@every_store
@many
@given(seed=seeds)
def test_quantities_are_whole_and_never_negative(size, seed):
    _, states, ledger = path(seed, size)
    assert_whole(states, ledger)


@every_store
@many
@given(seed=seeds, data=st.data())
def test_quantities_are_whole_at_the_ends_of_what_is_allowed(size, seed, data):
    """Whatever `params.replace` puts in: fractional caps on orders, no customers or ten million."""
    params = random_params(seed, *size)

    def drawn(values: tuple[float, ...], like: jax.Array) -> np.ndarray:
        each = st.lists(st.sampled_from(values), min_size=len(like), max_size=len(like))
        return np.array(data.draw(each), np.float32)

    params = params.replace(
        **{field: drawn(ends, getattr(params, field)) for field, ends in ENDS.items()}
    )
    states, ledger = [random_state(seed + 1, params)], []
    for period in range(PERIODS):
        action = random_action(seed + period, params)
        action = action.replace(order=drawn(ORDERS, action.order))
        key = jax.random.fold_in(jax.random.key(seed), period)
        state, flows = jax.device_get(step(key, states[-1], action, params))
        states.append(state)
        ledger.append(flows)
        assert (flows.ordered <= params.max_order).all()
    assert_whole(states, ledger)


@every_store
@many
@given(seed=seeds)
def test_every_customer_is_served_waits_substitutes_or_leaves(size, seed):
    params, states, ledger = path(seed, size)
    for before, flows in zip(states, ledger, strict=False):
        fates = flows.served.sum() + flows.waiting.sum() + flows.lost.sum()
        assert flows.asked.sum() == fates + flows.substituted.sum()
        for need in np.unique(params.category):  # second choices stay within a category
            own = params.category == need
            turned_away = (flows.asked - flows.served - flows.waiting - flows.lost)[own].sum()
            assert turned_away == flows.substituted[own].sum()
        assert (flows.served <= flows.asked).all()
        at_once = np.where(params.lead_time == 0, flows.ordered, 0)
        there = before.on_hand + at_once
        assert (flows.served + flows.substituted <= there).all()
        assert (flows.waiting[~params.backlogged] == 0).all()
        assert (flows.lost[params.backlogged] == 0).all()
        assert (flows.lost <= flows.asked - flows.served).all()


@every_store
@many
@given(seed=seeds)
def test_only_hidden_products_are_missed_without_a_customer_who_asks(size, seed):
    params, _, ledger = path(seed, size)
    for flows in ledger:
        unseen = flows.missed - flows.lost
        assert (unseen >= 0).all()
        hidden = params.hide_stockouts & (flows.offered == 0)
        assert (unseen[~hidden] == 0).all()
        assert (flows.asked[hidden] == 0).all()


@every_store
@many
@given(seed=seeds)
def test_profit_is_what_the_units_say(size, seed):
    params, _, ledger = path(seed, size)
    for flows in ledger:
        room = float((params.volume * flows.left).sum())
        money = (
            params.price * flows.sold
            - params.cost * flows.ordered
            - params.order_cost * (flows.ordered > 0)
            - params.holding * flows.left
            - params.disposal * flows.wasted
            - params.penalty
            * ((flows.missed if params.charge_missed else flows.lost) + flows.backlog)
        ).sum() - float(params.overflow) * max(room - float(params.capacity), 0.0)
        np.testing.assert_allclose(flows.profit.sum(), money, rtol=1e-4, atol=1e-3)


@every_store
@many
@given(seed=seeds)
def test_orders_are_heard_in_review_periods_and_capped(size, seed):
    params, states, ledger = path(seed, size)
    for before, flows in zip(states, ledger, strict=False):
        assert (flows.ordered <= params.max_order).all()
        assert (flows.ordered % params.pack == 0).all()
        assert (flows.ordered[before.period % params.review != 0] == 0).all()


@every_store
@many
@given(seed=seeds)
def test_states_stay_in_range(size, seed):
    params, states, _ = path(seed, size)
    for state in states[1:]:
        finite = [np.isfinite(leaf).all() for leaf in jax.tree.leaves(state)]
        assert all(finite)
        assert (state.goodwill >= params.goodwill_floor - 1e-6).all()
        assert (state.goodwill <= params.goodwill_ceiling + 1e-6).all()
        assert (state.fatigue >= 0).all()
        assert (state.fatigue <= 1 + 1e-6).all()
