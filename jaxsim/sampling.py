"""Exact inverse-CDF sampling of whole-number demand: one uniform a draw, no loop that waits on data.

Convention: a uniform is read modulo one. `open_uniform` returns signed numbers in [-1/2, 1/2], never
0: s > 0 stands for u = s and s < 0 for u = 1 - |s|. So |s| is the probability of the nearer tail, and
float32 resolves both tails down to 2^-32. An ordinary uniform in (0, 1) is taken as it is; its upper
tail is only as fine as its spacing near 1. The same uniform gives the same customers under any mean.

Everything is elementwise float32 and broadcasts, so that a whole draw fuses into its caller.
"""

import math
from functools import reduce

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, UInt32

_SMALLEST_TAIL = 2.0**-32

# Means up to this one are summed term by term, larger ones use the uniform expansion. The terms end
# where what is left out is 1e-5 of the smallest tail at that mean.
_SUMMED_MEAN = 6.0
_SUMMED_TERMS = 34
_SUMMED_QUANTILES = 6  # lower quantiles 0..5 are summed at every mean: the expansion is poor there

# Minimax fits (iteratively reweighted least squares on scipy's ndtri and gammaincc in float64).
# Moebius arguments keep away from the singularities of the functions, which low degrees need.
# Normal: relative error 8e-8. Poisson: error of the CDF 1.4e-7 (1 + w^2) of the nearer tail.
_NORMAL = (
    *(2.9412992, 4.5333154, 2.2217833, 0.53352938, 3.2395783, 2.888625, -3.3477719, -0.33189876),
    *(10.766598, 2.0354435, -13.205198, 1.3163135, 11.824498),
)
_POISSON_SCALE = 2.3
_POISSON_SQUARE = (
    *(0.16666597, -0.031942878, -0.012342207, -0.0089907143, -0.0061976666, -0.004495263),
    *(-0.0032875698, -0.004307173, -0.0047633007, -0.0020874718),
)
_POISSON_SHIFT = (
    *(0.33333517, -0.06391084, -0.018035551, -0.015224038, -0.010043199, -0.0087910787),
    -0.0044112922,
)
_POISSON_INVERSE = (-0.019822874, 0.04024614, -0.029156727, 0.016087773, -0.0078960867)

_THREEFRY_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def open_uniform(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float[Array, "*shape"]:
    """Signed uniforms (see the convention above) on the odd multiples of 2^-32: u is never 0 or 1.

    `shape` may hold up to 2^32 numbers. The random words are those of `jax.random.bits`; of a
    Threefry key they are computed in line, for `jax.random.bits` does not fuse and is slower on CPU.
    """
    if jax.random.key_impl(key) == "threefry2x32":
        words = _threefry_words(jax.random.key_data(key), math.prod(shape)).reshape(shape)
    else:
        words = jax.random.bits(key, shape, jnp.uint32)
    return (_as_signed(words) | 1).astype(jnp.float32) * _SMALLEST_TAIL


def unit_interval(uniform: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The ordinary uniform in (0, 1] of a signed one; the upper tail rounds to float32."""
    return jnp.where(uniform < 0, uniform + 1, uniform)


def standard_normal(uniform: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Quantile of the standard normal distribution at u, to about 3e-7 of itself.

    Form after Giles (2011), "Approximating the erfinv function", GPU Computing Gems, ch. 10:
    (2u - 1) P(v), v = -log(4u(1 - u)), with one polynomial in (v - 5) / (v + 10).
    """
    tail, upper = _nearer_tail(uniform)
    v = -jnp.log(4 * tail * (1 - tail))
    size = (1 - 2 * tail) * _polynomial(_NORMAL, (v - 5) / (v + 10))
    return jnp.where(upper, size, -size)


def mean_one_lognormal(
    normal: Float[Array, "*#shape"], sigma: Float[Array, "*#shape"]
) -> Float[Array, "*#shape"]:
    """exp(sigma n - sigma^2 / 2): a lognormal factor of mean 1 from a standard normal n."""
    return jnp.exp(sigma * (normal - 0.5 * sigma))


def poisson_inverse(
    uniform: Float[Array, "*#shape"], mean: Float[Array, "*#shape"]
) -> Float[Array, "*#shape"]:
    """Smallest whole n with P(X <= n) >= u, X Poisson with `mean` (units) in [0, 2^24).

    Small means: the probabilities, summed from the nearer end. Large means: Temme's uniform
    expansion of the incomplete gamma function, inverted as in Giles (2016), "Algorithm 955:
    approximation of the inverse Poisson cumulative distribution function", ACM TOMS 42(1):
    n = floor(mean + sqrt(mean) w + w^2 A(y) + B(y) + C(y) / mean), w the normal quantile of u,
    here with y = w / (w + 2.3 sqrt(mean)). The CDF at which n changes is right to 3e-7, and in
    either tail to 2e-5 of that tail down to 1e-9. A NaN mean gives NaN.
    """
    tail, upper = _nearer_tail(uniform)

    terms = [jnp.exp(-mean)]
    for k in range(1, _SUMMED_TERMS):
        terms.append(terms[-1] * (mean * (1 / k)))
    above = from_above = jnp.zeros_like(terms[0])
    for term in reversed(terms):
        from_above += above > tail
        above += term
    below = jnp.zeros_like(terms[0])
    from_below = jnp.full_like(below, _SUMMED_QUANTILES)
    for term in terms[:_SUMMED_QUANTILES]:
        below += term
        from_below -= below >= tail

    large = jnp.maximum(mean, _SUMMED_MEAN)
    w = standard_normal(uniform)
    root = jnp.sqrt(large)
    y = w / (w + _POISSON_SCALE * root)
    shift = w * w * _polynomial(_POISSON_SQUARE, y) + _polynomial(_POISSON_SHIFT, y)
    shift += _polynomial(_POISSON_INVERSE, y) / large
    whole = jnp.floor(large)  # kept apart: the floor below must not see the rounding of a large mean
    expanded = whole + jnp.floor((large - whole) + (root * w + shift))

    summed = jnp.where(upper, mean <= _SUMMED_MEAN, from_below < _SUMMED_QUANTILES)
    return jnp.where(
        summed,
        jnp.where(upper, from_above, from_below),
        jnp.maximum(expanded, _SUMMED_QUANTILES),
    )


def geometric_inverse(
    uniform: Float[Array, "*#shape"], mean: Float[Array, "*#shape"]
) -> Float[Array, "*#shape"]:
    """Smallest whole n with P(X <= n) >= u for P(X = n) = (1 - r) r^n, r = mean / (1 + mean).

    P(X > n) = r^(n+1), so n + 1 is log(1 - u) / log(r) rounded up; `mean` in units, 0 or more.
    """
    tail, upper = _nearer_tail(uniform)
    log_above = jnp.where(upper, jnp.log(tail), jnp.log1p(-tail))
    return jnp.maximum(jnp.ceil(-log_above / jnp.log1p(1 / mean)) - 1, 0)


INVERSES = {"poisson": poisson_inverse, "geometric": geometric_inverse}


def systematic_counts(
    shift: Float[Array, "*batch"], flows: Float[Array, "*batch N"], total: Float[Array, "*batch"]
) -> Float[Array, "*batch N"]:
    """Whole counts with expectations `flows`: floor(C_j + shift) - floor(C_(j-1) + shift).

    C_j is the sum of the first j flows (units, 0 or more, each below 2^31) and `shift` one uniform,
    signed or in [0, 1). Each count is its flow rounded up or down, and together they are at most
    `total`, a whole number, even where the flows overshoot it by rounding (the last counts yield).
    The fractions are summed as 32-bit integers modulo one: the carries, hence the counts, are exact.
    """
    whole = jnp.floor(flows)
    fraction = _modulo_one(flows - whole)
    reached = _modulo_one(shift)[..., None] + jnp.cumsum(fraction, -1, dtype=jnp.uint32)
    counts = whole.astype(jnp.int32) + (reached < fraction)
    limit = jnp.asarray(total).astype(jnp.int32)[..., None]
    running = jnp.minimum(jnp.cumsum(counts, -1), limit)
    return jnp.diff(running, axis=-1, prepend=0).astype(jnp.float32)


def _nearer_tail(
    uniform: Float[Array, "*shape"],
) -> tuple[Float[Array, "*shape"], Bool[Array, "*shape"]]:
    signed = jnp.where(uniform > 0.5, uniform - 1, uniform)
    return jnp.maximum(jnp.abs(signed), _SMALLEST_TAIL), signed < 0


def _modulo_one(number: Float[Array, "*shape"]) -> UInt32[Array, "*shape"]:
    signed = jnp.where(number >= 0.5, number - 1, number)
    return lax.bitcast_convert_type((signed * 2.0**32).astype(jnp.int32), jnp.uint32)


def _as_signed(words: UInt32[Array, "*shape"]) -> Int[Array, "*shape"]:
    return lax.bitcast_convert_type(words, jnp.int32)


def _polynomial(coefficients: tuple[float, ...], x: Float[Array, "*shape"]):
    return reduce(lambda value, c: value * x + c, reversed(coefficients[:-1]), coefficients[-1])


def _threefry_words(key: UInt32[Array, " 2"], count: int) -> UInt32[Array, " count"]:
    """Threefry-2x32 of the counters 0..count-1, the two words of each joined by xor.

    Salmon, Moraes, Dror and Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", SC'11.
    """
    schedule = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(0x1BD11BDA))
    left = jnp.full(count, schedule[0])
    right = lax.iota(jnp.uint32, count) + schedule[1]
    for group in range(5):
        for rotation in _THREEFRY_ROTATIONS[group % 2]:
            left += right
            right = (right << rotation | right >> (32 - rotation)) ^ left
        left += schedule[(group + 1) % 3]
        right += schedule[(group + 2) % 3] + jnp.uint32(group + 1)
    return left ^ right
