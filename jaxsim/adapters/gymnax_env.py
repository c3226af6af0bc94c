"""The store as a gymnax 1.0 environment: `step` returns (obs, state, reward, terminated, truncated,
info), resets at an episode's end, and keeps the last observation as `info["final_observation"]`.

Needs the extra `gymnax`. Source of the interface: gymnax 1.0 (Lange 2022).
"""

from typing import Any, Self

import jax
import jax.numpy as jnp
from flax import struct
from gymnax.environments import environment, spaces
from gymnax.wrappers import LegacyStepAPIWrapper
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from jaxsim.adapters.checks import whole_number
from jaxsim.adapters.task import JOINT, Episode, Task, not_finite, observation_size, params_of
from jaxsim.params import Params
from jaxsim.views import FEATURE_LIMIT


class EnvParams(struct.PyTreeNode):
    """Traced: stores, and the lengths of their episodes, can differ under `jax.vmap`."""

    store: Params
    max_steps_in_episode: int = 200  # periods


class StoreEnvironment(environment.Environment[Any, Any]):
    """One store. No state is terminal: an episode ends by truncation after `periods`.

    store: a scenario's name, a scenario file's path, or `Params`. reward: profit of the period in
    money. info: `discount` (always 1), `flows` (the period's ledger, `jaxsim.Flows`), `not_finite`
    (how many numbers of the action were NaN or infinite, and so counted as the lowest allowed), and
    gymnax's `terminated`, `truncated`, `final_observation`.
    """

    def __init__(self, store: str | Params = "grocery", task: Task = JOINT, periods: int = 200):
        super().__init__()
        self.task = task
        length = whole_number("periods", periods, 1)
        self._default = EnvParams(params_of(store), length)

    @property
    def default_params(self) -> EnvParams:
        """Those that the environment was made with."""
        return self._default

    def step_env(
        self, key: PRNGKeyArray, state: Episode, action: Float[Array, " A"], params: EnvParams
    ) -> tuple[Float[Array, " D"], Episode, Float[Array, ""], Bool[Array, ""], dict[str, Any]]:
        """One period without the reset at an episode's end."""
        obs, state, flows = self.task.advance(key, state, action, params.store)
        obs, state = self._apply_transition_gradient_policy(obs, state)
        info = {
            "discount": self.discount(state, params),
            "flows": flows,
            "not_finite": not_finite(action),
        }
        return obs, state, flows.profit.sum(), self.is_terminated(state, params), info

    def reset_env(self, key: PRNGKeyArray, params: EnvParams) -> tuple[Float[Array, " D"], Episode]:
        """A new store and its observation."""
        return self.task.begin(key, params.store)

    def observe(
        self, key: PRNGKeyArray, state: Episode, action: Array | None, params: EnvParams
    ) -> Float[Array, " D"]:
        """The deciding departments' views, flat."""
        return self.task.observe(state.store, params.store)

    def is_terminated(self, state: Episode, params: EnvParams) -> Bool[Array, ""]:
        """Never."""
        return jnp.array(False)

    @property
    def name(self) -> str:
        """The same for every store."""
        return "Store-v0"

    @property
    def num_actions(self) -> int:
        """A: how many numbers an action of the default store has."""
        return self.action_space().shape[0]

    def action_space(self, params: EnvParams | None = None) -> spaces.Box:
        """The box of actions. Equal bounds are plain numbers, which some learners need."""
        store = (params or self._default).store
        shapes = jax.eval_shape(self.task.bounds, store)
        if self.task.normalised or self.task.decides == "recommendation":
            return spaces.Box(-1.0, 1.0, shapes[0].shape)
        return spaces.Box(*self.task.bounds(store), shapes[0].shape)

    def observation_space(self, params: EnvParams | None = None) -> spaces.Box:
        """The box [D] of observations."""
        size = observation_size(self.task, (params or self._default).store)
        return spaces.Box(-FEATURE_LIMIT, FEATURE_LIMIT, (size,))


class FiveValueStep(LegacyStepAPIWrapper):
    """For learners older than gymnax 1.0: `step` returns (obs, state, reward, done, info)."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself, which is immutable: the wrapper of gymnax 1.0.1 cannot be copied."""
        return self
