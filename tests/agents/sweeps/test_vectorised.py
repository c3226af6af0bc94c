"""Side by side, each run keeps its own best weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.learning.config import TrainConfig
from agents.policies.heuristics import HeuristicParams
from agents.sweeps import vectorised
from jaxsim.scenarios import get

HEURISTIC = HeuristicParams(recommender="margin", safety=1.0, fractile=0.5)


def checked(keys: jax.Array, runs: vectorised.Runs) -> tuple[vectorised.Runs, jax.Array]:
    """The runs after a look at what they earn now, and that."""
    totals = vectorised.evaluate(keys, vectorised.current(runs), runs.params, 8, 20, 5)
    earned = totals.profit.mean(-1) / 20
    return vectorised.keep_better(runs, earned), earned


@pytest.mark.usefixtures("nans_on_purpose")
def test_each_run_keeps_its_own_best():
    trainer = TrainConfig(scenario="pair", stores=8, horizon=4, width=8).trainer(HEURISTIC)
    start_keys, keys = jax.random.split(jax.random.key(0), (2, 2))
    both = (vectorised.repeated(each, 2) for each in (trainer, get("pair").params()))
    runs = vectorised.start(start_keys, *both)
    first, earned = checked(keys, runs)
    assert np.isfinite(earned).all() and earned[0] != earned[1]
    np.testing.assert_array_equal(earned, first.kept_profit)
    spoilt = first.replace(kept_profit=first.kept_profit + jnp.array([1e6, -1e6]))
    blank = spoilt.replace(kept=jax.tree.map(jnp.zeros_like, spoilt.kept))
    again, _ = checked(keys, blank)
    kept = again.kept.replenishment.weights["params"]["log_std"]
    assert (np.asarray(kept) == 0).tolist() == [True, False]
    np.testing.assert_allclose(again.kept_profit[1], first.kept_profit[1], rtol=1e-6)
    # A check that is no number keeps nothing, and what is better later is kept all the same.
    missed = vectorised.keep_better(first, jnp.array([jnp.nan, earned[1] - 1]))
    np.testing.assert_array_equal(missed.kept_profit, first.kept_profit)
    later = vectorised.keep_better(missed, earned + 1)
    np.testing.assert_array_equal(later.kept_profit, earned + 1)
