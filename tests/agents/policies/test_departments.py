"""What the likelihood of an order is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from agents.policies.replenishment import log_probability_between
from jaxsim.params import UNLIMITED

ENDS = np.concatenate([[-UNLIMITED], np.linspace(-4.0, 4.0, 12), [UNLIMITED]])


@pytest.mark.parametrize("log_std", [-1.5, -1.0, 0.5])
def test_orders_are_as_likely_as_the_corrections_that_make_them(log_std):
    between = jax.vmap(log_probability_between, (0, 0, None, None))
    for mean in (-0.7, 0.0, 1.3):
        found = np.asarray(between(ENDS[:-1], ENDS[1:], mean, log_std), np.float64)
        below = norm.cdf(ENDS, mean, np.exp(log_std))
        likely = np.diff(below) > 1e-6
        np.testing.assert_allclose(np.exp(found)[likely], np.diff(below)[likely], rtol=2e-4)
        assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-5)


def test_where_units_are_small_the_likelihood_is_the_density():
    lower = np.linspace(-1.0, 1.0, 9, dtype=np.float32)
    found = jax.vmap(log_probability_between, (0, 0, None, None))(lower, lower + 1e-3, 0.1, -1.0)
    density = norm.logpdf(lower + 5e-4, 0.1, np.exp(-1.0))
    np.testing.assert_allclose(found, density + np.log(1e-3), atol=2e-3)


def test_nothing_is_learned_from_an_order_that_every_correction_makes():
    gradient = jax.grad(log_probability_between, (2, 3))(-UNLIMITED, UNLIMITED, 0.2, -1.0)
    assert gradient == (0.0, 0.0)


def test_no_number_goes_wrong_however_far_the_ends_are():
    far = jnp.array([-UNLIMITED, -1e5, -40.0, -1.0, 0.0, 1e-7, 1.0, 40.0, 1e5, UNLIMITED])
    lower, upper = jnp.repeat(far, far.size), jnp.tile(far, far.size)
    apart = lower < upper
    lower, upper = lower[apart], upper[apart]
    over = (0, 0, None, None)
    value = jax.vmap(log_probability_between, over)(lower, upper, 0.0, -1.5)
    slopes = jax.vmap(jax.grad(log_probability_between, (2, 3)), over)(lower, upper, 0.0, -1.5)
    assert all(jnp.isfinite(each).all() for each in (value, *slopes))
