"""Published answers of inventory theory come out of the simulator, interval and rounding allowed.

Ten million periods a cell: `python -m benchmarks.known_answers`; here a tenth of it.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from agents.evaluation.simulation import interval
from benchmarks.known_answers import (
    PUBLISHED,
    Cell,
    OrderUpTo,
    agrees,
    costs,
    newsvendor_cost,
    simulate_cells,
)
from jaxsim.scenarios import get


@pytest.fixture(scope="module")
def simulated():
    return dict(zip(PUBLISHED, simulate_cells(PUBLISHED, 400, 2500), strict=True))


@pytest.mark.parametrize("cell", PUBLISHED, ids=str)
def test_published_cost(cell, simulated):
    assert agrees(cell, simulated[cell]), (cell, interval(simulated[cell], 0.999))


def test_an_answer_that_is_off_by_one_period_is_noticed(simulated):
    wrong = Cell("backlog", 4, 2, 18, 4.6124, 4)
    assert not agrees(wrong, simulated[PUBLISHED[1]])


@pytest.mark.parametrize(("penalty", "lead_time", "base_stock"), [(9, 1, 14), (9, 2, 19)])
def test_lost_sales_at_a_high_penalty_against_the_exact_chain(penalty, lead_time, base_stock):
    exact = exact_lost_sales_cost(base_stock, lead_time, penalty)
    cell = Cell("lost sales", penalty, lead_time, base_stock, exact, 6)
    assert agrees(cell, simulate_cells([cell], 400, 2500)[0])


def test_the_newsvendor_scenario():
    params = get("newsvendor").params()
    level = int(stats.poisson(50).ppf(0.70 / 0.88))
    batch, policy = jax.tree.map(
        lambda leaf: leaf[None], (params, OrderUpTo(jnp.float32(level), jnp.float32(1e9)))
    )
    simulated = np.asarray(costs(jax.random.key(1), batch, policy, 400, 2500))[0]
    exact = newsvendor_cost(level, 50.0, 0.18, 0.70)
    assert agrees(Cell("lost sales", 0.7, 0, level, exact, 6), simulated)
    assert exact < newsvendor_cost(level - 1, 50.0, 0.18, 0.70)
    assert exact < newsvendor_cost(level + 1, 50.0, 0.18, 0.70)


def exact_lost_sales_cost(base_stock, lead_time, penalty, mean=5.0):
    """Stationary cost of the chain of stock after receipt and outstanding orders (L of 1 or 2)."""
    demand = np.arange(60)
    chance = stats.poisson(mean).pmf(demand)
    states = [
        (x, *rest)
        for x in range(base_stock + 1)
        for rest in np.ndindex(*(base_stock + 1,) * (lead_time - 1))
        if x + sum(rest) <= base_stock
    ]
    index = {state: number for number, state in enumerate(states)}
    move, cost = np.zeros((len(states), len(states))), np.zeros(len(states))
    for state, here in index.items():
        x, outstanding = state[0], list(state[1:])
        pipeline = [*outstanding, base_stock - x - sum(outstanding)]
        for d, probability in zip(demand, chance, strict=True):
            left = max(x - d, 0)
            cost[here] += probability * (left + penalty * max(d - x, 0))
            move[here, index[(left + pipeline[0], *pipeline[1:])]] += probability
    stationary = np.full(len(states), 1 / len(states))
    for _ in range(2000):
        stationary = stationary @ move
    return float(stationary @ cost / stationary.sum())
