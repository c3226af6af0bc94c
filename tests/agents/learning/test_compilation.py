"""A short training on a CPU is compiled for less long, and learns the same."""

import jax
import numpy as np
import pytest

from agents.learning import compilation
from agents.learning.config import TrainConfig
from agents.learning.iteration import iterate
from agents.learning.trainer import Trainer
from agents.policies.heuristics import HeuristicParams
from jaxsim.scenarios import get

HEURISTIC = HeuristicParams(recommender="margin", safety=1.0, fractile=0.5)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="only a CPU compiles for so long")
def test_only_short_trainings_are_compiled_for_less_long():
    light = compilation.options(compilation.SHORT)
    assert light is not None and light.items() <= compilation.LIGHT.items()
    assert "xla_backend_optimization_level" in light
    assert compilation.options(compilation.SHORT + 1) is None
    assert compilation.options(TrainConfig(iterations=40).store_periods) is not None


def test_an_option_that_the_installed_xla_does_not_know_is_left_out():
    assert compilation.is_known("xla_backend_optimization_level", 1)
    assert not compilation.is_known("xla_no_such_option", True)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the options are a CPU's")
def test_an_iteration_is_the_same_but_for_rounding():
    trainer = TrainConfig(stores=8, horizon=4, width=8, warm_up=0.0).trainer(HEURISTIC)
    pair = get("pair").params()
    train_state = jax.jit(Trainer.init)(trainer, jax.random.key(0), pair)
    full = {"xla_backend_optimization_level": 3}
    lowered = jax.jit(iterate).lower(trainer, train_state, pair)
    (long, told), (short, also_told) = (
        lowered.compile(options)(trainer, train_state, pair)
        for options in (full, compilation.options(0))
    )
    assert told.keys() == also_told.keys()
    for name in told:
        np.testing.assert_allclose(told[name], also_told[name], rtol=1e-4, atol=1e-5)
    for part in ("replenishment", "recommendation", "critics"):
        for one, other in zip(
            *(jax.tree.leaves(getattr(each, part)) for each in (long, short)), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
