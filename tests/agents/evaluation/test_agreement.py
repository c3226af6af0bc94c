"""The exact policy agrees with itself in everything; a classical pair falls short as it should."""

import jax
import pytest

from agents.evaluation.agreement import agreement
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from jaxsim.exact.optimum import optimum
from jaxsim.exact.policy import policy_of
from jaxsim.scenarios import get


@pytest.fixture(scope="module")
def measured():
    """Agreement with the exact policy of `pair`, of itself and of margin slates with base-stock."""
    params = get("pair").params()
    exact = policy_of(optimum(params))
    blind = HeuristicPair(HeuristicParams(recommender="margin", safety=0.3, fractile=0.5))
    key, size = jax.random.key(0), dict(stores=256, periods=200, burn_in=50)
    return [agreement(key, policy, exact, params, **size) for policy in (exact, blind)]


def test_the_exact_policy_agrees_with_itself(measured):
    itself, _ = measured
    assert (itself.gap_percent, itself.gap_error, itself.order_distance) == (0.0, 0.0, 0.0)
    assert (itself.same_slate, itself.same_signs) == (1.0, 1.0)
    assert itself.order_correlation == pytest.approx(1.0)


def test_a_stock_blind_pair_falls_short(measured):
    _, blind = measured
    assert blind.gap_percent > 5 * blind.gap_error > 0
    assert blind.same_slate < 0.95
    assert 0.5 < blind.order_correlation < 1.0
    assert blind.same_signs < 1.0  # its slates do not answer to stock at all
