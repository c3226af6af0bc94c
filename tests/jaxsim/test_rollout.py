"""A rollout is the store stepped by hand; sums are its sums; customers depend on the key alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

import jaxsim
from agents.evaluation.simulation import simulate
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from jaxsim import Action, store
from jaxsim.rollouts import numbered, play, started
from jaxsim.scenarios import get

KEY = jax.random.key(8)
PAIR = get("pair").params()
STORES, PERIODS, BURN_IN = 3, 6, 2


class Counting(struct.PyTreeNode):
    """Orders as many units as periods were played, plus a draw; shows everybody the first."""

    most: float = 4.0

    def start(self, params):
        return jnp.zeros(())

    def act(self, key, memory, state, params):
        drawn = jax.random.randint(key, (params.products,), 0, 2)
        order = jnp.minimum(memory + drawn, self.most)
        slate = jnp.zeros((params.segments, params.slots), jnp.int32)
        return Action(order=order, slate=slate), memory + 1


def played(policy, **sizes):
    return jaxsim.rollout(KEY, policy, PAIR, stores=STORES, periods=PERIODS, **sizes)


@pytest.fixture(scope="module")
def trajectory():
    return played(Counting(), burn_in=BURN_IN)


def test_a_rollout_is_the_store_stepped_by_hand(trajectory):
    """One store, period by period, with the keys that its number gives it."""
    number = 1
    begin, customers, decisions = jax.random.split(KEY, 3)
    state, memory = store.reset(jax.random.fold_in(begin, number), PAIR), Counting().start(PAIR)
    step = jax.jit(store.step)
    for period in range(BURN_IN + PERIODS):
        today, mine = (
            jax.random.fold_in(jax.random.fold_in(each, period), number)
            for each in (customers, decisions)
        )
        action, memory = Counting().act(mine, memory, state, PAIR)
        after, flows = step(today, state, action, PAIR)
        if period >= BURN_IN:
            found = jax.tree.map(lambda leaf, at=period: leaf[at - BURN_IN, number], trajectory)
            expected = jaxsim.Trajectory(state, action, flows)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected)
        state = after


def test_axes_are_periods_and_stores(trajectory):
    assert trajectory.periods == PERIODS and trajectory.first(2).periods == 2
    assert trajectory.flows.sold.shape == (PERIODS, STORES, PAIR.products)
    assert trajectory.action.slate.shape == (PERIODS, STORES, PAIR.segments, PAIR.slots)
    assert trajectory.state.pipeline.shape[:2] == (PERIODS, STORES)


def test_sums_are_those_of_every_period(trajectory):
    sums = jax.jit(
        lambda policy: jaxsim.rollout_sums(
            KEY, policy, PAIR, lambda each: (each.flows.sold, each.flows.asked > 3),
            stores=STORES, periods=PERIODS, burn_in=BURN_IN,
        )
    )(Counting())  # fmt: skip
    np.testing.assert_allclose(sums[0], trajectory.flows.sold.sum(0), rtol=1e-6)
    np.testing.assert_array_equal(sums[1], (trajectory.flows.asked > 3).sum(0))


def test_an_evaluation_is_the_sum_of_a_rollout():
    policy = HeuristicPair(HeuristicParams(recommender="margin", safety=0.5))
    totals = simulate(KEY, policy, PAIR, STORES, PERIODS, BURN_IN)
    flows = played(policy, burn_in=BURN_IN).flows
    np.testing.assert_allclose(totals.profit, flows.profit.sum((0, 2)), rtol=1e-5)
    np.testing.assert_array_equal(totals.asked, flows.asked.sum(0))


def test_customers_depend_on_the_key_alone():
    """Whoever decides, and however many stores there are besides."""
    params = PAIR.replace(hide_stockouts=jnp.array(False), lift=jnp.zeros(2))
    classic = HeuristicPair(HeuristicParams())
    asked = [
        jaxsim.rollout(KEY, policy, params, stores=stores, periods=PERIODS).flows.asked[:, :2]
        for policy, stores in ((Counting(), 2), (classic, 5))
    ]
    np.testing.assert_array_equal(*asked)


def test_what_happens_to_a_store_besides_the_model():
    """An event changes what is decided on, and the chance that is met."""
    start, keys = numbered(KEY, Counting(), PAIR, jnp.arange(2))

    def full(period, state, chance):
        return state.replace(on_hand=jnp.full_like(state.on_hand, 50.0 + period)), chance

    kept = play(
        start, keys, Counting(), PAIR, periods=3, event=full, keep=lambda each: each.state.on_hand
    ).kept
    np.testing.assert_array_equal(kept[:, 0, 0], [50, 51, 52])


def test_stores_go_on_from_where_they_were_left():
    keys = jax.random.split(KEY, 2)
    go_on = jax.jit(
        lambda stores, first: play(
            stores, _keys_from(keys, first), Counting(), PAIR, periods=2, keep=lambda each: each
        )
    )
    first = go_on(started(keys, Counting(), PAIR), 0)
    second = go_on(first.stores, 2)
    np.testing.assert_array_equal(second.stores.memory, [4, 4])
    jax.tree.map(
        lambda leaf, before: np.testing.assert_array_equal(leaf[0], before),
        second.kept.state,
        first.stores.state,
    )


def _keys_from(keys, first):
    """Keys of the periods from `first` on."""
    fold = jax.vmap(jax.random.fold_in, (0, None))
    return lambda period: (fold(keys, first + period), fold(keys, first + period))
