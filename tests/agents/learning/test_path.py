"""Learning by the ledger's slope: whose slope it is, what the critic counts for, what repeats."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.learning import path, values
from agents.learning.config import TrainConfig
from agents.learning.iteration import iterate
from agents.learning.trainer import Trainer
from agents.policies.heuristics import HeuristicParams
from jaxsim.scenarios import get
from tests.trees import same

HEURISTIC = HeuristicParams(recommender="margin", safety=1.0, fractile=0.5)
TINY = dict(stores=16, horizon=12, tail=3, width=8, critic_epochs=2)
SLOPES = jax.jit(path._slopes)


def trainer_of(**settings):
    return TrainConfig(scenario="pair", **TINY | settings).trainer(HEURISTIC)


def started(trainer, params):
    return jax.jit(Trainer.init)(trainer, jax.random.key(0), params)


@pytest.fixture(scope="module")
def pair():
    return get("pair").params()


@pytest.fixture(scope="module")
def mtma(pair):
    trainer = trainer_of()
    return trainer, started(trainer, pair)


@pytest.fixture(scope="module")
def once():
    """An iteration that refuses to be compiled a second time."""
    yield jax.jit(chex.assert_max_traces(iterate, n=1))
    chex.clear_trace_counter()


def test_iterations_compile_once_and_repeat_exactly(pair, mtma, once):
    trainer, train_state = mtma
    runs = []
    for _ in range(2):
        now, metrics = once(trainer, train_state, pair)
        now, metrics = once(trainer, now, pair)
        runs.append(jax.device_get(metrics))
    assert all(np.isfinite(value) for value in metrics.values())
    chex.assert_trees_all_equal(*runs)
    updates = [int(getattr(now, f"{clock}_updates")) for clock in ("critic", "fast", "slow")]
    assert updates == [4, 2, 2]
    assert not same(now.replenishment, train_state.replenishment)
    assert not same(now.recommendation, train_state.recommendation)
    assert not same(now.targets, now.critics)


@pytest.mark.parametrize("regime", ["priced", "single"])
def test_a_regime_of_another_shape_learns_finite_numbers(pair, regime):
    trainer = trainer_of(regime=regime)
    train_state, metrics = jax.jit(iterate)(trainer, started(trainer, pair), pair)
    assert all(np.isfinite(value) for value in metrics.values())
    assert len(train_state.critics) == {"priced": 2, "single": 1}[regime]
    assert int(train_state.fast_updates) == int(train_state.slow_updates) == 1


def test_a_department_with_its_own_aim_follows_the_slope_of_that_alone(pair):
    """As if each learned with the other's weights fixed and its own aim as the whole worth."""
    trainer = trainer_of(regime="silo")
    train_state, key = started(trainer, pair), jax.random.key(5)
    none = jnp.zeros((trainer.static.horizon, pair.products))

    @jax.jit
    @jax.grad
    def descent_of(weights, aims):
        worths, _ = path._walk(trainer, train_state, key, pair, weights, none)
        return -(jnp.stack(worths) * aims).sum()

    _, found, _, _ = SLOPES(trainer, train_state, key, pair)
    for department, aims in (("replenishment", [1.0, 0.0]), ("recommendation", [0.0, 1.0])):
        alone = descent_of(train_state.averaged, jnp.array(aims))[department]
        chex.assert_trees_all_close(found[department], alone, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def priced(pair):
    trainer = trainer_of(regime="priced", stores=1024)
    return trainer, started(trainer, pair)


def test_recommendation_that_is_charged_all_it_earns_has_nothing_to_learn(pair, priced):
    trainer, train_state = priced
    key = jax.random.key(6)
    _, charged_cost, _, _ = SLOPES(trainer, train_state, key, pair)
    _, charged_all, _, _ = SLOPES(trainer, train_state.replace(prices=pair.price), key, pair)
    assert any(leaf.any() for leaf in jax.tree.leaves(charged_cost["recommendation"]))
    assert not any(leaf.any() for leaf in jax.tree.leaves(charged_all["recommendation"]))
    assert same(charged_cost["replenishment"], charged_all["replenishment"])


def test_stock_is_charged_what_one_more_unit_earns(pair, priced):
    """Against one unit more and one less of the first product in the second period, in every
    store: within a fifth, as a slope leaves out how slates answer."""
    (trainer, train_state), key = priced, jax.random.key(7)
    _, _, of_stock, _ = SLOPES(trainer, train_state, key, pair)
    unit = jnp.zeros((trainer.static.horizon, pair.products)).at[1, 0].set(1.0)
    walk = jax.jit(partial(path._walk, trainer, train_state, key, pair, train_state.averaged))
    more, less = (walk(sign * unit)[0][0] for sign in (1.0, -1.0))
    assert float(of_stock[1, 0]) == pytest.approx(float(more - less) / 2, rel=0.2)
    once = path._prices(trainer, train_state, of_stock, pair)
    assert (once != pair.cost).all()


def test_periods_computed_again_on_the_way_back_have_the_same_slope(pair, mtma):
    _, train_state = mtma
    slopes = [
        SLOPES(trainer_of(rematerialise=again), train_state, jax.random.key(2), pair)[1]
        for again in (False, True)
    ]
    chex.assert_trees_all_close(*slopes, rtol=1e-4, atol=1e-6)


@jax.jit
def order_slope(trainer, train_state, params):
    """Of the whole path's worth, in the weights of the orders."""
    horizon, key = trainer.static.horizon, jax.random.key(3)
    none = jnp.zeros((horizon, params.products))

    def worth(orders):
        weights = train_state.averaged | {"replenishment": orders}
        (mean,), _ = path._walk(trainer, train_state, key, params, weights, none)
        return (horizon - trainer.static.tail) * mean

    return jax.grad(worth)(train_state.replenishment)


def test_decisions_of_the_tail_are_not_learned_from(pair, mtma):
    """An order of the last period arrives after the path: it has no slope to leave out. The one
    before it has."""
    everything, all_but_one, first = (
        order_slope(trainer_of(horizon=3, tail=tail), mtma[1], pair) for tail in (0, 1, 2)
    )
    chex.assert_trees_all_close(everything, all_but_one, rtol=1e-5, atol=1e-7)
    assert not same(everything, first)


@pytest.mark.parametrize(
    ("explained", "counts"), [(-3.0, 0.0), (0.3, 0.0), (0.5, 0.0), (0.75, 0.5), (1.0, 1.0)]
)
def test_a_critic_counts_as_far_as_it_explains_more_than_half(explained, counts):
    assert float(values.weight(jnp.float32(explained))) == pytest.approx(counts)


def test_a_critic_that_explains_nothing_leaves_the_slope_alone(pair, mtma):
    trainer, train_state = mtma
    noise = np.random.default_rng(0)
    wild = jax.tree.map(
        lambda leaf: leaf + 0.2 * jnp.float32(noise.standard_normal(leaf.shape)),
        train_state.targets,
    )
    key = jax.random.key(4)
    _, quiet, _, _ = SLOPES(trainer, train_state, key, pair)
    _, still, _, _ = SLOPES(trainer, train_state.replace(targets=wild), key, pair)
    assert same(quiet, still)
    trusted = train_state.replace(
        targets=wild, explained=(jnp.float32(1.0),), average=(jnp.float32(1.0),)
    )
    assert not same(quiet, SLOPES(trainer, trusted, key, pair)[1])


def test_goodwill_alone_is_stirred_and_only_where_stores_have_any(pair):
    trainer = trainer_of(fresh_share=1.0)
    states = started(trainer, pair).states
    assert same(path._stirred(trainer, jax.random.key(0), states, pair), states)
    loyal = pair.replace(goodwill_rate=jnp.float32(0.02), goodwill_target=jnp.float32(0.95))
    stirred = path._stirred(trainer, jax.random.key(0), states, loyal)
    assert (stirred.goodwill != states.goodwill).all()
    assert same(stirred.replace(goodwill=states.goodwill), states)


def test_a_slope_climbs_from_a_bad_start(pair, once):
    """Far too little stock: after 40 short iterations orders have risen and more is earned."""
    trainer = trainer_of(iterations=40).replace(heuristic=HEURISTIC.replace(safety=-1.5))
    now, profit = started(trainer, pair), []
    for _ in range(40):
        now, metrics = once(trainer, now, pair)
        profit.append(float(metrics["profit"]))
    assert np.mean(profit[-10:]) > np.mean(profit[:10]) + 1.0
