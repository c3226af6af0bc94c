"""Tuning the pairs: batches change nothing, and pairs are as far apart as their ranking says."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from agents.evaluation.simulation import simulate
from agents.evaluation.tuning import Effort, TunedPair, tune
from jaxsim import scenarios
from jaxsim.params import Params

EFFORT = Effort(first_rounds=2, rounds=2, candidates=48, of_a_pair=6, stores=16, batch=12)


@pytest.fixture(scope="module")
def params() -> Params:
    return scenarios.get("pair").params()


@pytest.fixture(scope="module")
def tuned(params: Params) -> list[TunedPair]:
    return tune(params, EFFORT, jax.random.key(5))


def test_batches_that_do_not_divide_the_candidates_find_the_same(
    params: Params, tuned: list[TunedPair]
) -> None:
    in_others = tune(params, replace(EFFORT, batch=35), jax.random.key(5))
    assert [pair.name for pair in in_others] == [pair.name for pair in tuned]
    np.testing.assert_allclose(
        [pair.profit for pair in in_others], [pair.profit for pair in tuned], rtol=1e-5
    )


def test_pairs_differ_on_other_customers_as_when_they_were_ranked(
    params: Params, tuned: list[TunedPair]
) -> None:
    ranked = np.array([pair.profit for pair in tuned])
    earned = [
        simulate(jax.random.key(6), pair.policy, params, 512, EFFORT.periods, EFFORT.burn_in).profit
        for pair in tuned
    ]
    earned = np.mean(earned, 1) / EFFORT.periods
    assert (np.diff(ranked) <= 0).all()
    np.testing.assert_allclose(ranked - ranked.mean(), earned - earned.mean(), atol=0.1)
