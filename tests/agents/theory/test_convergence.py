"""The tiny store is exact, the learner samples it fairly, and the schedules are what they say."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from agents.errors import ScheduleError
from agents.learning import schedules
from agents.theory.convergence import (
    RATES,
    SATISFIED,
    SCHEDULES,
    SCORE,
    SHELF,
    SLOPE,
    learned,
    started,
    tiny_store,
)
from jaxsim.exact.optimum import optimum
from jaxsim.exact.tabular import best_average, tabular


@pytest.fixture(scope="module")
def small():
    return tabular(tiny_store(), SHELF)


@pytest.fixture(scope="module", params=[SCORE, SLOPE])
def learner(request):
    return request.param


@pytest.fixture(scope="module")
def learn(small, learner):
    return jax.jit(partial(learned, small, learner))


def test_the_best_of_the_table_is_the_optimum_of_the_store(small):
    assert small.optimum() == pytest.approx(optimum(tiny_store()).profit, rel=1e-3)


def test_the_best_average_is_that_of_a_process_with_a_known_one():
    """To stay in the first state earns 1; to go for the 3 of the second, left half of the time, 2
    on average; where the second state's reward may not be taken, nothing beats staying."""
    rewards = jnp.array([[1.0, 0.0], [0.0, 3.0]])
    moves = jnp.array([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.5, 0.5]]])
    everything = jnp.ones((2, 2), bool)
    assert best_average(rewards, moves, everything) == pytest.approx(2, abs=2e-6)
    assert best_average(rewards, moves, everything.at[1, 1].set(False)) == pytest.approx(
        1, abs=2e-6
    )


def test_sampled_profit_is_the_exact_one(small, learn):
    """Departments that stay as they are, and an average that settles."""
    run = started(small, jax.random.key(1))
    run = learn(run, jnp.array([0.9, 0.0, 0.0]), jnp.array([4.0, 0.0, 0.0]), 2000)
    exact = float(small.profit(small.start()))
    assert float(run.average) == pytest.approx(exact, abs=0.15)
    assert not jnp.any(run.logits.slates) and not jnp.any(run.logits.orders)
    response = small.best_slates(small.start().orders)
    assert exact < response < small.optimum()


def test_slates_and_orders_follow_the_slope_of_exact_profit(small):
    """With the exact values of the departments as they are, the mean over many stores is the exact
    gradient: nearly in slates, whose demand is taken by its slope, and in orders but for chance."""
    run = started(small, jax.random.key(3))
    stay = jnp.array([0.6, 0.0, 0.0])
    learn = jax.jit(partial(learned, small, SLOPE))
    run = learn(run, stay, jnp.array([4.0, 0.0, 0.0]), 4000)
    total = jax.tree.map(jnp.zeros_like, run.logits)
    for _ in range(400):
        after = learn(run, stay * 0, jnp.array([0.0, 1.0, 1.0]), 1)
        total = jax.tree.map(lambda t, a, b: t + a - b, total, after.logits, run.logits)
        run = after.replace(logits=run.logits, updates=run.updates)
    exact = jax.grad(small.profit)(run.logits)
    for found, true in ((total.slates, exact.slates), (total.orders, exact.orders)):
        found, true = found.ravel(), true.ravel()
        alike = found @ true / jnp.linalg.norm(found) / jnp.linalg.norm(true)
        assert alike > 0.95


def test_both_departments_climb(small, learn, learner):
    run = started(small, jax.random.key(0))
    run = learn(run, jnp.array(SCHEDULES[SATISFIED]), jnp.array(RATES[learner]), 500)
    before, after = (float(small.profit(each)) for each in (small.start(), run.logits))
    assert after > before + 0.5 * (small.optimum() - before)
    assert float(run.updates) == 500


def test_the_fast_department_finds_its_best_response(small, learn, learner):
    """With steps too large it settles early, 0.1 below it, and stays there."""
    run = started(small, jax.random.key(2))
    run = learn(run, jnp.array(SCHEDULES[SATISFIED]), jnp.array(RATES[learner]), 10_000)
    profit, start = (float(small.profit(each)) for each in (run.logits, small.start()))
    distance = small.best_slates(run.logits.orders) - profit
    assert 0 <= distance < 0.1 * (small.best_slates(small.start().orders) - start)
    assert small.optimum() - profit < 0.1 * (small.optimum() - start)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_satisfy_the_conditions_or_break_them(schedule):
    _, fast, slow = SCHEDULES[schedule]
    if schedule == SATISFIED:
        schedules.check(fast, slow, "decaying")
    else:
        with pytest.raises(ScheduleError):
            schedules.check(fast, slow, "decaying")
