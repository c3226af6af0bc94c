"""The store as a Gymnasium environment, and as a vector environment whose batch stays inside JAX.

Needs the extra `gymnasium`. B stores, actions of A numbers, observations of D. Source of the
interface: Gymnasium 1.x (Towers et al. 2024).
"""

from functools import partial
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Array, Bool, Float, Int

from jaxsim.adapters.checks import (
    AdapterError,
    check_action,
    check_process,
    check_running,
    check_seed,
    home,
    whole_number,
)
from jaxsim.adapters.task import JOINT, Episode, Task, not_finite, observation_size, params_of
from jaxsim.errors import unknown
from jaxsim.params import Params
from jaxsim.records import Flows
from jaxsim.views import FEATURE_LIMIT

Info = dict[str, Any]

AUTORESET_MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)
"""Those of `StoreVectorEnv`, the default first."""


def action_space(task: Task, params: Params) -> gymnasium.spaces.Box:
    """The box [A] of a task's actions, with the bounds of `Task.bounds`."""
    low, high = (np.asarray(bound) for bound in task.bounds(params))
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


def observation_space(task: Task, params: Params) -> gymnasium.spaces.Box:
    """The box [D] of a task's observations, within ± `FEATURE_LIMIT`."""
    shape = (observation_size(task, params),)
    return gymnasium.spaces.Box(-FEATURE_LIMIT, FEATURE_LIMIT, shape, np.float32)


def _supported(mode: AutoresetMode | str) -> AutoresetMode:
    """The mode, also by its value. Raises `AdapterError` for one that is not in AUTORESET_MODES."""
    allowed = {known.value: known for known in AUTORESET_MODES}
    name = mode if isinstance(mode, str) else mode.value
    if name not in allowed:
        raise AdapterError(unknown("autoreset_mode", str(name), allowed))
    return allowed[name]


@partial(jax.jit, static_argnums=0)
def _begin_all(task: Task, keys: Array, params: Params) -> tuple[Float[Array, "B D"], Episode]:
    return jax.vmap(task.begin, (0, None))(keys, params)


@partial(jax.jit, static_argnums=0)
def _advance_all(
    task: Task, keys: Array, episodes: Episode, actions: Float[Array, "B A"], params: Params
) -> tuple[Float[Array, "B D"], Episode, Flows, Int[Array, " B"]]:
    after = jax.vmap(task.advance, (0, 0, 0, None))(keys, episodes, actions, params)
    return *after, jax.vmap(not_finite)(actions)


class StoreEnv(gymnasium.Env[Float[np.ndarray, " D"], Float[np.ndarray, " A"]]):
    """One store. Never terminated; truncated after `periods`.

    store: a scenario's name, a scenario file's path, or `Params`. reward: profit of the period in
    money. info: `ledger`, the period's `Flows` as arrays [N] by name. Raises `AdapterError` for an
    action of the wrong shape, NaN or infinity; numbers out of bounds are clipped.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - gymnasium's own form

    def __init__(self, store: str | Params = "grocery", task: Task = JOINT, periods: int = 200):
        home()
        self._task, self._periods = task, whole_number("periods", periods, 1)
        self._params = params_of(store)
        self.action_space: gymnasium.spaces.Box = action_space(task, self._params)
        self.observation_space = observation_space(task, self._params)
        self._played: int | None = None

    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Float[np.ndarray, " D"], Info]:
        """A new store: with the same seed the same episode, without a seed another one each time.
        `options` is ignored. Raises `AdapterError` for a wrong seed, and in a forked process."""
        check_process()
        super().reset(seed=check_seed(seed))
        reset_key, self._key = jax.random.split(jax.random.key(self.np_random.integers(2**31)))
        obs, self._episode = self._task.begin(reset_key, self._params)
        self._played = 0
        return np.array(obs), {}

    def step(
        self, action: Float[np.ndarray, " A"]
    ) -> tuple[Float[np.ndarray, " D"], float, bool, bool, Info]:
        """One period. Raises `AdapterError` for a wrong action, and outside an episode."""
        played = check_running(self._played, self._periods)
        action = check_action("action", action, self.action_space.shape)
        key = jax.random.fold_in(self._key, played)
        obs, self._episode, flows = self._task.advance(key, self._episode, action, self._params)
        self._played = played + 1
        ledger = {name: np.asarray(value) for name, value in vars(flows).items()}
        profit = float(ledger["profit"].sum())
        return np.array(obs), profit, False, self._played >= self._periods, {"ledger": ledger}


class StoreVectorEnv(VectorEnv[Float[Array, "B D"], Float[Array, "B A"], Array]):
    """`num_envs` stores stepped by one compiled program; observations, rewards and flags are JAX
    arrays. `gymnasium.wrappers.vector.JaxToNumpy` makes NumPy of them.

    All stores are truncated together after `periods`. Under `AutoresetMode.NEXT_STEP`, the default,
    the step after that begins new ones: it ignores its actions and gives rewards of 0 and an empty
    info. Under `SAME_STEP` they begin in the step that truncates; info then holds `final_obs`
    [B, D] and `_final_obs` [B].

    info: `ledger`, the period's flows [B, N] by name; `not_finite` [B], how many numbers of each
    action were NaN or infinite, and so counted as the lowest allowed.
    Raises `AdapterError` unless `num_envs` is 1 or more, and for another autoreset mode.
    """

    metadata = {"render_modes": [], "jax": True, "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int,
        store: str | Params = "grocery",
        task: Task = JOINT,
        periods: int = 200,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ):
        home()
        self.num_envs = whole_number("num_envs", num_envs, 1)
        self._periods = whole_number("periods", periods, 1)
        self._autoreset = _supported(autoreset_mode)
        self.metadata = self.metadata | {"autoreset_mode": self._autoreset}
        self._params = params_of(store)
        self.single_action_space = action_space(task, self._params)
        self.single_observation_space = observation_space(task, self._params)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._task = task
        self._played: int | None = None

    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Float[Array, "B D"], Info]:
        """All stores anew: with the same seed the same episodes, without a seed others each time.
        `options` is ignored. Raises `AdapterError` for a wrong seed, and in a forked process."""
        check_process()
        super().reset(seed=check_seed(seed))
        self._key = jax.random.key(self.np_random.integers(2**31))
        return self._start(), {}

    def step(
        self, actions: Float[Array, "B A"]
    ) -> tuple[Float[Array, "B D"], Float[Array, " B"], Bool[Array, " B"], Bool[Array, " B"], Info]:
        """One period of every store, or new stores where the last step truncated them.

        Actions are clipped. Raises `AdapterError` for actions of the wrong shape, and before the
        first reset.
        """
        never = jnp.zeros(self.num_envs, bool)
        if self._played == self._periods:
            return self._start(), jnp.zeros(self.num_envs), never, never, {}
        played = check_running(self._played, self._periods)
        if np.shape(actions) != self.action_space.shape:
            raise AdapterError(
                f"actions: has shape {np.shape(actions)}; allowed: {self.action_space.shape}"
            )
        obs, self._episodes, flows, refused = _advance_all(
            self._task, self._keys(), self._episodes, actions, self._params
        )
        self._played = played + 1
        info: Info = {"ledger": vars(flows), "not_finite": refused}
        ended = jnp.full(self.num_envs, self._played == self._periods)
        if self._played == self._periods and self._autoreset is AutoresetMode.SAME_STEP:
            info |= {"final_obs": obs, "_final_obs": ended}
            obs = self._start()
        return obs, flows.profit.sum(-1), never, ended, info

    def _start(self) -> Float[Array, "B D"]:
        obs, self._episodes = _begin_all(self._task, self._keys(), self._params)
        self._played = 0
        return obs

    def _keys(self) -> Array:
        self._key, now = jax.random.split(self._key)
        return jax.random.split(now, self.num_envs)
