"""Clocks: step-size schedules, the conditions that theory puts on them, and their optimizers.

Schedules a_n = a0 (1 + n/n0)^(−α) for the fast department and b_n = b0 (1 + n/n0)^(−β) for the
slow, each counting its own updates (Borkar 1997; Konda and Tsitsiklis 2000).
"""

import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Float

TIMESCALES = ("decaying", "constant")


class Clocks(struct.PyTreeNode):
    """Base rates and exponents; traced, so that runs under `vmap` can differ in them."""

    critic_rate: Float[Array, ""]
    fast_rate: Float[Array, ""]
    slow_rate: Float[Array, ""]
    fast_exponent: Float[Array, ""]  # α
    slow_exponent: Float[Array, ""]  # β
    critic_offset: Float[Array, ""]  # n0 of the critic's clock, in its own updates
    fast_offset: Float[Array, ""]  # n0 of the fast clock, in its own
    slow_offset: Float[Array, ""]  # n0 of the slow clock, in its own
    warm_up: Float[Array, ""]  # updates over which the departments' rates rise, the critic ahead


def rate_at(
    base: Float[Array, ""], exponent: Float[Array, ""], offset: Float[Array, ""], count: Array
) -> Float[Array, ""]:
    """base · (1 + n/n0)^(−exponent)."""
    return base * (1.0 + count / offset) ** (-exponent)


def fast_rate(clocks: Clocks, count: Array) -> Float[Array, ""]:
    """a_n after `count` fast updates."""
    rate = rate_at(clocks.fast_rate, clocks.fast_exponent, clocks.fast_offset, count)
    return rate * _warm(clocks, count)


def critic_rate(clocks: Clocks, count: Array) -> Float[Array, ""]:
    """The critic's own base rate, falling as the fast clock's."""
    return rate_at(clocks.critic_rate, clocks.fast_exponent, clocks.critic_offset, count)


def slow_rate(clocks: Clocks, count: Array) -> Float[Array, ""]:
    """b_n after `count` slow updates."""
    rate = rate_at(clocks.slow_rate, clocks.slow_exponent, clocks.slow_offset, count)
    return rate * _warm(clocks, count)


def optimizer(
    clocks: Clocks, clock: str, max_norm: float, second_moment: float = 0.999
) -> optax.GradientTransformation:
    """Adam on one of the clocks: "critic", "fast" or "slow"; gradients clipped to `max_norm`."""
    rate = {"critic": critic_rate, "fast": fast_rate, "slow": slow_rate}[clock]
    return optax.chain(
        optax.clip_by_global_norm(max_norm),
        optax.scale_by_adam(b2=second_moment, eps=1e-5),
        optax.scale_by_learning_rate(lambda count: rate(clocks, jnp.asarray(count))),
    )


def _warm(clocks: Clocks, count: Array) -> Float[Array, ""]:
    """A factor that rises to 1, so that no department learns from an untrained critic."""
    return jnp.minimum(1.0, (count + 1.0) / (clocks.warm_up + 1.0))


def constant(clocks: Clocks) -> Clocks:
    """The same rates for ever."""
    zero = jnp.zeros_like(clocks.fast_exponent)
    return clocks.replace(fast_exponent=zero, slow_exponent=zero)
