"""Learning by the ledger's slope: whose slope it is, what the critic counts for, what repeats."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.learning import path, rewards, values
from agents.learning.config import TrainConfig
from agents.learning.iteration import iterate
from agents.learning.trainer import Trainer
from agents.policies.heuristics import HeuristicParams
from jaxsim import store
from jaxsim.scenarios import get
from tests.random_stores import random_action, random_params, random_state
from tests.trees import same

HEURISTIC = HeuristicParams(recommender="margin", safety=1.0, fractile=0.5)
TINY = dict(stores=16, horizon=12, tail=3, width=8, critic_epochs=2)
SLOPES = jax.jit(path._slopes)


def trainer_of(**settings):
    return TrainConfig(scenario="pair", **TINY | settings).trainer(HEURISTIC)


def started(trainer, params):
    return jax.jit(Trainer.init)(trainer, jax.random.key(0), params)


def wild(tree):
    """Weights away from their start, where all that a network says is 0."""
    noise = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: leaf + 0.2 * jnp.float32(noise.standard_normal(leaf.shape)), tree
    )


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


def test_goodwill_alone_is_stirred_and_only_where_stores_have_any(pair):
    trainer = trainer_of(fresh_share=1.0)
    states = started(trainer, pair).states
    assert same(path._stirred(trainer, jax.random.key(0), states, pair), states)
    loyal = pair.replace(goodwill_rate=jnp.float32(0.02), goodwill_target=jnp.float32(0.95))
    stirred = path._stirred(trainer, jax.random.key(0), states, loyal)
    assert (stirred.goodwill != states.goodwill).all()
    assert same(stirred.replace(goodwill=states.goodwill), states)


def test_goodwill_is_given_anew_to_a_share_of_stores_anywhere_between_bounds(pair):
    """The store's own bounds, where they are narrower than the usual ones."""
    stores = 4096
    trainer = trainer_of(stores=stores, fresh_share=0.3)
    states = jax.vmap(lambda _: random_state(0, pair))(jnp.arange(stores))
    states = states.replace(goodwill=jnp.full((stores, pair.segments), 0.1))
    loyal = pair.replace(goodwill_rate=jnp.float32(0.02))
    for bounds, (low, high) in (((0.0, 2.0), (0.7, 1.5)), ((0.8, 1.2), (0.8, 1.2))):
        floor, ceiling = map(jnp.float32, bounds)
        bounded = loyal.replace(goodwill_floor=floor, goodwill_ceiling=ceiling)
        after = path._stirred(trainer, jax.random.key(0), states, bounded).goodwill
        after = np.asarray(after, float)
        fresh = after[(after != states.goodwill).any(-1)]
        assert len(fresh) / stores == pytest.approx(0.3, abs=0.03)
        assert low <= fresh.min() < low + 0.01 < high - 0.01 < fresh.max() <= high
        assert fresh.mean() == pytest.approx((low + high) / 2, abs=0.02)
        assert abs(np.corrcoef(fresh.T)[0, 1]) < 0.1


def test_the_temperature_falls_geometrically_to_its_end_and_stays(mtma):
    trainer = trainer_of(iterations=20, temperature=0.5, temperature_end=0.02)
    now = [
        float(path.temperature(trainer, mtma[1].replace(iteration=jnp.int32(done))))
        for done in (0, 10, 20, 60)
    ]
    assert now == pytest.approx([0.5, 0.1, 0.02, 0.02])


@pytest.fixture(scope="module")
def ledger():
    """A period of a store of three products."""
    params = random_params(2, 3, 2, 2, 2)
    step = jax.jit(store.step)
    _, flows = step(jax.random.key(0), random_state(2, params), random_action(2, params), params)
    return params, flows


@pytest.mark.parametrize("regime", ["mtma", "silo", "priced"])
def test_each_critic_is_given_the_reward_of_its_department(ledger, regime):
    """Of the whole store, in units of `money_scale`: profit, own KPIs mixed with profit, or the
    margin over what stock is charged."""
    params, flows = ledger
    prices = params.cost + jnp.array([0.5, -0.25, 1.0])
    trainer = trainer_of(regime=regime, kpi_mix=0.3)
    profit = np.asarray(store.profit_on_sale(flows, params)).sum()
    orders = np.asarray(rewards.replenishment_kpi(flows, params)).sum()
    slates = np.asarray(rewards.recommendation_kpi(flows, params)).sum()
    expected = {
        "mtma": [profit],
        "silo": [0.3 * orders + 0.7 * profit, 0.3 * slates + 0.7 * profit],
        "priced": [profit, np.asarray(rewards.charged_margin(flows, prices, params)).sum()],
    }
    found = path._rewards(trainer, flows, prices, params) * rewards.money_scale(params)
    np.testing.assert_allclose(found, expected[regime], rtol=1e-5)


def test_prices_follow_what_a_unit_is_worth_in_the_periods_that_are_learned_from(pair, mtma):
    """A twentieth of the way; where that is no number, they stay."""
    trainer, prices = trainer_of(regime="priced", horizon=4, tail=1), np.array([3.0, 8.0])
    before = mtma[1].replace(prices=jnp.asarray(prices, jnp.float32))
    of_stock = np.array([[0.1, 0.2], [0.3, -0.4], [0.5, np.inf], [100.0, 100.0]], np.float32)
    found = path._prices(trainer, before, jnp.asarray(of_stock), pair)
    worth = float(pair.cost[0]) + 0.9 * float(rewards.money_scale(pair))
    np.testing.assert_allclose(found, [0.95 * 3.0 + 0.05 * worth, 8.0], rtol=1e-6)


def test_averaged_weights_are_plain_means_first_and_running_means_later(mtma):
    """The mean of four iterations where the step size is a quarter; the fifth counts a quarter."""
    hyperparams, now = trainer_of(averaging=0.25).hyperparams, mtma[1]
    learned = np.array([[3.0, -1.0], [5.0, 2.0], [-4.0, 0.0], [8.0, 7.0], [1.0, 1.0]])
    now, seen = now.replace(averaged={"replenishment": jnp.zeros(2)}), []
    for iteration, weights in enumerate(learned):
        now = now.replace(replenishment=jnp.asarray(weights), iteration=jnp.int32(iteration))
        now = now.replace(averaged=path._averaged(hyperparams, now))
        seen.append(now.averaged["replenishment"])
    plain = [learned[:count].mean(0) for count in (1, 2, 3, 4)]
    np.testing.assert_allclose(seen, [*plain, 0.75 * plain[-1] + 0.25 * learned[4]], rtol=1e-5)


def test_the_length_of_a_slope_is_that_of_all_its_numbers():
    assert float(path._norm({"one": jnp.array([[3.0, 0.0]]), "two": jnp.array(-4.0)})) == 5.0


@pytest.mark.parametrize(
    ("explained", "counts"), [(-3.0, 0.0), (0.3, 0.0), (0.5, 0.0), (0.75, 0.5), (1.0, 1.0)]
)
def test_a_critic_counts_as_far_as_it_explains_more_than_half(explained, counts):
    assert float(values.weight(jnp.float32(explained))) == pytest.approx(counts)


def test_slates_drawn_without_luck_are_those_of_departments_in_use(pair, mtma):
    """At a temperature near 0 a path is what both departments do, and its worth their profit in
    the ledger, for each period that is learned from."""
    trainer = trainer_of(temperature=1e-6, temperature_end=1e-6)
    static, key = trainer.static, jax.random.key(8)
    start = mtma[1].replace(
        replenishment=wild(mtma[1].replenishment), recommendation=wild(mtma[1].recommendation)
    )
    worth, _, _, walked = SLOPES(trainer, start, key, pair)
    departments = trainer.exploring(start)

    @jax.jit
    @jax.vmap
    def day(key, memories, state):
        action, memories = departments.act(key, memories, state, pair)
        state, flows = store.step(key, state, action, pair)
        return memories, state, flows

    memories, states, days = start.memories, start.states, []
    for period_key in jax.random.split(key, static.horizon):
        customers, _ = jax.random.split(period_key)
        keys = static.shards.own_keys(customers, static.stores)
        memories, states, flows = day(keys, memories, states)
        days.append(flows)
    for found, expected in (
        (walked.states.on_hand, states.on_hand),
        (walked.states.pipeline, states.pipeline),
        (walked.periods.profit, [each.profit.sum(-1) for each in days]),
        (walked.periods.asked, [each.wanted.sum(-1) for each in days]),
        (walked.periods.served, [each.served.sum(-1) for each in days]),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    earned = sum(float(store.profit_on_sale(each, pair).sum(-1).mean()) for each in days)
    assert float(worth) == pytest.approx(earned / float(rewards.money_scale(pair)) / 9, rel=1e-4)


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


def test_a_critic_that_explains_nothing_leaves_the_slope_alone(pair, mtma):
    trainer, train_state = mtma
    strange, key = train_state.replace(targets=wild(train_state.targets)), jax.random.key(4)
    plain, quiet, _, _ = SLOPES(trainer, train_state, key, pair)
    _, still, _, _ = SLOPES(trainer, strange, key, pair)
    assert same(quiet, still)
    trusted = strange.replace(explained=(jnp.float32(1.0),), average=(jnp.float32(1.0),))
    worth, moved, _, walked = SLOPES(trainer, trusted, key, pair)
    assert not same(quiet, moved)
    (beyond,) = jax.jit(values.at_the_end)(trainer, trusted, walked.states, pair)
    assert float(worth - plain) == pytest.approx(float(beyond) / 9, rel=1e-3)  # 12 less 3 periods


def test_a_slope_climbs_from_a_bad_start(pair, once):
    """Far too little stock: after 40 short iterations orders have risen and more is earned."""
    trainer = trainer_of(iterations=40).replace(heuristic=HEURISTIC.replace(safety=-1.5))
    now, profit = started(trainer, pair), []
    for _ in range(40):
        now, metrics = once(trainer, now, pair)
        profit.append(float(metrics["profit"]))
    assert np.mean(profit[-10:]) > np.mean(profit[:10]) + 1.0
