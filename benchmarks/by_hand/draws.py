"""What `jaxsim.sampling` draws, by hand: Threefry words, quantiles, whole counts of expected flows.

Every function stays in 32 bits and without branches where a loop over it is to vectorise: one
division or floor in float64 would halve, or end, that.
"""

import numpy as np
from numba import njit

from jaxsim import sampling

F, U, I = np.float32, np.uint32, np.int32  # noqa: E741
ONE, ZERO, HALF = F(1), F(0), F(0.5)


def _float(numbers):
    return tuple(F(c) for c in numbers)


NORMAL, REST = _float(sampling._NORMAL), _float(sampling._POISSON_REST)
SQUARE, SHIFT = _float(sampling._POISSON_SQUARE), _float(sampling._POISSON_SHIFT)
FIRST, SECOND = _float(sampling._POISSON_FIRST), _float(sampling._POISSON_SECOND)
EIGHT = tuple(F(1 / k) for k in range(1, 9))
SCALE, SUMMED, TINY = F(sampling._POISSON_SCALE), F(sampling._SUMMED), F(2.0**-32)

FAST = {"contract", "nsz"}  # a·b + c in one operation, as XLA does; sums keep their order
inline = njit(forceinline=True, fastmath=FAST)


@inline
def _four_rounds(left, right, a, b, c, d):
    left = U(left + right)
    right = U(U(right << a) | U(right >> U(U(32) - a))) ^ left
    left = U(left + right)
    right = U(U(right << b) | U(right >> U(U(32) - b))) ^ left
    left = U(left + right)
    right = U(U(right << c) | U(right >> U(U(32) - c))) ^ left
    left = U(left + right)
    right = U(U(right << d) | U(right >> U(U(32) - d))) ^ left
    return left, right


@inline
def threefry(key0, key1, left, right):
    """Two words for two: Threefry-2x32 with 20 rounds."""
    key2 = U(key0 ^ key1 ^ U(0x1BD11BDA))
    left, right = U(left + key0), U(right + key1)
    left, right = _four_rounds(left, right, U(13), U(15), U(26), U(6))
    left, right = U(left + key1), U(right + key2 + U(1))
    left, right = _four_rounds(left, right, U(17), U(29), U(16), U(24))
    left, right = U(left + key2), U(right + key0 + U(2))
    left, right = _four_rounds(left, right, U(13), U(15), U(26), U(6))
    left, right = U(left + key0), U(right + key1 + U(3))
    left, right = _four_rounds(left, right, U(17), U(29), U(16), U(24))
    left, right = U(left + key1), U(right + key2 + U(4))
    left, right = _four_rounds(left, right, U(13), U(15), U(26), U(6))
    return U(left + key2), U(right + key0 + U(5))


@inline
def word(key0, key1, number):
    """Word `number` of a key, as `jax.random.bits` gives it."""
    left, right = threefry(key0, key1, U(0), U(number))
    return U(left ^ right)


@inline
def signed(bits):
    return F(F(I(bits | U(1))) * TINY)


@inline
def unit(u):
    return F(min(u + ONE if u < ZERO else u, F(1 - 2.0**-24)))


@inline
def exponential(x):
    """exp in float32 by one polynomial, so that loops over it vectorise."""
    x = min(max(x, F(-87.0)), F(88.0))
    whole = np.floor(F(x * F(1.4426950408889634) + HALF))
    r = F(F(x - whole * F(0.693359375)) - whole * F(-2.12194440e-4))
    p = F(1.9875691500e-4) * r + F(1.3981999507e-3)
    p = F(p * r + F(8.3334519073e-3))
    p = F(p * r + F(4.1665795894e-2))
    p = F(p * r + F(1.6666665459e-1))
    p = F(p * r + F(5.0000001201e-1))
    return F(F(p * r * r + r + ONE) * I((I(whole) + I(127)) << I(23)).view(F))


@inline
def logarithm(x):
    """log in float32 of a positive normal number."""
    bits = F(x).view(I)
    e = F(I(bits - I(0x3F3504F3)) >> I(23))
    m = F(I(bits - I(I(e) << I(23))).view(F) - ONE)
    p = F(7.0376836292e-2) * m - F(1.1514610310e-1)
    p = F(p * m + F(1.1676998740e-1))
    p = F(p * m - F(1.2420140846e-1))
    p = F(p * m + F(1.4249322787e-1))
    p = F(p * m - F(1.6668057665e-1))
    p = F(p * m + F(2.0000714765e-1))
    p = F(p * m - F(2.4999993993e-1))
    p = F(p * m + F(3.3333331174e-1))
    square = F(m * m)
    return F(m + (p * m * square - HALF * square) + e * F(0.6931471805599453))


@inline
def polynomial(coefficients, x):
    value = ZERO
    for i in range(len(coefficients) - 1, -1, -1):
        value = F(value * x + coefficients[i])
    return value


@inline
def normal(u):
    tail = max(abs(u), TINY)
    v = F(-logarithm(F(F(4) * tail * F(ONE - tail))))
    size = F(F(ONE - F(2) * tail) * polynomial(NORMAL, F(ONE - F(15) / F(v + F(10)))))
    return size if u < ZERO else F(-size)


@njit(fastmath=FAST, cache=True)
def poisson(u, mean):
    """`jaxsim.sampling.poisson_inverse` of a signed uniform, with early ways out."""
    tail, upper = max(abs(u), TINY), u < ZERO
    if upper and mean < SUMMED:
        found = summed_from_above(tail, mean)
        if found < SUMMED:
            return found
    if not upper and mean < F(4) * SUMMED:
        found = summed_from_below(tail, mean)
        if found < SUMMED:
            return found
    expanded = expansion(u, mean)
    if not upper and expanded <= SUMMED and mean >= F(4) * SUMMED:
        return min(summed_from_below(tail, mean), max(expanded, SUMMED))
    return max(expanded, SUMMED)


@inline
def summed_from_below(tail, mean):
    p = exponential(F(-mean))
    below, found = p, SUMMED
    for k in range(8):
        if below >= tail:
            found = F(k)
            break
        p = F(p * F(mean * EIGHT[k]))
        below = F(below + p)
    return found


@inline
def summed_from_above(tail, mean):
    p1 = F(exponential(F(-mean)) * mean)
    p2 = F(p1 * F(mean * EIGHT[1]))
    p3 = F(p2 * F(mean * EIGHT[2]))
    p4 = F(p3 * F(mean * EIGHT[3]))
    p5 = F(p4 * F(mean * EIGHT[4]))
    p6 = F(p5 * F(mean * EIGHT[5]))
    p7 = F(p6 * F(mean * EIGHT[6]))
    above = F(F(p7 * F(mean * EIGHT[7])) * polynomial(REST, mean))
    found = SUMMED
    for p in (p7, p6, p5, p4, p3, p2, p1, ZERO):
        if above > tail:
            break
        found = F(found - ONE)
        above = F(above + p)
    return found


@inline
def expansion(u, mean):
    w = normal(u)
    root = F(SCALE * np.sqrt(mean))
    y = F(ONE - root / F(w + root))
    shift = F(F(polynomial(SECOND, y) / mean + polynomial(FIRST, y)) / mean)
    shift = F(shift + F(polynomial(SHIFT, y) + w * w * polynomial(SQUARE, y)))
    whole = np.floor(mean)
    return F(whole + np.floor(F(F(mean - whole) + F(w * root * F(1 / SCALE) + shift))))


@inline
def fraction_bits(number):
    return U(I(F(number - ONE if number >= HALF else number) * F(4294967296.0)))


@inline
def systematic_counts(shift, flows, total, counts):
    """Whole counts with expectations `flows`, together at most `total`."""
    reached, before, running = fraction_bits(shift), I(0), I(0)
    for i in range(len(flows)):
        whole = np.floor(flows[i])
        part = fraction_bits(F(flows[i] - whole))
        reached = U(reached + part)
        running = I(running + I(whole) + (I(1) if reached < part else I(0)))
        capped = min(running, I(total))
        counts[i] = F(capped - before)
        before = capped
