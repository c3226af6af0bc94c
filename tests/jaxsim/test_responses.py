"""Responses are those of a store that can be worked out by hand, and nothing answers to nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from agents.policies.heuristics import HeuristicPair, HeuristicParams
from jaxsim.records import Action
from jaxsim.responses import cross_response, impulse_response, shock_of
from jaxsim.scenarios import get

KEY = jax.random.key(5)


class OrderUpToTen(struct.PyTreeNode):
    """Orders up to ten units of each product, and shows the one there is more of."""

    def start(self, params):
        return ()

    def act(self, key, memory, state, params):
        order = jnp.maximum(10.0 - state.on_hand - state.pipeline.sum(0), 0.0)
        slate = jnp.full((2, 1), state.on_hand[1] > state.on_hand[0]).astype(jnp.int32)
        return Action(order=order, slate=slate), memory


@pytest.fixture(scope="module")
def pair():
    return get("pair").params()


def test_an_ordinary_day_changes_nothing(pair):
    shock = shock_of(pair, "surge", 0, 0.0)
    impulse = impulse_response(KEY, OrderUpToTen(), pair, shock, 8, stores=512)
    for answer in (impulse.attention, impulse.ordered, impulse.on_hand, impulse.sold):
        assert not np.asarray(answer.mean).any() and not np.asarray(answer.error).any()


def test_units_too_many_are_not_ordered_again(pair):
    impulse = impulse_response(
        KEY, OrderUpToTen(), pair, shock_of(pair, "overstock", 1, 3.0), 8, stores=512
    )
    on_hand, ordered = np.asarray(impulse.on_hand.mean), np.asarray(impulse.ordered.mean)
    np.testing.assert_allclose(on_hand[0], [0, 3])
    assert ordered[0, 1] < 0 and ordered[0, 0] == 0
    sold = np.asarray(impulse.sold.mean)
    # Units: what was there too much of was sold, or was not ordered, or is still there.
    balance = 3 + ordered[:-1].sum(0)[1] - sold[:-1].sum(0)[1]
    assert balance == pytest.approx(on_hand[-1, 1], abs=1e-4)
    assert np.asarray(impulse.attention.mean)[0, 1] > 0


def test_a_late_delivery_and_a_surge_empty_the_shelf(pair):
    delay = impulse_response(KEY, OrderUpToTen(), pair, shock_of(pair, "delay", 0), 8, stores=512)
    assert np.asarray(delay.on_hand.mean)[1, 0] < -1
    assert np.asarray(delay.on_hand.mean)[0, 0] == 0
    surge = impulse_response(KEY, OrderUpToTen(), pair, shock_of(pair, "surge", 0), 8, stores=512)
    assert np.asarray(surge.sold.mean)[0, 0] > 1
    assert np.asarray(surge.ordered.mean)[1, 0] > 1
    assert np.asarray(surge.ordered.mean)[0, 0] == 0


def test_one_more_unit_is_one_less_to_order(pair):
    answer = cross_response(KEY, OrderUpToTen(), pair, stores=512)
    order, attention = np.asarray(answer.order.mean), np.asarray(answer.attention.mean)
    # One less, but where the shelf is full and nothing is ordered anyway.
    assert -1 <= order[0, 0] < -0.8 and order[0, 1] == 0
    assert attention[0, 0] >= 0 >= attention[0, 1]
    assert attention[1, 1] > 0 > attention[1, 0]
    np.testing.assert_allclose(attention.sum(1), 0, atol=1e-6)


def test_responses_work_for_any_policy():
    boutique = get("boutique").params()
    heuristic = HeuristicParams()
    answer = cross_response(KEY, HeuristicPair(heuristic), boutique, stores=64)
    assert answer.order.mean.shape == (10, 10)
    assert np.isfinite(answer.order.mean).all()
