"""A short training on a CPU is compiled for less long, and learns the same."""

import chex
import jax
import pytest

from agents.learning import compilation
from agents.learning.config import TrainConfig
from agents.learning.experience import collect
from agents.learning.trainer import Trainer
from agents.policies.heuristics import HeuristicParams
from jaxsim.scenarios import get

HEURISTIC = HeuristicParams(recommender="margin", safety=1.0, fractile=0.5)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="only a CPU compiles for so long")
def test_only_short_trainings_are_compiled_for_less_long():
    light = compilation.options(compilation.SHORT)
    assert light is not None and "xla_backend_optimization_level" in light
    assert light.items() <= (compilation.PLAIN | compilation.LIGHT).items()
    assert compilation.options(compilation.SHORT + 1) == compilation.PLAIN
    assert compilation.options(TrainConfig(iterations=40).store_periods) == light


def test_an_option_that_the_installed_xla_does_not_know_is_left_out():
    assert compilation.is_known("xla_backend_optimization_level", 1)
    assert not compilation.is_known("xla_no_such_option", True)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the options are a CPU's")
def test_the_experience_of_an_iteration_is_the_same_but_for_rounding():
    settings = dict(stores=8, horizon=4, width=8, minibatches=1)
    trainer = TrainConfig.by_score(**settings).trainer(HEURISTIC)
    pair = get("pair").params()
    train_state = jax.jit(Trainer.init)(trainer, jax.random.key(0), pair)
    full = {"xla_backend_optimization_level": 3}
    lowered = jax.jit(collect).lower(trainer, train_state, pair)
    long, short = (
        lowered.compile(options)(trainer, train_state, pair)[1]
        for options in (full, compilation.options(0))
    )
    chex.assert_trees_all_close(long, short, rtol=1e-4, atol=1e-5)
