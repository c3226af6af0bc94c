"""Exact inverse-CDF sampling of whole-number demand: one uniform per draw, no data-dependent loop.

Convention: a uniform is read modulo one. `open_uniform` returns signed numbers in [-1/2, 1/2], not
0: s > 0 stands for u = s and s < 0 for u = 1 + s. So abs(s) is the probability of the nearer tail,
and float32 resolves both tails down to 2^-32. An ordinary uniform in (0, 1) is taken as it is; its
upper tail is only as fine as its spacing near 1. Equal uniforms are the same customers at any mean.

Everything is elementwise float32 and broadcasts, so that a draw fuses into its caller. XLA on CPU
splits a fusion at a division or square root that is used twice: hence every quotient and root below
is used once. The exception is the quotient that makes the uniforms, where a split is wanted.
"""

from functools import partial, reduce
from itertools import accumulate
from math import prod

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Integer, PRNGKeyArray, UInt32

_SMALLEST_TAIL = 2.0**-32

# Minimax fits (reweighted least squares to scipy's ndtri, gammainc, gammaincc in float64), lowest
# power first, in Moebius arguments, which keep singularities far off. Normal: relative error 8e-8.
_NORMAL = (
    *(2.9412992, 4.5333154, 2.2217833, 0.53352938, 3.2395783, 2.888625, -3.3477719, -0.33189876),
    *(10.766598, 2.0354435, -13.205198, 1.3163135, 11.824498),
)
# Poisson: P(X >= 8) / P(X = 8) for means up to 9 (error 4e-8), and the expansion for n >= 8 (error
# of the CDF 1.4e-7 (1 + w^2) of the nearer tail). With fewer terms summed it needs higher degrees.
_SUMMED = 8
_POISSON_REST = (
    *(1.0, 0.11110983, 0.011117124, 9.9922367e-04, 9.4121656e-05, 1.2526541e-06, 2.1394379e-06),
    *(-3.0616251e-07, 4.3726384e-08, -2.874878e-09, 1.0610697e-10),
)
_POISSON_SCALE = 4.5
_POISSON_SQUARE = (
    *(0.1666665, -0.062495756, 0.012473746, -0.034035817, 0.029234836, -0.048522498, 0.044548797),
    *(-0.10456903, 0.33652173, -0.6554464, 0.62919531, -0.24797201),
)
_POISSON_SHIFT = (
    *(0.33333368, -0.12504305, 0.050595359, -0.095000725, 0.098757635, -0.16109863, 0.1997563),
    *(-0.02894786, -0.19842848),
)
_POISSON_FIRST = (-0.01978423, 0.07836443, -0.1888909, 0.4056006, -0.6839253, 0.6914561, -0.2849442)
_POISSON_SECOND = (-1.8097018e-04, 0.0029785342, -0.0078740221, 0.0055201423, -1.8575528e-04)


def open_uniform(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float[Array, "*shape"]:
    """Signed uniforms (see the convention above) on the odd multiples of 2^-32: u is never 0 or 1.

    `shape` may hold up to 2^32 numbers. The random words are those of `jax.random.bits`. For a
    Threefry key they are computed here, since `jax.random.bits` does not fuse on CPU.
    """
    if jax.random.key_impl(key) != "threefry2x32":
        return _odd(jax.random.bits(key, shape, jnp.uint32)) * _SMALLEST_TAIL
    data = jax.random.key_data(key)
    words = _threefry_words(data, prod(shape)).reshape(shape)
    # Always 2^32, which the compiler cannot know. It would fuse a product into every reader of the
    # uniforms and compute the random words again in each; a quotient it computes once.
    return _odd(words) / jnp.where((data[0] | 1) > 0, 2.0**32, jnp.nan)


def unit_interval(uniform: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The ordinary uniform of a signed one, in (0, 1); its upper tail is rounded to 2^-24."""
    return jnp.minimum(jnp.where(uniform < 0, uniform + 1, uniform), 1 - 2.0**-24)


def standard_normal(uniform: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Quantile of the standard normal distribution at u, to about 3e-7 of itself.

    Form after Giles (2011), "Approximating the erfinv function", GPU Computing Gems, ch. 10:
    (2u - 1) P(v), v = -log(4u(1 - u)), here with one polynomial in (v - 5) / (v + 10).
    """
    tail, upper = _nearer_tail(uniform)
    v = -jnp.log(4 * tail * (1 - tail))
    size = (1 - 2 * tail) * _polynomial(_NORMAL, 1 - 15 / (v + 10))  # is (v - 5) / (v + 10)
    return jnp.where(upper, size, -size)


def mean_one_lognormal(
    normal: Float[Array, "*#shape"], sigma: Float[Array, "*#shape"]
) -> Float[Array, "*#shape"]:
    """exp(sigma n - sigma^2 / 2): a lognormal factor with mean 1 from a standard normal n."""
    return jnp.exp(sigma * (normal - 0.5 * sigma))


@jax.jit
def poisson_inverse(
    uniform: Float[Array, "*#shape"], mean: Float[Array, "*#shape"]
) -> Float[Array, "*#shape"]:
    """Smallest whole n with P(X <= n) >= u, X Poisson with `mean` (units) in [0, 2^24).

    Below 8, n counts the probabilities summed from the nearer end. From 8 on it is Temme's uniform
    expansion of the incomplete gamma function, inverted as in Giles (2016), "Algorithm 955:
    approximation of the inverse Poisson cumulative distribution function", ACM TOMS 42(1):
    n = floor(mean + sqrt(mean) w + w^2 A(y) + B(y) + C(y) / mean + D(y) / mean^2), w the normal
    quantile of u, here with y = w / (w + 4.5 sqrt(mean)). The CDF at which n changes is right to
    3e-7, and to 3e-5 of the nearer tail down to a tail of 1e-9. A NaN mean gives NaN.
    """
    tail, upper = _nearer_tail(uniform)
    terms = [jnp.exp(-mean)]
    for k in range(1, _SUMMED):
        terms.append(terms[-1] * (mean * (1 / k)))
    rest = terms[-1] * (mean * (1 / _SUMMED)) * _polynomial(_POISSON_REST, mean)
    rest = jnp.where(mean < _SUMMED, rest, 1.0)  # from that mean on the median is not among them
    above = list(accumulate(terms[:0:-1], initial=rest))[::-1]
    summed = jnp.full_like(rest, _SUMMED)
    for p, q in zip(accumulate(terms), above, strict=True):
        summed -= jnp.where(upper, q <= tail, p >= tail)

    # Where the sum has the answer, what follows may be anything, also infinite.
    w = standard_normal(uniform)
    root = _POISSON_SCALE * jnp.sqrt(mean)
    y = 1 - root / (w + root)
    shift = (_polynomial(_POISSON_SECOND, y) / mean + _polynomial(_POISSON_FIRST, y)) / mean
    shift += _polynomial(_POISSON_SHIFT, y) + w * w * _polynomial(_POISSON_SQUARE, y)
    whole = jnp.floor(mean)  # added last: a large mean must not round what is floored
    expanded = whole + jnp.floor((mean - whole) + (w * root * (1 / _POISSON_SCALE) + shift))
    return jnp.where(summed < _SUMMED, summed, jnp.maximum(expanded, _SUMMED))


def geometric_inverse(
    uniform: Float[Array, "*#shape"], mean: Float[Array, "*#shape"]
) -> Float[Array, "*#shape"]:
    """Smallest whole n with P(X <= n) >= u for P(X = n) = (1 - r) r^n, r = mean / (1 + mean).

    P(X > n) = r^(n+1), so n + 1 is log(1 - u) / log(r) rounded up. `mean` is in units, 0 or more;
    a NaN mean gives NaN.
    """
    tail, upper = _nearer_tail(uniform)
    log_above = jnp.where(upper, jnp.log(tail), jnp.log1p(-tail))
    return jnp.maximum(jnp.ceil(-log_above / jnp.log1p(1 / mean)) - 1, 0)


def systematic_counts(
    shift: Float[Array, "*batch"],
    flows: Float[Array, "*batch N"],
    total: Float[Array, "*batch _"],
    together: Bool[Array, "N N"] | None = None,
) -> Float[Array, "*batch N"]:
    """Whole counts with expectations `flows`: floor(C_j + shift) - floor(C_(j-1) + shift).

    C_j is the sum of the first j flows (units, 0 or more) and `shift` one uniform, signed or in
    [0, 1). Each count is its flow rounded up or down, and their sum is at most `total`, a whole
    number below 2^31: where rounding errors make it larger, the last counts are reduced.
    The fractions are summed as 32-bit integers modulo one, whose carries are exact.

    together: which flows are counted in one sequence; by default all. `total` is then of each
    flow's own sequence; its last axis has length 1 where there is one.
    """
    shift, flows, total = map(jnp.asarray, (shift, flows, total))
    whole = jnp.floor(flows)
    fraction = _modulo_one(flows - whole)
    reached = _modulo_one(shift)[..., None] + _running_sum(fraction, together)
    counts = whole.astype(jnp.int32) + (reached < fraction)
    running, most = _running_sum(counts, together), total.astype(jnp.int32)
    if together is None:
        return jnp.diff(jnp.minimum(running, most), axis=-1, prepend=0).astype(jnp.float32)
    return (jnp.minimum(running, most) - jnp.minimum(running - counts, most)).astype(jnp.float32)


def _odd(words: UInt32[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Random words as signed odd numbers."""
    return (lax.bitcast_convert_type(words, jnp.int32) | 1).astype(jnp.float32)


def _nearer_tail(uniform: Float[Array, "*s"]) -> tuple[Float[Array, "*s"], Bool[Array, "*s"]]:
    """Probability of the nearer tail, never 0, and whether it is the upper one."""
    signed = jnp.where(uniform > 0.5, uniform - 1, uniform)
    return jnp.maximum(jnp.abs(signed), _SMALLEST_TAIL), signed < 0


def _modulo_one(number: Float[Array, "*shape"]) -> UInt32[Array, "*shape"]:
    signed = jnp.where(number >= 0.5, number - 1, number)
    return lax.bitcast_convert_type((signed * 2.0**32).astype(jnp.int32), jnp.uint32)


def _running_sum(
    numbers: Integer[Array, "*batch N"], together: Bool[Array, "N N"] | None
) -> Integer[Array, "*batch N"]:
    if numbers.shape[-1] > 32 and together is None:
        return jnp.cumsum(numbers, -1, dtype=numbers.dtype)
    mask = jnp.tri(numbers.shape[-1], dtype=bool)  # fuses, and beats a scan where it is short
    if together is not None:
        mask = mask & together
    return jnp.where(mask, numbers[..., None, :], 0).sum(-1, dtype=numbers.dtype)


def _polynomial(coefficients: tuple[float, ...], x: Float[Array, "*shape"]):
    """Even and odd powers apart: two chains of dependent operations of half the length."""
    square = x * x
    even = reduce(lambda value, c: value * square + c, coefficients[::2][::-1])
    odd = reduce(lambda value, c: value * square + c, coefficients[1::2][::-1])
    return even + x * odd


@partial(jax.jit, static_argnums=1)
def _threefry_words(key: UInt32[Array, " 2"], count: int) -> UInt32[Array, " count"]:
    """Threefry-2x32 of the counters 0..count-1, the two words of each joined by xor.

    Salmon, Moraes, Dror and Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", SC'11.
    """
    rotations = (13, 15, 26, 6, 17, 29, 16, 24)
    schedule = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(0x1BD11BDA))
    left = jnp.full(count, schedule[0])
    right = lax.iota(jnp.uint32, count) + schedule[1]
    for turn in range(20):
        left += right
        right = (right << rotations[turn % 8] | right >> (32 - rotations[turn % 8])) ^ left
        if turn % 4 == 3:
            group = turn // 4 + 1
            left += schedule[group % 3]
            right += schedule[(group + 1) % 3] + jnp.uint32(group)
    return left ^ right
