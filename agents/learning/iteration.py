"""Multi-timescale multi-agent learning: one iteration of either learner, compiled.

`path` follows the slope of the simulated ledger, `score` the score function with the critic's
advantages, as departments without a simulator would. Idea: Jiang et al. (2025).
"""

import jax
from jaxtyping import Array

from agents.learning import path, score
from agents.learning.train_state import TrainState
from agents.learning.trainer import Trainer
from jaxsim.params import Params


def iterate(
    trainer: Trainer, train_state: TrainState, params: Params
) -> tuple[TrainState, dict[str, Array]]:
    """Experience and updates on all clocks; the state after, and its metrics."""
    learner = path if trainer.static.learner == "path" else score
    return learner.iterate(trainer, train_state, params)


def iterate_many(
    trainer: Trainer, train_state: TrainState, params: Params, iterations: int
) -> tuple[TrainState, dict[str, Array]]:
    """Iterations one after the other; metrics get a leading axis of iterations."""
    return jax.lax.scan(
        lambda state, _: iterate(trainer, state, params), train_state, length=iterations
    )
