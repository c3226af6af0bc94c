"""The adapters: each keeps its library's contract, and all are the same store underneath."""

import multiprocessing
import subprocess
import sys
from functools import partial
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import JaxToNumpy, NormalizeObservation, RecordEpisodeStatistics
from gymnax.wrappers import LogWrapper
from pettingzoo.test import parallel_api_test, parallel_seed_test

from jaxsim import store
from jaxsim.adapters.checks import AdapterError
from jaxsim.adapters.gymnasium_env import StoreEnv, StoreVectorEnv
from jaxsim.adapters.gymnax_env import EnvParams, StoreEnvironment
from jaxsim.adapters.partners import NEUTRAL, Partner, order_up_to_cover
from jaxsim.adapters.pettingzoo_env import StoreParallelEnv
from jaxsim.adapters.task import JOINT, Task, largest_order
from jaxsim.records import Action
from tests.random_stores import random_params

KEY = jax.random.key(5)
STORE = random_params(3, 4, 3, 2, max_lead_time=3, family="geometric")  # quick to compile
SCORES = jnp.array([[0.1, 0.9, -0.4, 0.5], [0.2, 0.2, 0.2, 0.2], [-1.0, -0.9, 0.3, -0.8]])
SLATE = jnp.array([[1, 3], [0, 1], [2, 3]])
STEP = jax.jit(store.step)
RECOMMENDATION = Task("recommendation")
DAYS = Partner(lambda _: 0, lambda day, *_: (jnp.tile(day + jnp.arange(2), (3, 1)), day + 1))
COUNTING = Task("replenishment", partner=DAYS, normalised=True)


def play(task: Task, numbers: jax.Array, params=STORE) -> tuple:
    _, episode = task.begin(KEY, params)
    return episode, *task.advance(KEY, episode, numbers, params)


def test_an_action_is_units_and_the_best_scores_of_each_segment() -> None:
    units = jnp.array([0.0, 1.0, 2.0, 1.4])
    start, obs, after, flows = play(JOINT, jnp.concatenate([units, SCORES.ravel()]))
    state, expected = STEP(KEY, start.store, Action(units, SLATE), STORE)
    assert_same((after.store, flows), (state, expected))
    assert_same(obs, jax.jit(JOINT.observe)(state, STORE))


def test_normalised_orders_reach_from_none_to_the_largest() -> None:
    for number, share in ((-1.0, 0.0), (0.0, 0.5), (1.0, 1.0), (7.0, 1.0)):
        start, _, _, flows = play(COUNTING, jnp.full(4, number))
        units = jnp.round(share * largest_order(STORE))
        due = start.store.period % STORE.review == 0
        np.testing.assert_array_equal(flows.ordered, jnp.where(due, units, 0.0))


def test_a_partner_keeps_its_memory() -> None:
    """This one shows everybody the product of the day first, and the next one second."""
    _, episode = COUNTING.begin(KEY, STORE)
    for day in range(3):
        _, episode, flows = COUNTING.advance(KEY, episode, jnp.zeros(4), STORE)
        expected = jnp.zeros(4).at[jnp.array([day, day + 1])].set(STORE.slot_weight)
        np.testing.assert_allclose(flows.attention, expected, rtol=1e-6)


def stepped(actions: jax.Array) -> None:
    env = StoreVectorEnv(2, STORE)
    env.reset(seed=0)
    env.step(actions)


def assert_same(found, expected) -> None:
    """But for the last digit: programs compiled apart may round apart."""
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5), found, expected)


def test_one_department_with_a_partner_is_the_joint_task_with_both_decisions() -> None:
    start, _, _, flows = play(RECOMMENDATION, SCORES.ravel())
    neutral = order_up_to_cover(start.store, STORE)
    assert (neutral > 0).any()
    _, expected = STEP(KEY, start.store, Action(neutral, SLATE), STORE)
    assert_same(flows, expected)


def test_the_neutral_recommender_shows_what_each_segment_likes_best() -> None:
    best = np.argsort(-np.asarray(STORE.utility), -1)[:, :2]
    slate, _ = NEUTRAL["recommendation"].decide((), None, STORE)
    np.testing.assert_array_equal(slate, best)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (lambda: Task("pricing"), "decides: 'pricing'; allowed: both, replenishment"),
        (lambda: Task(partner=Partner(len, len)), "partner: given"),
        (lambda: StoreEnv(STORE, periods=0), "periods: 0; allowed: a whole number, 1 or more"),
        (lambda: StoreEnvironment(STORE, periods=2.5), "periods: 2.5; allowed"),
        (lambda: StoreVectorEnv(0, STORE), "num_envs: 0; allowed"),
        (lambda: StoreVectorEnv(True, STORE), "num_envs: True; allowed"),
        (lambda: StoreVectorEnv(1, STORE, autoreset_mode="Disabled"), "'Disabled'; .* NextStep, S"),
        (lambda: StoreEnv(STORE).reset(seed=-1), "seed: -1; allowed: a whole number, 0 or more"),
        (lambda: StoreParallelEnv(STORE).reset(seed=[1]), r"seed: \[1\]; allowed"),
        (lambda: StoreEnv(STORE).step(np.zeros(16)), "step: no episode has begun; .* reset first"),
        (lambda: StoreVectorEnv(1, STORE).step(jnp.zeros((1, 16))), "step: no episode has begun"),
        (lambda: StoreParallelEnv(STORE).step({}), "step: no episode has begun"),
        (lambda: stepped(jnp.zeros((1, 16))), r"actions: has shape \(1, 16\); allowed: \(2, 16\)"),
        (lambda: play(JOINT, jnp.zeros(3)), r"action: has shape \(3,\); allowed: \(16,\)"),
    ],
)
def test_mistakes_name_field_value_and_what_is_allowed(task, said) -> None:
    with pytest.raises(AdapterError, match=said):
        task()


@pytest.mark.usefixtures("nans_on_purpose")
def test_a_number_that_is_not_finite_is_the_lowest_allowed() -> None:
    broken = jnp.array([jnp.nan, 1.0, jnp.inf, -jnp.inf])
    found, meant = play(COUNTING, broken), play(COUNTING, jnp.array([-1.0, 1.0, -1.0, -1.0]))
    jax.tree.map(np.testing.assert_array_equal, found, meant)
    scores = SCORES.ravel().at[3].set(jnp.nan)
    found, meant = play(RECOMMENDATION, scores), play(RECOMMENDATION, scores.at[3].set(-1.0))
    jax.tree.map(np.testing.assert_array_equal, found, meant)


def test_observations_have_32_bits_where_jax_has_64() -> None:
    with jax.enable_x64(True):
        for task in (JOINT, RECOMMENDATION):
            obs, _ = jax.eval_shape(partial(Task.begin, task), KEY, STORE)
            assert {obs.dtype, *(bound.dtype for bound in task.bounds(STORE))} == {
                np.dtype(np.float32)
            }


# gymnax


def test_gymnax_contract() -> None:
    env = LogWrapper(StoreEnvironment(STORE, RECOMMENDATION, periods=3))
    total = 0.0
    params = env.default_params
    obs, state = env.reset(KEY, params)
    space = env.observation_space(params)
    assert obs.shape == space.shape and env.num_actions == 12
    for period in range(3):
        action = env.action_space(params).sample(jax.random.fold_in(KEY, period))
        key = jax.random.fold_in(KEY, period)
        obs, state, reward, terminated, truncated, info = env.step(key, state, action, params)
        assert space.contains(obs) and space.contains(info["final_observation"])
        total += reward
        assert reward == info["flows"].profit.sum() and info["discount"] == 1
        assert not terminated and bool(truncated) == (period == 2)
        assert (info["terminated"], info["truncated"]) == (terminated, truncated)
        assert bool((obs == info["final_observation"]).all()) == (period < 2)
    assert state.env_state.time == 0  # a new store
    assert info["returned_episode_lengths"] == 3
    np.testing.assert_allclose(info["returned_episode_returns"], total, rtol=1e-6)


def test_gymnax_stores_differ_under_vmap() -> None:
    env = StoreEnvironment(STORE, RECOMMENDATION)
    stores = jax.vmap(lambda scale: STORE.replace(price=STORE.price * scale))(jnp.array([1.0, 2.0]))
    params = EnvParams(stores, max_steps_in_episode=jnp.array([1, 2]))
    _, states = jax.vmap(env.reset, (None, 0))(KEY, params)
    action = jnp.tile(SCORES.ravel(), (2, 1))
    _, _, _, _, truncated, info = jax.vmap(env.step, (None, 0, 0, 0))(KEY, states, action, params)
    np.testing.assert_array_equal(truncated, [True, False])
    revenue = info["flows"].revenue.sum(-1)
    assert revenue[0] > 0
    np.testing.assert_allclose(revenue[1], 2 * revenue[0], rtol=1e-6)


# Gymnasium


@pytest.mark.filterwarnings("ignore:.*symmetric and normalized")  # orders are units
@pytest.mark.parametrize("task", [RECOMMENDATION, JOINT])
def test_gymnasium_checker_passes(task) -> None:
    env = StoreEnv(STORE, task, periods=5)
    env.spec = gymnasium.envs.registration.EnvSpec("Store-v0", nondeterministic=False)
    check_env(env, skip_render_check=True, skip_close_check=True)


def test_gymnasium_episode_is_truncated_only_and_seeded() -> None:
    env = StoreEnv(STORE, periods=4)
    episodes = []
    for seed in (1, 1, 2):
        env.reset(seed=seed)
        env.action_space.seed(0)
        days = [env.step(env.action_space.sample()) for _ in range(4)]
        assert [day[2] for day in days] == [False] * 4
        assert [day[3] for day in days] == [False, False, False, True]
        assert [day[1] for day in days] == [float(day[4]["ledger"]["profit"].sum()) for day in days]
        episodes.append(np.stack([day[0] for day in days]))
    np.testing.assert_array_equal(episodes[0], episodes[1])
    assert (episodes[0] != episodes[2]).any()
    with pytest.raises(AdapterError, match="reset first"):
        env.step(env.action_space.sample())


@pytest.mark.parametrize(
    ("action", "said"), [(np.zeros(5), "has shape"), (np.full(16, np.nan), "NaN or infinity")]
)
def test_gymnasium_refuses_bad_actions(action, said) -> None:
    env = StoreEnv(STORE)
    env.reset(seed=0)
    with pytest.raises(AdapterError, match=said):
        env.step(action)


def forked(env: StoreEnv, said: Any) -> None:
    try:
        env.reset()
    except AdapterError as error:
        said.send(str(error))
    said.close()


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="has no fork")
def test_a_forked_process_is_told_how_to_be_started() -> None:
    heard, said = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=forked, args=(StoreEnv(STORE), said)
    )
    process.start()
    said.close()
    assert 'context="spawn"' in heard.recv()
    process.join()


def test_gymnasium_gives_arrays_of_their_own_and_knows_numpy_numbers() -> None:
    env = StoreEnv(STORE, periods=np.int64(2))
    obs, _ = env.reset(seed=np.int64(3))
    kept = obs.copy()
    after, *_, truncated, _ = env.step(env.action_space.sample())
    assert obs.dtype == after.dtype == np.float32 and truncated is False
    obs -= 1.0
    after -= 1.0
    np.testing.assert_array_equal(env.reset(seed=3)[0], kept)
    assert (env.reset()[0] != kept).any()  # without a seed, another episode


@pytest.mark.usefixtures("nans_on_purpose")
def test_vector_keeps_a_broken_action_to_itself() -> None:
    """One of its numbers, one period: all else is as if it had been the lowest allowed."""
    env = StoreVectorEnv(np.int32(3), STORE, RECOMMENDATION, periods=4)
    fine = jnp.tile(SCORES.ravel(), (3, 1))
    lowest, broken = (fine.at[1, 5].set(number) for number in (-1.0, jnp.nan))
    played = []
    for first in (lowest, broken):
        env.reset(seed=0)
        played.append([env.step(actions) for actions in (first, fine, fine)])
    np.testing.assert_array_equal(played[1][0][-1].pop("not_finite"), [0, 1, 0])
    played[0][0][-1].pop("not_finite")
    jax.tree.map(np.testing.assert_array_equal, *played)


@pytest.mark.usefixtures("nans_on_purpose")
def test_vector_begins_anew_in_the_next_step() -> None:
    env = StoreVectorEnv(3, STORE, RECOMMENDATION, periods=1)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    env.reset(seed=4)
    actions = jnp.tile(SCORES.ravel(), (3, 1))
    last, rewards, _, truncated, _ = env.step(actions)
    assert truncated.all() and rewards.any()
    obs, rewards, _, truncated, info = env.step(jnp.full_like(actions, jnp.nan))
    assert not truncated.any() and not rewards.any() and info == {}
    assert (obs != last).any()
    assert env.step(actions)[3].all()


def test_vector_stays_in_jax_and_begins_anew_in_the_same_step() -> None:
    mode = AutoresetMode.SAME_STEP
    env = StoreVectorEnv(3, STORE, RECOMMENDATION, periods=2, autoreset_mode=mode)
    assert env.metadata["autoreset_mode"] is mode
    first, _ = env.reset(seed=4)
    actions = jax.device_put(jnp.tile(SCORES.ravel(), (3, 1)), jax.devices()[0])
    obs, rewards, terminated, truncated, info = env.step(actions)
    assert all(isinstance(each, jax.Array) for each in (first, obs, rewards, truncated))
    assert "final_obs" not in info and not truncated.any()
    assert len(np.unique(np.asarray(rewards))) == 3  # three stores, three lots of customers
    np.testing.assert_allclose(rewards, info["ledger"]["profit"].sum(-1), rtol=1e-6)
    obs, _, terminated, truncated, info = env.step(actions)
    assert truncated.all() and info["_final_obs"].all() and not terminated.any()
    assert (obs != info["final_obs"]).any()
    np.testing.assert_array_equal(first, env.reset(seed=4)[0])
    *_, truncated, _ = env.step(actions)
    assert not truncated.any()


def test_vector_wrappers_apply() -> None:
    stores = JaxToNumpy(StoreVectorEnv(3, STORE, RECOMMENDATION, periods=2))
    env = NormalizeObservation(RecordEpisodeStatistics(stores))
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    lengths, earned = [], np.zeros(3)
    for _ in range(6):  # two episodes, and the steps that begin new ones
        _, reward, _, _, info = env.step(env.action_space.sample())
        earned += reward
        if "episode" in info:
            lengths.append(info["episode"]["l"].tolist())
            np.testing.assert_allclose(info["episode"]["r"], earned, rtol=1e-5)
            earned[:] = 0
    assert isinstance(obs, np.ndarray) and isinstance(reward, np.ndarray)
    assert lengths == [[2, 2, 2]] * 2


# PettingZoo


def test_pettingzoo_checkers_pass(capsys: pytest.CaptureFixture[str]) -> None:
    parallel_api_test(StoreParallelEnv(STORE, periods=6), num_cycles=20)
    parallel_seed_test(lambda: StoreParallelEnv(STORE, periods=6), num_cycles=20)
    assert "Passed" in capsys.readouterr().out


def test_pettingzoo_is_the_joint_task_in_two_parts() -> None:
    env, joint = StoreParallelEnv(STORE, periods=3), StoreEnv(STORE, periods=3)
    seen, _ = env.reset(seed=np.int64(8))
    assert all(obs.flags.writeable and obs.dtype == np.float32 for obs in seen.values())
    both, _ = joint.reset(seed=8)
    orders = np.array([1.0, 0.0, 2.0, 0.0])
    actions = {"replenishment": orders, "recommendation": np.asarray(SCORES).ravel()}
    for period in range(3):
        np.testing.assert_array_equal(np.concatenate(list(seen.values())), both)
        assert all(env.observation_space(agent).contains(seen[agent]) for agent in env.agents)
        seen, rewards, terminated, truncated, _ = env.step(actions)
        both, profit, *_ = joint.step(np.concatenate(list(actions.values())))
        assert set(rewards.values()) == {profit} and not any(terminated.values())
        assert set(truncated.values()) == {period == 2}
    assert env.agents == []


def test_pettingzoo_names_the_missing_agent() -> None:
    env = StoreParallelEnv(STORE)
    env.reset(seed=0)
    with pytest.raises(AdapterError, match="recommendation is missing"):
        env.step({"replenishment": np.zeros(4)})
    with pytest.raises(AdapterError, match="recommendation: has shape"):
        env.step({"replenishment": np.zeros(4), "recommendation": np.zeros(4)})


def test_jaxsim_needs_none_of_them() -> None:
    program = """
import sys, pkgutil, importlib
for peer in ("gymnax", "gymnasium", "pettingzoo", "rejax", "stable_baselines3"):
    sys.modules[peer] = None  # importing it now fails
import jaxsim, jaxsim.adapters
for module in pkgutil.iter_modules(jaxsim.__path__):
    importlib.import_module(f"jaxsim.{module.name}")
from jaxsim.adapters.task import JOINT
"""
    subprocess.run([sys.executable, "-c", program], check=True)
