"""Annotations of shapes are more than comments: while tests run, a wrong array is refused."""

import jax
import jax.numpy as jnp
import pytest
from jaxtyping import TypeCheckError

from agents.evaluation.statistics import holm
from jaxsim import choice, sampling
from jaxsim.rollouts import keyed
from tests.random_stores import one_need


@pytest.mark.parametrize("weights", [jnp.ones(3), jnp.ones((2, 4)), jnp.ones((2, 3), int)])
def test_an_array_of_another_shape_or_dtype_is_refused(weights):
    choice.choice_shares(jnp.ones((2, 3)), jnp.ones(3), one_need(2, 3))
    with pytest.raises(TypeCheckError, match=r"weights|available"):
        choice.choice_shares(weights, jnp.ones(3), one_need(2, 3))


def test_shapes_are_checked_under_transformations():
    draw = jax.jit(jax.vmap(sampling.standard_normal))
    assert draw(jnp.full(4, 0.2)).shape == (4,)
    with pytest.raises(TypeCheckError):
        draw(jnp.arange(4))


def test_one_key_is_not_a_key_for_each_store_and_agents_are_checked_too():
    with pytest.raises(TypeCheckError):
        keyed(jax.random.key(0), jax.random.split(jax.random.key(0), 2))
    with pytest.raises(TypeCheckError):
        holm(jnp.ones((2, 2)))
