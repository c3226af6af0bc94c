"""The store as a Gymnasium environment, and as a vector environment whose batch stays inside JAX.

Needs the extra `gymnasium`. B stores, actions of A numbers, observations of D. Source of the
interface: Gymnasium 1.x (Towers et al. 2024).
"""

from functools import partial
from typing import Any

import gymnasium
import jax
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Array, Bool, Float

from jaxsim.adapters.task import (
    JOINT,
    AdapterError,
    Episode,
    Task,
    check_action,
    check_periods,
    observation_size,
    params_of,
)
from jaxsim.params import Params
from jaxsim.records import Flows
from jaxsim.views import FEATURE_LIMIT

Info = dict[str, Any]


def action_space(task: Task, params: Params) -> gymnasium.spaces.Box:
    """The box [A] of a task's actions, with the bounds of `Task.bounds`."""
    low, high = (np.asarray(bound) for bound in task.bounds(params))
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


def observation_space(task: Task, params: Params) -> gymnasium.spaces.Box:
    """The box [D] of a task's observations, within ± `FEATURE_LIMIT`."""
    shape = (observation_size(task, params),)
    return gymnasium.spaces.Box(-FEATURE_LIMIT, FEATURE_LIMIT, shape, np.float32)


@partial(jax.jit, static_argnums=0)
def _begin_all(task: Task, keys: Array, params: Params) -> tuple[Float[Array, "B D"], Episode]:
    return jax.vmap(task.begin, (0, None))(keys, params)


@partial(jax.jit, static_argnums=0)
def _advance_all(
    task: Task, keys: Array, episodes: Episode, actions: Float[Array, "B A"], params: Params
) -> tuple[Float[Array, "B D"], Episode, Flows]:
    return jax.vmap(task.advance, (0, 0, 0, None))(keys, episodes, actions, params)


class StoreEnv(gymnasium.Env[Float[np.ndarray, " D"], Float[np.ndarray, " A"]]):
    """One store. Never terminated; truncated after `periods`.

    store: a scenario's name, a scenario file's path, or `Params`. reward: profit of the period in
    money. info: `ledger`, the period's `Flows` as arrays [N] by name. Raises `AdapterError` for an
    action of the wrong shape, NaN or infinity; numbers out of bounds are clipped.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - gymnasium's own form

    def __init__(self, store: str | Params = "grocery", task: Task = JOINT, periods: int = 200):
        self._params = params_of(store)
        self._task, self._periods = task, check_periods(periods)
        self.action_space = action_space(task, self._params)
        self.observation_space = observation_space(task, self._params)
        self._played = periods

    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Float[np.ndarray, " D"], Info]:
        """A new store. `options` is ignored."""
        super().reset(seed=seed)
        reset_key, self._key = jax.random.split(jax.random.key(self.np_random.integers(2**31)))
        obs, self._episode = self._task.begin(reset_key, self._params)
        self._played = 0
        return np.asarray(obs), {}

    def step(
        self, action: Float[np.ndarray, " A"]
    ) -> tuple[Float[np.ndarray, " D"], float, bool, bool, Info]:
        """One period. Raises `AdapterError` for a wrong action, and after the episode's end."""
        if self._played >= self._periods:
            raise AdapterError("step: the episode is over; allowed: reset first")
        action = check_action("action", action, self.action_space.shape)
        key = jax.random.fold_in(self._key, self._played)
        obs, self._episode, flows = self._task.advance(key, self._episode, action, self._params)
        self._played += 1
        ledger = {name: np.asarray(value) for name, value in vars(flows).items()}
        profit = float(ledger["profit"].sum())
        return np.asarray(obs), profit, False, self._played >= self._periods, {"ledger": ledger}


class StoreVectorEnv(VectorEnv[Float[Array, "B D"], Float[Array, "B A"], Array]):
    """`num_envs` stores stepped by one compiled program; observations, rewards and flags are JAX
    arrays. `gymnasium.wrappers.vector.JaxToNumpy` makes NumPy of them.

    All stores are truncated together after `periods` and reset in the same step; info then holds
    `final_obs` [B, D] and `_final_obs` [B]. `ledger`: the period's flows [B, N] by name.
    Raises `AdapterError` unless `num_envs` is 1 or more.
    """

    metadata = {"render_modes": [], "jax": True, "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int,
        store: str | Params = "grocery",
        task: Task = JOINT,
        periods: int = 200,
    ):
        if num_envs < 1:
            raise AdapterError(f"num_envs: {num_envs}; allowed: 1 or more")
        self.num_envs = num_envs
        self._params, self._periods = params_of(store), check_periods(periods)
        self.single_action_space = action_space(task, self._params)
        self.single_observation_space = observation_space(task, self._params)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._task = task

    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Float[Array, "B D"], Info]:
        """All stores anew. `options` is ignored."""
        super().reset(seed=seed)
        self._key = jax.random.key(self.np_random.integers(2**31))
        return self._start(), {}

    def step(
        self, actions: Float[Array, "B A"]
    ) -> tuple[Float[Array, "B D"], Float[Array, " B"], Bool[Array, " B"], Bool[Array, " B"], Info]:
        """One period of every store; actions are clipped, not checked."""
        obs, self._episodes, flows = _advance_all(
            self._task, self._keys(), self._episodes, actions, self._params
        )
        self._played += 1
        over = self._played >= self._periods
        info: Info = {"ledger": vars(flows)}
        ended = jax.numpy.full(self.num_envs, over)
        if over:
            info |= {"final_obs": obs, "_final_obs": ended}
            obs = self._start()
        never = jax.numpy.zeros(self.num_envs, bool)
        return obs, flows.profit.sum(-1), never, ended, info

    def _start(self) -> Float[Array, "B D"]:
        obs, self._episodes = _begin_all(self._task, self._keys(), self._params)
        self._played = 0
        return obs

    def _keys(self) -> Array:
        self._key, now = jax.random.split(self._key)
        return jax.random.split(now, self.num_envs)
