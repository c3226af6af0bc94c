"""Real learners train through each adapter; they are heavy and come with the extra `clients`."""

import jax
import numpy as np
import pytest

from jaxsim.adapters.gymnasium_env import StoreEnv
from jaxsim.adapters.gymnax_env import FiveValueStep, StoreEnvironment
from jaxsim.adapters.pettingzoo_env import StoreParallelEnv
from jaxsim.adapters.task import Task

HOW = "is not installed: pip install -e '.[clients]'"


def test_rejax_learns_both_departments() -> None:
    rejax = pytest.importorskip("rejax", reason=f"rejax {HOW}")
    env = FiveValueStep(StoreEnvironment("pair", Task(normalised=True), periods=50))
    ppo = rejax.PPO.create(
        env=env, total_timesteps=65_536, eval_freq=65_536, num_envs=64, num_steps=32,
        num_minibatches=8, num_epochs=4, learning_rate=1e-3, gamma=0.9, max_grad_norm=0.5,
        ent_coef=0.0, normalize_rewards=True,
    )  # fmt: skip
    _, (lengths, returns) = jax.jit(ppo.train)(jax.random.key(0))
    before, after = np.asarray(returns).mean(-1) / 50
    assert (np.asarray(lengths) == 50).all()
    assert before < 0 < 5 < after


def test_stable_baselines_learns_to_order() -> None:
    sb3 = pytest.importorskip("stable_baselines3", reason=f"stable-baselines3 {HOW}")
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor

    env = Monitor(StoreEnv("pair", Task("replenishment", normalised=True), periods=50))
    model = sb3.PPO(
        "MlpPolicy", env, n_steps=256, gamma=0.9, seed=0, device="cpu",
        policy_kwargs={"log_std_init": -0.7},
    )  # fmt: skip
    before, _ = evaluate_policy(model, env, 5)
    model.learn(4096)
    after, _ = evaluate_policy(model, env, 5)
    assert before / 50 < 0 < 5 < after / 50


def test_a_pettingzoo_loop_learns() -> None:
    """Each agent searches for its own best constant action by the cross-entropy method."""
    env = StoreParallelEnv("pair", periods=20, normalised=True)
    rng = np.random.default_rng(0)
    mean = {agent: np.zeros(env.action_space(agent).shape) for agent in env.possible_agents}
    spread = {agent: np.full(mean[agent].shape, 0.5) for agent in mean}

    def profit(actions: dict[str, np.ndarray]) -> float:
        env.reset(seed=1)
        total = 0.0
        while env.agents:
            _, rewards, *_ = env.step(actions)
            total += rewards["replenishment"]
        return total

    before = profit(mean)
    for _ in range(6):
        tried = [
            {agent: rng.normal(mean[agent], spread[agent]) for agent in mean} for _ in range(12)
        ]
        best = sorted(tried, key=profit)[-4:]
        for agent in mean:
            elite = np.stack([actions[agent] for actions in best])
            mean[agent], spread[agent] = elite.mean(0), elite.std(0)
    assert profit(mean) > before + 500
