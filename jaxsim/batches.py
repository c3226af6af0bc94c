"""Demand in batches: the negative binomial law, of customers who may take several units each.

With a mean m and a variance of v m it is compound Poisson: customers come by a Poisson law, and
each takes 1, 2, ... units by a logarithmic law with E(B²) / E(B) = v (Quenouille, 1949). It is also
Poisson demand whose mean is gamma with shape m / (v - 1), which is how it is drawn: v = 1 is the
Poisson law itself. Source: this project, for the sampler.
"""

from functools import reduce
from typing import Any

import jax.numpy as jnp
from jax.scipy.special import betainc, gammaln
from jaxtyping import Array, Float, Num

from jaxsim import sampling

# Minimax fit (reweighted least squares to scipy's gammaincinv in float64) of the cube root of a
# gamma quantile over its shape a, in powers of t = e / (e + 20), e = normal quantile / sqrt(a): a
# row for each power of 1 / a. Error: 6e-5 standard deviations up to 3 of them, 2e-3 up to 6.
_ROOT = (
    (
        *(1.0, 6.6664275, 6.6749707, -18.338847, 67.916736, 16.699157, -1263.9982, 2631.7863),
        *(9699.8025, -9008.8131, -29027.728),
    ),
    (
        *(-0.11111965, 0.19182555, 1.3994, -11.139014, 20.696418, 180.56689, -55.846955),
        *(-4416.0279, 584.59484, 6730.2758),
    ),
    (
        *(-0.0058314994, -0.055915734, 1.0174945, -2.6443915, -33.607157, 137.99132, -151.7052),
        *(1690.7369, 20.697511),
    ),
    (
        *(0.0019370443, -0.011738154, -0.19475174, 1.8716231, 5.4443099, -65.156472, 132.99831),
        -452.6365,
    ),
)
_FAR = 20.0


def gamma_inverse(
    uniform: Float[Array, "*#shape"], shape: Float[Array, "*#shape"]
) -> Float[Array, "*#shape"]:
    """Quantile at u of the gamma law with this shape, 1 or more, and scale 1.

    After Wilson and Hilferty (1931): the cube root of a gamma variable is almost normal.
    """
    deviation = sampling.standard_normal(uniform) / jnp.sqrt(shape)
    t = 1.0 - _FAR / (deviation + _FAR)
    rows = [_horner(row, t) for row in _ROOT]
    return shape * jnp.maximum(_horner(rows, 1.0 / shape), 0.0) ** 3


def negative_binomial_inverse(
    uniforms: Float[Array, "3 *#shape"],
    mean: Float[Array, "*#shape"],
    dispersion: Float[Array, "*#shape"],
) -> Float[Array, "*#shape"]:
    """Whole units from three uniforms of `jaxsim.sampling`: of the count given its mean, and two of
    the gamma mean, G(r) = G(r + 1) U^(1 / r) (Marsaglia and Tsang, 2000, section 6).

    It grows with each of them. The law is right to 1e-4 in its distribution function.
    """
    excess = dispersion - 1.0
    shape = mean / jnp.where(excess > 0, excess, 1.0)
    chance = sampling.unit_interval(uniforms[2])
    power = jnp.exp(jnp.log(chance) / jnp.where(shape > 0, shape, 1.0))
    mixed = excess * gamma_inverse(uniforms[1], shape + 1.0) * power
    given = jnp.where((excess > 0) & (shape > 0), mixed, mean)
    return sampling.poisson_inverse(uniforms[0], given)


def log_mass(
    count: Num[Array, "..."], mean: Float[Array, "..."], dispersion: Float[Array, "..."]
) -> Float[Array, "..."]:
    """ln P(D = count), for a mean above 0 and a dispersion above 1, as all below."""
    shape = mean / (dispersion - 1.0)
    ways = gammaln(count + shape) - gammaln(shape) - gammaln(count + 1.0)
    return ways - shape * jnp.log(dispersion) + count * jnp.log1p(-1 / dispersion)


def tail(
    least: int, mean: Float[Array, ""], dispersion: Float[Array, ""]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """P(D ≥ n) and E(D | D ≥ n) for n ≥ 1. E(D; D ≥ n) is m P(D' ≥ n - 1), D' of a shape that is
    larger by one."""
    shape, rest = mean / (dispersion - 1.0), 1 - 1 / dispersion
    chance = betainc(jnp.asarray(least, rest.dtype), shape, rest)
    before = betainc(jnp.asarray(max(least - 1, 1), rest.dtype), shape + 1.0, rest)
    before = before if least > 1 else jnp.ones_like(before)
    return chance, jnp.maximum(mean * before / jnp.maximum(chance, 1e-37), least)


def law(mean: float, periods: int, dispersion: float) -> Any:
    """Demand of so many periods, a frozen distribution of scipy."""
    from scipy import stats  # slow to import, and only the exact solver needs it

    shape = mean * periods / (dispersion - 1.0)
    return stats.nbinom(shape, 1 / dispersion)


def _horner(coefficients: Any, x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Lowest power first."""
    return reduce(lambda value, each: value * x + each, reversed(coefficients))
