"""The checks of a training on validation customers."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.evaluation.tuning import TunedPair
from agents.learning.config import TrainConfig
from agents.learning.training import NEVER, _checked, chunks, prepared
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from jaxsim.scenarios import get

TUNED = TunedPair("margin+base-stock", HeuristicPair(HeuristicParams(safety=0.5)), 0.0)
SMALL = TrainConfig.by_score(
    stores=8, horizon=8, width=4, iterations=10, evaluations=1,
    evaluation_stores=64, evaluation_periods=40, burn_in=10,
)  # fmt: skip


@pytest.mark.usefixtures("nans_on_purpose")
def test_a_check_that_is_no_number_keeps_nothing_and_the_next_one_keeps():
    training = prepared(SMALL, get("pair").params(), [TUNED])
    start = training.start()
    worthless = training.params.replace(price=jnp.full(2, jnp.nan))
    after, earned = _checked(replace(training, params=worthless), start)
    assert np.isnan(earned) and after.kept_profit == NEVER
    jax.tree.map(np.testing.assert_array_equal, after.kept, start.kept)
    later, earned = _checked(training, after)
    assert np.isfinite(earned) and later.kept_profit == earned


def test_what_was_learned_is_adopted_only_where_it_beats_the_start():
    """Steps so large that nothing sensible is left: the tuned pair's own decisions are kept."""
    config = replace(SMALL, fast_rate=50.0, slow_rate=50.0)
    training = prepared(config, get("pair").params(), [TUNED])
    start = training.start()
    *_, (end, news) = chunks(training, training.compiled(start.train_state), start)
    assert news.greedy_profit.iloc[-1] < end.kept_profit
    jax.tree.map(np.testing.assert_array_equal, end.kept, start.kept)
