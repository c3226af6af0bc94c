"""Schedules follow their formula; a configuration that breaks a condition is refused by name."""

import jax.numpy as jnp
import pytest

from agents.errors import ConfigError, ScheduleError
from agents.learning import timescales
from agents.learning.config import TrainConfig


def test_rates_follow_the_formula():
    rate = timescales.rate_at(jnp.float32(0.1), jnp.float32(0.6), jnp.float32(100.0), 300)
    assert float(rate) == pytest.approx(0.1 * 4**-0.6, rel=1e-5)


@pytest.mark.parametrize("learner", ["path", "score"])
def test_slow_over_fast_falls_from_the_start(learner):
    config = TrainConfig() if learner == "path" else TrainConfig.by_score()
    clocks = config.hyperparams().clocks
    per_slow = 1 if learner == "path" else config.fast_per_slow
    ratios = [
        float(
            timescales.rate_at(clocks.slow_rate, clocks.slow_exponent, clocks.slow_offset, n)
            / timescales.rate_at(
                clocks.fast_rate, clocks.fast_exponent, clocks.fast_offset, n * per_slow
            )
        )
        for n in (0, 100, 1000, 10_000, 1_000_000)
    ]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < 0.4 * ratios[0]


@pytest.mark.parametrize(
    ("alpha", "beta", "words"),
    [
        (0.5, 0.9, "fast_exponent: 0.5; allowed: above 0.5"),
        (0.6, 1.1, "slow_exponent: 1.1; allowed: at most 1"),
        (0.8, 0.7, "slow above fast"),
        (0.7, 0.7, "slow above fast"),
    ],
)
def test_broken_conditions_are_named(alpha, beta, words):
    with pytest.raises(ScheduleError, match=words):
        TrainConfig(fast_exponent=alpha, slow_exponent=beta).validate()
    TrainConfig(fast_exponent=alpha, slow_exponent=beta, timescales="constant").validate()


def test_departments_warm_up_in_their_own_updates_and_the_critic_does_not():
    """Rates of 0.1 and a warm-up of 4: after n updates (n + 1) / 5 of the schedule, at most all of
    it. The fast clock's offset is 100."""
    config = TrainConfig(
        critic_rate=0.1, fast_rate=0.1, slow_rate=0.1, fast_exponent=0.6, slow_exponent=0.9,
        schedule_offset=100.0, warm_up=4.0,
    )  # fmt: skip
    clocks = config.hyperparams().clocks
    for count, warm in ((0, 0.2), (1, 0.4), (3, 0.8), (4, 1.0), (300, 1.0)):
        fast = 0.1 * (1 + count / 100) ** -0.6
        slow = 0.1 * (1 + count / float(clocks.slow_offset)) ** -0.9
        critic = 0.1 * (1 + count / float(clocks.critic_offset)) ** -0.6
        assert float(timescales.fast_rate(clocks, count)) == pytest.approx(warm * fast, rel=1e-5)
        assert float(timescales.slow_rate(clocks, count)) == pytest.approx(warm * slow, rel=1e-5)
        assert float(timescales.critic_rate(clocks, count)) == pytest.approx(critic, rel=1e-5)


@pytest.mark.parametrize(("clock", "rate"), [("critic", 0.3), ("fast", 0.1), ("slow", 0.2)])
def test_each_clock_s_first_step_is_its_own_rate_downhill(clock, rate):
    """Adam's first step is the rate, against the gradient, however long that is."""
    rates = dict(critic_rate=0.3, fast_rate=0.1, slow_rate=0.2, warm_up=0.0)
    optimizer = timescales.optimizer(TrainConfig(**rates).hyperparams().clocks, clock, 0.5)
    weights = jnp.array([1.0, -1.0])
    steps, _ = optimizer.update(jnp.array([30.0, -40.0]), optimizer.init(weights))
    assert steps == pytest.approx([-rate, rate], rel=1e-3)


def test_constant_rates_stay():
    clocks = TrainConfig(timescales="constant", warm_up=0.0).hyperparams().clocks
    assert float(timescales.fast_rate(clocks, 10**6)) == pytest.approx(float(clocks.fast_rate))
    assert float(timescales.slow_rate(clocks, 10**6)) == pytest.approx(float(clocks.slow_rate))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("iterations", 0), ("minibatches", 3), ("crn_group", 3), ("fast_per_slow", 3), ("seed", -1),
        ("gae_lambda", 1.5), ("fast_rate", 0.0), ("evaluation_stores", 1), ("entropy_coef", -1.0),
        ("burn_in", -1), ("tail", 32), ("discount", 1.0), ("averaging", 1.5), ("temperature", 0.0),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_named(field, value):
    with pytest.raises(ConfigError, match=rf"^{field}: {value}; allowed: "):
        TrainConfig.by_score(**{field: value}).validate()
