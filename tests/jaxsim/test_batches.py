"""Customers who take several units: the sampler, and the store."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from scipy.stats import qmc

from jaxsim import batches, scenarios, store
from jaxsim.scenarios.scenario import ScenarioError, load, parse
from tests.random_stores import random_action, random_params, random_state

MOST = 2.0**-32
"""Smallest tail that a uniform has."""


@pytest.fixture(scope="module")
def uniforms():
    """Points that fill the cube of three uniforms evenly, as signed numbers."""
    points = qmc.Sobol(3, seed=1).random(2**19).T
    return jnp.asarray(np.where(points > 0.5, points - 1, points), jnp.float32)


@pytest.mark.parametrize("shape", [1.0, 1.05, 1.7, 4.0, 30.0, 1e4])
def test_the_gamma_quantile(shape):
    """To a few thousandths of a standard deviation, and to 4 · 10⁻⁴ up to three of them."""
    tail = np.exp(np.linspace(np.log(MOST), np.log(0.5), 400))
    near = tail > stats.norm.sf(3)
    for signed, exact in (
        (tail, special.gammaincinv(shape, tail)), (-tail, special.gammainccinv(shape, tail))
    ):  # fmt: skip
        found = batches.gamma_inverse(jnp.asarray(signed, jnp.float32), jnp.float32(shape))
        error = np.abs(np.asarray(found) - exact) / np.sqrt(shape)
        assert error.max() < 4e-3 and error[near].max() < 4e-4


@pytest.mark.parametrize("mean", [0.02, 1.0, 4.0, 60.0])
@pytest.mark.parametrize("dispersion", [1.05, 2.0, 20.0])
def test_the_law_of_batches(uniforms, mean, dispersion):
    inverse = jax.jit(batches.negative_binomial_inverse)
    found = np.asarray(inverse(uniforms, jnp.float32(mean), jnp.float32(dispersion)))
    assert (found == np.round(found)).all()
    reached = np.cumsum(np.bincount(found.astype(int))) / found.size
    exact = stats.nbinom(mean / (dispersion - 1), 1 / dispersion).cdf(np.arange(len(reached)))
    assert np.abs(reached - exact).max() < 2e-4
    assert np.bincount(found.astype(int)).dot(np.arange(len(reached))) / found.size == (
        pytest.approx(mean, rel=4e-3)
    )


def test_nobody_comes_where_nobody_wants_and_single_units_are_poissons(uniforms):
    none = batches.negative_binomial_inverse(uniforms, jnp.float32(0.0), jnp.float32(3.0))
    assert not np.asarray(none).any()
    params = random_params(3, 4, 2, 2, 2, "poisson", 2)
    action, state = random_action(3, params), random_state(3, params)
    step = jax.jit(store.step)
    plain = step(jax.random.key(0), state, action, params)
    in_ones = step(jax.random.key(0), state, action, params.replace(family="negative-binomial"))
    jax.tree.map(np.testing.assert_array_equal, plain, in_ones)


def test_twice_the_batch_is_twice_the_demand():
    """Of two stores, one with half the customers, who take twice as much."""
    one = random_params(5, 4, 2, 2, 2, "negative-binomial", 2)
    other = one.replace(arrivals=one.arrivals / 2, batch=2 * one.batch)
    action, state = random_action(5, one), random_state(5, one)
    for mine, right in zip(
        *(store.step(jax.random.key(1), state, action, each) for each in (one, other)), strict=True
    ):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), mine, right)


def test_a_scenario_with_batches(tmp_path):
    body = scenarios.get("pair").model_dump(exclude_unset=True)
    body |= {"family": "negative-binomial", "batch": [1.5, 1.0], "dispersion": [2.5, 1.0]}
    parse(body, "shop.json").save(tmp_path / "shop.json")
    params = load(tmp_path / "shop.json").params()
    np.testing.assert_allclose(params.batch, [1.5, 1.0])
    for wrong, said in (
        ({"dispersion": 1.0}, "dispersion: 1 of batches of 1.5 on average; allowed: at least the"),
        ({"family": "poisson"}, "batch, dispersion: 2.5 with family poisson; allowed: 1, or"),
        ({"batch": 0.5}, "batch: 0.5; allowed: greater than or equal to 1"),
    ):
        with pytest.raises(ScenarioError, match=said):
            parse(body | wrong, "shop.json")
