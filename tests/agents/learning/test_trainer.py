"""Clocks tick as configured, advantages are right, networks fit any store."""

from dataclasses import replace
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.learning.config import TrainConfig
from agents.learning.critic import DECISION_COLUMNS, advantages_of, chance_columns
from agents.learning.experience import collect
from agents.learning.iteration import iterate
from agents.learning.networks import Critic
from agents.learning.ppo import assessed
from agents.learning.regimes import REGIMES
from agents.learning.score import advantages, learn_values
from agents.learning.trainer import Trainer
from agents.learning.updates import _improved, update_departments
from agents.policies.heuristics import HeuristicParams
from agents.policies.recommendation import RecommendationActor
from agents.policies.replenishment import ReplenishmentActor
from jaxsim import store, views
from jaxsim.scenarios import get
from tests.random_stores import random_action, random_params, random_state
from tests.trees import same

HEURISTIC = HeuristicParams(recommender="margin", safety=1.0, fractile=0.5)
TINY = dict(stores=8, horizon=4, width=8, warm_up=0.0)


def trainer_of(**settings):
    return TrainConfig.by_score(scenario="pair", **TINY | settings).trainer(HEURISTIC)


def started(trainer, params):
    return jax.jit(Trainer.init)(trainer, jax.random.key(0), params)


def rolled_out(trainer, train_state, params):
    """The state after its second trajectory, which starts with something to remember."""
    act = jax.jit(collect)
    return act(trainer, act(trainer, train_state, params)[0], params)


def improved(clock, trainer, train_state, minibatch):
    """The state after one update of the department on this clock."""
    department = {"fast": trainer.fast, "slow": trainer.slow}[clock]
    update = jax.jit(_improved, static_argnums=(1, 2))
    return update(trainer, clock, department, train_state, minibatch)[0]


@pytest.fixture(scope="module")
def pair():
    return get("pair").params()


@pytest.fixture(scope="module")
def mtma(pair):
    trainer = trainer_of()
    return trainer, started(trainer, pair)


@pytest.fixture(scope="module")
def experience(mtma, pair):
    trainer, train_state = mtma
    return rolled_out(trainer, train_state, pair)


@pytest.fixture(scope="module")
def minibatch(mtma, experience, pair):
    return jax.jit(advantages)(mtma[0], *experience, pair)[1]


@pytest.fixture(scope="module")
def remembering(pair):
    trainer = trainer_of(replenishment_memory="gru", recommendation_memory="ewma")
    return trainer, *rolled_out(trainer, started(trainer, pair), pair)


def test_the_critic_learns_before_the_departments_do(mtma, experience, pair):
    trainer = mtma[0]
    train_state, trajectory = experience
    after, _ = jax.jit(learn_values)(trainer, train_state, trajectory, pair)
    passes, minibatches = 4, 4
    assert int(after.critic_updates) - int(train_state.critic_updates) == passes * minibatches
    assert not same(after.critics, train_state.critics)
    assert same(after.replenishment, train_state.replenishment)
    assert same(after.recommendation, train_state.recommendation)


def test_a_group_meets_the_same_customers_and_its_stores_decide_for_themselves(mtma, experience):
    trajectory = experience[1]
    groups = (4, 2, 4, -1)  # periods, groups, stores of a group, the rest
    chance = np.asarray(trajectory.seen[0].chance).reshape(groups)
    assert (chance == chance[:, :, :1]).all()
    assert not (chance[:, 0] == chance[:, 1]).all()
    drawn = np.asarray(trajectory.orders.lower).reshape(groups)
    assert not (drawn == drawn[:, :, :1]).all(-1)[:, :, 1:].any()


@pytest.mark.parametrize("fast_per_slow", [1, 2, 4])
def test_both_clocks_tick_as_configured(mtma, minibatch, fast_per_slow):
    trainer = trainer_of(fast_per_slow=fast_per_slow, policy_epochs=3, minibatches=4)
    train_state = mtma[1]
    for _ in range(2):
        train_state, _ = jax.jit(update_departments)(trainer, train_state, minibatch)
    fast, slow = 2 * 3 * 4, 2 * 3 * 4 // fast_per_slow
    assert (int(train_state.fast_updates), int(train_state.slow_updates)) == (fast, slow)
    counted = [
        {int(leaf) for leaf in jax.tree.leaves(state) if leaf.dtype == jnp.int32}
        for state in (train_state.fast_optimizer, train_state.slow_optimizer)
    ]
    assert counted == [{fast}, {slow}]


def test_each_clock_moves_its_own_group_only(mtma, minibatch):
    trainer, train_state = mtma
    after_fast, after_slow = (
        improved(clock, trainer, train_state, minibatch) for clock in ("fast", "slow")
    )
    assert same(after_fast.replenishment, train_state.replenishment)
    assert not same(after_fast.recommendation, train_state.recommendation)
    assert same(after_fast.critics, train_state.critics)
    assert not same(after_slow.replenishment, train_state.replenishment)
    assert same(after_slow.recommendation, train_state.recommendation)
    assert same(after_slow.critics, train_state.critics)


@pytest.mark.parametrize("control_variate", [1.0, 0.0])
def test_advantages_are_the_sums_they_stand_for(pair, mtma, experience, control_variate):
    trainer = trainer_of(crn_group=2, control_variate=control_variate)
    train_state, trajectory = experience
    rng = np.random.default_rng(0)
    critic = jax.tree.map(
        lambda leaf: leaf + 0.3 * rng.standard_normal(leaf.shape), train_state.critics[0]
    )
    last = jax.jit(jax.vmap(trainer.critic_views, (0, None)))(train_state.states, pair)[0]
    average = jnp.array([0.3, -0.1])
    network = trainer.static.networks.critic
    seen = trajectory.seen[0]
    advantage, minibatch, off = jax.jit(advantages_of, static_argnums=0)(
        trainer.static, trainer.hyperparams, critic, average, seen, last
    )
    value = jax.jit(jax.vmap(lambda view, decision: network.apply(critic, view, decision)))
    values, responses = jax.jit(jax.vmap(value))(seen.view, seen.decision)
    following = np.concatenate([values[1:], value(last, seen.decision[-1])[0][None]])
    delta = np.asarray(seen.reward) - np.asarray(average) + following - values
    residual = delta - control_variate * (np.asarray(responses) * seen.chance).sum(-1)
    twin = residual[:, [1, 0, 3, 2, 5, 4, 7, 6]]
    summed, expected = np.zeros_like(delta), np.zeros_like(delta)
    for t in range(4):
        for later in range(t, 4):
            weight = float(trainer.hyperparams.gae_lambda) ** (later - t)
            summed[t] += weight * residual[later]
            expected[t] += weight * (residual - twin)[later]
    np.testing.assert_allclose(minibatch.td_error, delta, atol=1e-4)
    np.testing.assert_allclose(minibatch.target, summed + values, atol=1e-4)
    np.testing.assert_allclose(advantage, expected, atol=1e-4)
    np.testing.assert_allclose(off, residual.mean((0, 1)), atol=1e-5)


def test_the_control_variate_has_mean_zero(pair):
    columns = jax.jit(jax.vmap(lambda key: chance_columns(store.draw(key, pair))))
    draws = columns(jax.random.split(jax.random.key(0), 200_000))
    error = np.asarray(draws).std(0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(0)) < 4.5 * error).all()


def test_cost_charged_on_sale_changes_no_long_run_profit(pair):
    key, total, on_sale = jax.random.key(0), 0.0, 0.0
    state = store.reset(key, pair)

    def worth(s):
        return float(pair.cost @ (s.on_hand + s.pipeline.sum(0) - s.backlog))

    start = worth(state)
    for period in range(10):
        action = random_action(period, pair)
        state, flows = jax.jit(store.step)(jax.random.fold_in(key, period), state, action, pair)
        total += float(flows.profit.sum())
        on_sale += float(store.profit_on_sale(flows, pair).sum())
    assert on_sale == pytest.approx(total + worth(state) - start, rel=1e-4)


@pytest.mark.parametrize("learns_to_remember", [False, True])
def test_decisions_assessed_again_are_as_likely_as_when_made(
    mtma, experience, remembering, learns_to_remember
):
    trainer, train_state, trajectory = remembering if learns_to_remember else (mtma[0], *experience)
    departments = trainer.departments(train_state)
    for department, record in (
        (departments.replenishment, trajectory.orders),
        (departments.recommendation, trajectory.slates),
    ):
        again, _ = jax.jit(assessed)(department, department.weights, record)
        np.testing.assert_allclose(again, record.log_probability, atol=1e-4)


def test_a_learned_memory_is_carried_and_learned(pair, remembering):
    trainer, train_state, trajectory = remembering
    assert float(jnp.abs(train_state.memories[0]).sum()) > 0
    _, minibatch = jax.jit(advantages)(trainer, train_state, trajectory, pair)
    after = train_state
    for _ in range(2):  # the head starts at zero: only the second update reaches what is behind it
        after = improved("slow", trainer, after, minibatch)
    before, moved = (each.replenishment["params"]["memory"] for each in (train_state, after))
    assert not same(before, moved)


@pytest.mark.parametrize("settings_of", [TrainConfig, TrainConfig.by_score])
def test_no_array_gains_an_axis_by_itself(pair, settings_of):
    """Traced only: where ranks differ, the axis is written."""
    trainer = settings_of(scenario="pair", stores=4, width=8).trainer(HEURISTIC)
    with jax.numpy_rank_promotion("raise"):
        train_state = jax.eval_shape(Trainer.init, trainer, jax.random.key(0), pair)
        jax.eval_shape(iterate, trainer, train_state, pair)


def test_iterations_compile_once_and_repeat_exactly(pair, mtma):
    trainer, train_state = mtma
    once = jax.jit(chex.assert_max_traces(iterate, n=1))
    runs = []
    for _ in range(2):
        now, metrics = once(trainer, train_state, pair)
        now, metrics = once(trainer, now, pair)
        runs.append(jax.device_get(metrics))
    assert all(np.isfinite(value) for value in metrics.values())
    chex.assert_trees_all_equal(*runs)
    chex.clear_trace_counter()


def test_departments_can_learn_before_the_critic_has_seen_their_experience(pair, mtma):
    def after(critic_rate):
        trainer = trainer_of(critic_first=False, critic_rate=critic_rate)
        return iteration(trainer, mtma[1], pair)[0]

    iteration = jax.jit(iterate)
    slowly, quickly = after(1e-3), after(1e-2)
    assert not same(slowly.critics, quickly.critics)
    assert same(slowly.replenishment, quickly.replenishment)
    assert same(slowly.recommendation, quickly.recommendation)


@pytest.mark.parametrize("regime", ["silo", "single", "joint"])
def test_every_other_regime_learns_finite_numbers(pair, regime):
    trainer = trainer_of(regime=regime)
    train_state, metrics = jax.jit(iterate)(trainer, started(trainer, pair), pair)
    assert all(np.isfinite(value) for value in metrics.values())
    assert len(train_state.critics) == (2 if REGIMES[regime].own_kpi else 1)
    assert int(train_state.fast_updates) == int(train_state.slow_updates) == 4


def test_reversed_clocks_are_three_with_the_departments_swapped():
    swapped = TrainConfig(regime="mtma-reversed").static_config()
    turned = TrainConfig(regime="mtma", fast="recommendation").static_config()
    assert replace(swapped, regime=turned.regime) == turned


def test_one_network_decides_both_and_sees_both_halves():
    params = random_params(3, 5, 3, 2, 3)
    state = random_state(3, params)
    trainer = trainer_of(regime="single")
    train_state = wiggled(started(trainer, params))
    assert not jax.tree.leaves(train_state.replenishment)
    departments = trainer.departments(train_state)
    assert departments.replenishment.weights is departments.recommendation.weights

    @jax.jit
    def drawn(state):
        key, memory = jax.random.key(0), departments.start(params)
        shown = jnp.zeros(params.products)
        order = departments.replenishment.explore(key, memory[0], state, params, shown)[1]
        slate = departments.recommendation.explore(key, jnp.ones(()), memory[1], state, params)[1]
        return order.log_probability, slate.log_probability

    orders, log_probability = drawn(state)
    tired = state.replace(fatigue=state.fatigue[:, ::-1] + 0.5)
    assert not np.allclose(orders, drawn(tired)[0])
    late = state.replace(pipeline=state.pipeline[::-1] * 3.0)
    assert not np.allclose(log_probability, drawn(late)[1])


def test_a_silo_does_not_see_the_other_half():
    params = random_params(3, 5, 3, 2, 3)
    state = random_state(3, params)
    trainer = trainer_of(regime="silo")
    departments = trainer.departments(wiggled(started(trainer, params)))
    act = jax.jit(
        lambda s: departments.act(jax.random.key(0), departments.start(params), s, params)[0]
    )
    tired = state.replace(fatigue=state.fatigue + 1.0)
    np.testing.assert_array_equal(act(state).order, act(tired).order)
    rich = state.replace(on_hand=state.on_hand + 5.0, pipeline=state.pipeline + 2.0)
    np.testing.assert_array_equal(act(state).slate, act(rich).slate)


def test_departments_decide_without_the_critic(mtma, pair):
    trainer, train_state = mtma
    blank = train_state.replace(critics=jax.tree.map(jnp.zeros_like, train_state.critics))
    state = store.reset(jax.random.key(1), pair)
    act = jax.jit(lambda each: each.act(jax.random.key(0), each.start(pair), state, pair)[0])
    first, second = (
        act(trainer.departments(each)) for each in (wiggled(train_state), wiggled(blank))
    )
    chex.assert_trees_all_equal(first, second)


def test_networks_follow_a_permutation_of_products_and_fit_any_catalogue():
    params = random_params(5, 4, 2, 2, 3)
    state, order = random_state(5, params), np.array([2, 0, 3, 1])
    actor, critic = ReplenishmentActor(8, "none"), Critic(8)
    scorer = RecommendationActor(8, "none")
    key, nothing = jax.random.key(0), None
    left, right, everything = (
        jax.jit(see)(state, params)
        for see in (views.replenishment_view, views.recommendation_view, views.critic_view)
    )
    rng = np.random.default_rng(0)
    decision = jnp.asarray(rng.normal(size=(4, DECISION_COLUMNS)), jnp.float32)
    weights = [
        wiggled(each)
        for each in (
            jax.jit(actor.init)(key, left, nothing),
            jax.jit(scorer.init)(key, right, nothing),
            jax.jit(critic.init)(key, everything, decision),
        )
    ]
    mixed = [permuted(view, order) for view in (left, right, everything)]
    levels = jax.jit(lambda view: actor.apply(weights[0], view, nothing)[0])
    scores = jax.jit(lambda view: scorer.apply(weights[1], view, nothing)[0])
    values = jax.jit(lambda view: critic.apply(weights[2], view, decision)[0])
    close = partial(np.testing.assert_allclose, atol=1e-5)
    close(levels(left)[order], levels(mixed[0]))
    close(scores(right)[:, order], scores(mixed[1]))
    close(values(everything)[order], values(mixed[2]))
    larger = random_params(6, 20, 7, 3, 3)
    crowd = jax.eval_shape(views.replenishment_view, random_state(6, larger), larger)
    sized = jax.eval_shape(actor.apply, weights[0], crowd, nothing)
    assert sized[0].shape == (20,)


def wiggled(tree):
    """Weights away from their start, so that nothing is zero by design."""
    rng = np.random.default_rng(0)

    def wiggle(leaf):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        return leaf + 0.2 * jnp.asarray(rng.standard_normal(leaf.shape), leaf.dtype)

    if hasattr(tree, "averaged"):
        learned = {name: wiggled(each) for name, each in tree.averaged.items()}
        return tree.replace(**learned, averaged=learned)
    return jax.tree.map(wiggle, tree)


def permuted(view, order):
    return view.replace(
        product=view.product[order], pair=view.pair[:, order], news=view.news[order]
    )
