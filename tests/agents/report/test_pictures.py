"""The trace of a store adds up, and its pictures are whole PNG files that show something."""

import struct
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from agents.errors import RunError
from agents.evaluation.trajectories import record
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from agents.report.pictures import draw_learning, draw_week
from jaxsim import scenarios
from jaxsim.rollouts import Trajectory

PERIODS, BURN_IN = 21, 14
PAIR = scenarios.get("pair")
POLICY = HeuristicPair(HeuristicParams(safety=0.5, fractile=0.5))


@pytest.fixture(scope="module")
def trace() -> Trajectory:
    return jax.device_get(record(jax.random.key(3), POLICY, PAIR.params(), PERIODS, BURN_IN))


@pytest.fixture
def metrics() -> pd.DataFrame:
    iteration = np.arange(1, 41)
    return pd.DataFrame(
        {
            "iteration": iteration,
            "store_periods": iteration * 8192,
            "profit": 10 + np.log(iteration),
            "fill_rate": np.linspace(0.9, 0.95, 40),
            "critic_rate": 3e-3 / iteration,
            "fast_rate": 1e-3 / iteration,
            "slow_rate": 1e-3 / iteration**2,
            "greedy_profit": np.where(iteration % 10 == 0, 13.0, np.nan),
        }
    )


def test_trace_has_every_period_and_some_sales(trace: Trajectory) -> None:
    assert trace.periods == PERIODS
    assert trace.action.slate.shape == (PERIODS, 2, 1)
    assert trace.flows.sold.sum() > 0
    np.testing.assert_array_equal(np.diff(trace.state.period), 1)


def test_units_are_conserved_from_one_period_to_the_next(trace: Trajectory) -> None:
    owned = trace.state.on_hand + trace.state.pipeline.sum(1)
    flow = trace.flows.ordered - trace.flows.sold
    np.testing.assert_array_equal(owned[1:], (owned + flow)[:-1])
    arrived = trace.state.on_hand[1:] - trace.flows.left[:-1]
    np.testing.assert_array_equal(arrived, trace.flows.received[:-1])


def test_what_was_decided_is_what_happened(trace: Trajectory) -> None:
    np.testing.assert_array_equal(trace.action.order, trace.flows.ordered)  # reviewed every period
    shown = (trace.action.slate[..., 0, None] == np.arange(2)).mean(1)  # segments of equal size
    np.testing.assert_allclose(trace.flows.attention, shown, atol=1e-6)


def test_burn_in_is_followed_but_not_written_down(trace: Trajectory) -> None:
    longer = record(jax.random.key(3), POLICY, PAIR.params(), PERIODS + BURN_IN, 0)
    last = jax.tree.map(lambda leaf: leaf[BURN_IN:], longer)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), trace, last)


def test_week_is_a_picture(trace: Trajectory, tmp_path: Path) -> None:
    draw_week(trace, PAIR, tmp_path / "week.png")
    _assert_picture(tmp_path / "week.png", height=780)


def test_learning_is_a_picture(metrics: pd.DataFrame, tmp_path: Path) -> None:
    draw_learning(metrics, 12.5, tmp_path / "learning.png")
    _assert_picture(tmp_path / "learning.png", height=1020)


def test_learning_without_greedy_evaluations_or_of_one_iteration(
    metrics: pd.DataFrame, tmp_path: Path
) -> None:
    draw_learning(metrics.drop(columns="greedy_profit"), 12.5, tmp_path / "learning.png")
    draw_learning(metrics.head(1), 12.5, tmp_path / "learning.png")
    _assert_picture(tmp_path / "learning.png", height=1020)


def test_a_picture_that_fails_leaves_nothing(trace: Trajectory, tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        draw_week(trace.replace(state=None), PAIR, tmp_path / "week.png")
    with pytest.raises(RunError, match=r"week\.png: cannot be written"):
        draw_week(trace, PAIR, tmp_path / "nowhere" / "week.png")
    assert list(tmp_path.iterdir()) == []


def _assert_picture(path: Path, height: int) -> None:
    """A PNG of the expected size, not blank, and alone in its folder."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:]) == (1200, height)
    assert imread(path).std() > 0.05
    assert [file.name for file in path.parent.iterdir()] == [path.name]
