"""Exact inverse-CDF sampling of whole-number demand: one uniform per draw, no loop that depends on data.

Convention: a uniform is a signed number taken modulo one. `open_uniform` returns s in (-1/2, 1/2):
s > 0 stands for u = s, s < 0 for u = 1 - |s|, so |s| is the probability of the nearer tail and both
tails are resolved to 2^-32. An ordinary uniform in (0, 1) is accepted too (its upper tail is coarser).
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

_SMALLEST_TAIL = 2.0**-32
_SUMMED_MEAN = 10.0
_SUMMED_TERMS = 37


def open_uniform(key: Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Signed uniforms of the given shape (see the module's convention), never 0."""
    words = lax.bitcast_convert_type(jax.random.bits(key, shape, jnp.uint32), jnp.int32)
    return (words | 1).astype(jnp.float32) * jnp.float32(_SMALLEST_TAIL)


def _tail(uniform):
    signed = jnp.where(uniform > 0.5, uniform - 1, uniform)
    return jnp.maximum(jnp.abs(signed), _SMALLEST_TAIL), signed < 0


def standard_normal(uniform: Float[Array, "..."]) -> Float[Array, "..."]:
    """Inverse normal CDF."""
    tail, upper = _tail(uniform)
    z = jax.scipy.special.ndtri(tail)
    return jnp.where(upper, -z, z)


def poisson_inverse(
    uniform: Float[Array, "..."], mean: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Smallest n with P(X <= n) >= u for X Poisson(mean)."""
    tail, upper = _tail(uniform)
    small = jnp.minimum(mean, _SUMMED_MEAN)
    term = jnp.exp(-small)
    terms = [term]
    for k in range(1, _SUMMED_TERMS):
        term = term * (small * (1.0 / k))
        terms.append(term)
    above = jnp.zeros_like(term)
    from_top = jnp.zeros_like(term)
    for term in reversed(terms):
        from_top += above > tail
        above += term
    below = jnp.zeros_like(term)
    from_bottom = jnp.zeros_like(term)
    for term in terms[: int(_SUMMED_MEAN) + 1]:
        below += term
        from_bottom += below < tail
    summed = jnp.where(upper, from_top, from_bottom)

    large = jnp.maximum(mean, _SUMMED_MEAN)
    w = standard_normal(uniform)
    s = jnp.sqrt(large)
    w2 = w * w
    x = s * w + (1 / 3 + w2 / 6) - w * (1 / 36 + w2 / 72) / s
    x += (-8 / 405 + w2 * (7 / 810 + w2 / 270)) / large
    whole = jnp.floor(large)
    asymptotic = jnp.maximum(whole + jnp.floor((large - whole) + x), 0.0)
    return jnp.where(mean > _SUMMED_MEAN, asymptotic, summed)


def geometric_inverse(
    uniform: Float[Array, "..."], mean: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Smallest n with P(X <= n) >= u for P(X=n) = (1-r) r^n, r = mean/(1+mean)."""
    tail, upper = _tail(uniform)
    log_above = jnp.where(upper, jnp.log(tail), jnp.log1p(-tail))
    return jnp.maximum(jnp.ceil(-log_above / jnp.log1p(1 / mean)) - 1, 0.0)


def mean_one_lognormal(
    normal: Float[Array, "..."], sigma: Float[Array, "..."]
) -> Float[Array, "..."]:
    """exp(sigma n - sigma^2/2)."""
    return jnp.exp(sigma * (normal - 0.5 * sigma))


def systematic_counts(
    shift: Float[Array, "..."], flows: Float[Array, "... N"], total: Float[Array, "..."]
) -> Float[Array, "... N"]:
    """Whole counts by systematic sampling over cumulated flows."""
    whole = jnp.floor(flows)
    step = _fixed_point(flows - whole)
    end = _fixed_point(shift)[..., None] + jnp.cumsum(step, axis=-1, dtype=jnp.uint32)
    counts = whole.astype(jnp.int32) + (end < step)
    cumulated = jnp.minimum(jnp.cumsum(counts, -1), jnp.asarray(total, jnp.int32)[..., None])
    return jnp.diff(cumulated, axis=-1, prepend=0).astype(jnp.float32)


def _fixed_point(fraction):
    signed = jnp.where(fraction >= 0.5, fraction - 1, fraction)
    return lax.bitcast_convert_type((signed * 2.0**32).astype(jnp.int32), jnp.uint32)


def unit_interval(uniform: Float[Array, "..."]) -> Float[Array, "..."]:
    """The ordinary uniform in [0, 1] of a signed one."""
    return jnp.where(uniform < 0, uniform + 1, uniform)


INVERSES = {"poisson": poisson_inverse, "geometric": geometric_inverse}
