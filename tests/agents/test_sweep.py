"""A run inside a sweep is the run alone; the best weights are kept run by run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import sweep
from agents.config import TrainConfig
from agents.heuristics import knobs_of
from agents.mtma import Trainer
from jaxsim.scenarios import get

KNOBS = knobs_of("margin", "base-stock", jnp.array([1.0, 0.5, 0, 1, 1, 1.0]))
TINY = dict(scenario="pair", stores=8, horizon=4, width=8)


@pytest.fixture(scope="module")
def learned():
    """Two runs that differ in seed, rates and holding cost, after two iterations."""
    trainers = [TrainConfig(**TINY, slow_rate=rate).trainer(KNOBS) for rate in (1e-3, 4e-3)]
    pair = get("pair").params()
    stores = [pair, pair.replace(holding=2 * pair.holding)]
    keys = jax.random.split(jax.random.key(0), 2)
    runs = sweep.start(keys, sweep.stacked(trainers), sweep.stacked(stores))
    groups, metrics = sweep.learn({"pair": runs}, 2)
    return trainers, stores, keys, groups["pair"], metrics["pair"]


@pytest.mark.parametrize("run", [0, 1])
def test_a_run_in_a_sweep_is_the_run_alone(learned, run):
    trainers, stores, keys, runs, metrics = learned
    learner = jax.jit(Trainer.init)(trainers[run], keys[run], stores[run])
    for number in range(2):
        learner, alone = jax.jit(Trainer.iterate)(trainers[run], learner, stores[run])
        assert float(alone["profit"]) == pytest.approx(
            float(metrics["profit"][run, number]), rel=1e-4
        )
    for mine, theirs in zip(
        jax.tree.leaves(learner.replenishment),
        jax.tree.leaves(runs.learner.replenishment),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs[run], atol=1e-4)


def test_each_run_keeps_its_own_best(learned):
    runs = learned[3]
    key = jax.random.key(1)
    first = sweep.validate(key, runs, stores=8, periods=20, burn_in=5)
    assert np.isfinite(first.kept_profit).all()
    spoilt = first.replace(kept_profit=first.kept_profit + jnp.array([1e6, -1e6]))
    blank = spoilt.replace(kept=jax.tree.map(jnp.zeros_like, spoilt.kept))
    again = sweep.validate(key, blank, stores=8, periods=20, burn_in=5)
    kept = again.kept.replenishment.weights["params"]["log_std"]
    assert (np.asarray(kept) == 0).tolist() == [True, False]
    np.testing.assert_allclose(again.kept_profit[1], first.kept_profit[1], rtol=1e-6)
