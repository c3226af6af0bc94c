"""The store as a PettingZoo parallel environment of two agents with one profit.

Needs the extra `pettingzoo`. Source of the interface: `pettingzoo.ParallelEnv` (Terry et al. 2021).
"""

from typing import Any

import jax
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from jaxtyping import Float
from pettingzoo import ParallelEnv

from jaxsim.adapters.checks import (
    AdapterError,
    check_action,
    check_process,
    check_running,
    check_seed,
    home,
    whole_number,
)
from jaxsim.adapters.gymnasium_env import action_space, observation_space
from jaxsim.adapters.task import DEPARTMENTS, Task, params_of
from jaxsim.params import Params

ByAgent = dict[str, Any]


class StoreParallelEnv(ParallelEnv[str, Float[np.ndarray, " D"], Float[np.ndarray, " A"]]):
    """Agents `replenishment` and `recommendation`, each with its own view and its own part of the
    action. Both are rewarded with the store's profit. Never terminated; truncated after `periods`.

    store: a scenario's name, a scenario file's path, or `Params`. normalised: orders, too, are in
    [−1, 1]. infos: `ledger`, the period's `Flows` as arrays [N] by name. Raises `AdapterError` for
    a missing agent, and for an action of the wrong shape, NaN or infinity; numbers out of bounds
    are clipped.
    """

    metadata = {"name": "store_v0", "render_modes": []}  # noqa: RUF012 - pettingzoo's own form
    render_mode = None

    def __init__(
        self, store: str | Params = "grocery", periods: int = 200, normalised: bool = False
    ):
        home()
        self._periods = whole_number("periods", periods, 1)
        self._params = params_of(store)
        self._joint = Task(normalised=normalised)
        alone = {each: Task(each, normalised=normalised) for each in DEPARTMENTS}
        self.possible_agents = list(DEPARTMENTS)
        self.agents: list[str] = []
        params = self._params
        self.action_spaces: dict[str, spaces.Box] = {
            agent: action_space(task, params) for agent, task in alone.items()
        }
        self.observation_spaces: dict[str, spaces.Box] = {
            agent: observation_space(task, params) for agent, task in alone.items()
        }
        self._random: np.random.Generator | None = None
        self._played: int | None = None

    def observation_space(self, agent: str) -> spaces.Box:
        """The box [D] of an agent's observations."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Box:
        """The box [A] of an agent's actions."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: ByAgent | None = None) -> tuple[ByAgent, ...]:
        """A new store: observations and infos by agent. With the same seed the same episode,
        without a seed another one each time. `options` is ignored. Raises `AdapterError` for a
        wrong seed, and in a forked process."""
        check_process()
        if seed is not None or self._random is None:
            self._random, _ = seeding.np_random(check_seed(seed))
        reset_key, self._key = jax.random.split(jax.random.key(self._random.integers(2**31)))
        obs, self._episode = self._joint.begin(reset_key, self._params)
        self.agents = list(DEPARTMENTS)
        self._played = 0
        return self._by_agent(obs), {agent: {} for agent in DEPARTMENTS}

    def step(self, actions: ByAgent) -> tuple[ByAgent, ...]:
        """One period: observations, rewards, terminations, truncations and infos by agent.

        Raises `AdapterError` for missing or wrong actions, and outside an episode.
        """
        played = check_running(self._played, self._periods)
        joint = np.concatenate([self._checked(agent, actions) for agent in DEPARTMENTS])
        key = jax.random.fold_in(self._key, played)
        obs, self._episode, flows = self._joint.advance(key, self._episode, joint, self._params)
        self._played = played + 1
        ledger = {name: np.asarray(value) for name, value in vars(flows).items()}
        over = self._played >= self._periods
        self.agents = [] if over else list(DEPARTMENTS)
        return (
            self._by_agent(obs),
            dict.fromkeys(DEPARTMENTS, float(ledger["profit"].sum())),
            dict.fromkeys(DEPARTMENTS, False),
            dict.fromkeys(DEPARTMENTS, over),
            {agent: {"ledger": ledger} for agent in DEPARTMENTS},
        )

    def _checked(self, agent: str, actions: ByAgent) -> Float[np.ndarray, " A"]:
        if agent not in actions:
            raise AdapterError(f"actions: {agent} is missing; allowed: {', '.join(DEPARTMENTS)}")
        return check_action(agent, actions[agent], self.action_spaces[agent].shape)

    def _by_agent(self, joint: Any) -> ByAgent:
        """Splits the joint observation, which is the departments' one after the other."""
        first = self.observation_spaces[DEPARTMENTS[0]].low.size
        return dict(zip(DEPARTMENTS, np.split(np.array(joint), [first]), strict=True))
