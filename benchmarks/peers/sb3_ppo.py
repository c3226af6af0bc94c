"""Stable-Baselines3's PPO on the benchmark's store, through the vector Gymnasium adapter."""

from typing import Any

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from benchmarks.peers.timing import report, settings
from benchmarks.workloads import store_of
from jaxsim.adapters.gymnasium_env import StoreVectorEnv
from jaxsim.adapters.task import Task


class Passed(VecEnv):
    """A batch of stores as Stable-Baselines3 wants it: NumPy, and an info for every store."""

    def __init__(self, stores: StoreVectorEnv):
        self._stores = stores
        super().__init__(
            stores.num_envs, stores.single_observation_space, stores.single_action_space
        )

    def reset(self) -> np.ndarray:
        return np.array(self._stores.reset(seed=0)[0])

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        seen, profits, _, over, news = self._stores.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if "final_obs" in news:
            for info, last in zip(infos, np.asarray(news["final_obs"]), strict=True):
                info |= {"terminal_observation": last, "TimeLimit.truncated": True}
        return np.array(seen), np.array(profits), np.array(over), infos

    def close(self) -> None:
        pass

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self._stores, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError(attr_name)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        raise NotImplementedError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


def main() -> None:
    size = settings()
    units = size["stores"] * size["horizon"]
    stores = StoreVectorEnv(size["stores"], store_of(size["products"]), Task(normalised=True))
    train_state = PPO(
        "MlpPolicy",
        Passed(stores),
        n_steps=size["horizon"],
        batch_size=units // size["parts"],
        n_epochs=size["passes"],
        policy_kwargs={"net_arch": [size["width"]] * 2, "activation_fn": nn.Tanh},
        device="cpu",
        seed=0,
    )
    report(lambda: train_state.learn(units, reset_num_timesteps=False), units, size["repeats"])


if __name__ == "__main__":
    main()
