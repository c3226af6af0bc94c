"""The kernel written by hand against the store: the same customers, the same units."""

import jax
import numpy as np
import pytest

from benchmarks.workloads import (
    LEVELS,
    AsGiven,
    AtRandom,
    Row,
    program_of,
    store_of,
    walk_of,
    walking,
)

by_hand = pytest.importorskip("benchmarks.by_hand", exc_type=ImportError)


def test_the_kernel_by_hand_is_the_store():
    """Same keys, same actions: the same whole units, and money to rounding."""
    stores, periods = 64, 12
    _, params, walk = walk_of(Row("step", stores, 10))
    orders, slates = (
        np.asarray(walk.stores.memory.days.order),
        np.asarray(walk.stores.memory.days.slate),
    )
    arrays, numbers = by_hand.of_state(walk.stores.state), by_hand.of_params(params)
    keys = np.asarray(jax.random.key_data(walk.keys))
    seen = by_hand.periods(keys, arrays, numbers, orders, slates, False, 0, periods, 2)
    after = jax.jit(walking(params, AsGiven(), periods))(walk)
    for field in ("on_hand", "pipeline", "backlog", "sold", "lost", "period"):
        expected = np.asarray(getattr(after.stores.state, field))
        np.testing.assert_array_equal(getattr(arrays, field), expected, err_msg=field)
    for field in ("market", "goodwill", "fatigue", "forecast"):
        expected = np.asarray(getattr(after.stores.state, field))
        np.testing.assert_allclose(getattr(arrays, field), expected, atol=1e-4, err_msg=field)
    np.testing.assert_allclose(seen, float(after.seen), rtol=1e-4)


def test_the_lost_sales_kernel_is_the_lost_sales_store():
    """Stock and all that is on order, unit by unit, after more periods than the lead time."""
    stores, periods = 512, 18
    row = Row("lost-sales", stores, 1, 4, periods)
    _, params, walk = walk_of(row)
    on_hand, pipeline = by_hand.lost_sales_state(walk.stores.state)
    costs = [params.holding[0], params.penalty[0]]
    numbers = (np.float32(each) for each in (LEVELS["lost-sales"], params.arrivals[0], *costs))
    keys = np.asarray(jax.random.key_data(walk.keys))
    cost = by_hand.lost_sales(keys, on_hand, pipeline, *numbers, 0, periods, 2)
    program, _ = program_of(row)
    after = program(walk)
    np.testing.assert_array_equal(on_hand, after.stores.state.on_hand[:, 0])
    rows = np.asarray(after.stores.state.pipeline[:, :, 0])
    np.testing.assert_array_equal(np.roll(pipeline, -periods, 1), rows)
    assert cost / stores / periods == pytest.approx(5.2, rel=0.1)  # Zipkin (2008) for this level


def test_the_kernels_random_actions_are_those_of_the_random_row():
    params, key = store_of(10), jax.random.key(5)
    action, _ = AtRandom().act(key, (), None, params)
    words = np.asarray(jax.random.key_data(jax.random.fold_in(key, 1)))
    order, slate = np.zeros(10, np.float32), np.zeros((8, 3), np.int32)
    by_hand.random_actions(words[0], words[1], order, slate, np.zeros(3, np.int32))
    np.testing.assert_array_equal(order, action.order)
    np.testing.assert_array_equal(slate, action.slate)
