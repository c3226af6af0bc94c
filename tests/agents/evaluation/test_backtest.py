"""Days that happened are lived again: their traffic, their weekdays, the same customers for all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.evaluation.backtest import live
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from jaxsim.scenarios import get

STORES, BURN_IN = 512, 10
FULL = HeuristicPair(HeuristicParams(recommender="margin", safety=4.0))
LEAN = HeuristicPair(HeuristicParams(recommender="margin", safety=-1.5, fractile=0.0))


@pytest.fixture(scope="module")
def shop():
    """The pair on a week of its own, with a market that its days do not see."""
    week = jnp.array([[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 3.0]] * 2)
    return get("pair").params().replace(season=week, market_noise=jnp.float32(0.3))


def lived(shop, policy, market, first=0):
    market = jnp.asarray(market, jnp.float32)
    return live(jax.random.key(0), policy, shop, market, jnp.int32(first), STORES, BURN_IN)


def test_customers_come_as_the_market_of_the_day_says(shop):
    market = np.log([1.0, 0.5, 2.0, 1.0])
    wanted = np.asarray(lived(shop, FULL, market).wanted.mean(1))
    np.testing.assert_allclose(wanted / wanted[0], [1.0, 0.5, 2.0, 1.0], rtol=0.1)


@pytest.mark.parametrize("first", [0, 4])
def test_days_fall_on_their_weekdays(shop, first):
    wanted = np.asarray(lived(shop, FULL, np.zeros(8), first).wanted.mean(1))
    sundays = (np.arange(8) + first) % 7 == 6
    np.testing.assert_allclose(wanted[sundays], 3 * wanted[~sundays].mean(), rtol=0.1)


def test_leaner_shelves_serve_fewer_of_the_same_customers(shop):
    full, lean = (lived(shop, policy, np.full(20, 0.5)) for policy in (FULL, LEAN))
    assert full.available.mean() > lean.available.mean() + 0.05
    service = [float(each.bought.sum() / each.wanted.sum()) for each in (full, lean)]
    assert 1 >= service[0] > service[1] + 0.02
