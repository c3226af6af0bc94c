"""rejax's PPO on the benchmark's store, through the gymnax adapter: one iteration a call."""

import time

import jax
from rejax import PPO

from benchmarks.peers.timing import report, settings
from benchmarks.workloads import store_of
from jaxsim.adapters.gymnax_env import FiveValueStep, StoreEnvironment
from jaxsim.adapters.task import Task


def main() -> None:
    size = settings()
    env = StoreEnvironment(store_of(size["products"]), Task(normalised=True), periods=200)
    train_state = PPO.create(
        env=FiveValueStep(env),
        num_envs=size["stores"],
        num_steps=size["horizon"],
        num_minibatches=size["parts"],
        num_epochs=size["passes"],
        agent_kwargs={"hidden_layer_sizes": (size["width"],) * 2, "activation": "tanh"},
        normalize_rewards=True,
    )
    state = jax.jit(train_state.init_state)(jax.random.key(0))
    # One number of its state starts as int32 and is float32 from the first iteration on.
    settled = jax.eval_shape(train_state.train_iteration, state)

    def same(now, later):
        return now if now.dtype == later.dtype else now.astype(later.dtype)

    state = jax.tree.map(same, state, settled)
    began = time.perf_counter()
    iteration = jax.jit(train_state.train_iteration, donate_argnums=0).lower(state).compile()
    compiling, last = time.perf_counter() - began, [state]

    def call() -> None:
        last[0] = jax.block_until_ready(iteration(last[0]))

    units = size["stores"] * size["horizon"]
    report(call, units, size["repeats"], compile_seconds=compiling)


if __name__ == "__main__":
    main()
