import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from jaxsim import families, sampling

REGISTERED = [families.POISSON.inverse, families.GEOMETRIC.inverse]
MEANS = (0.01, 0.1, 0.5, 1, 2, 5, 7.9, 8.1, 8.99, 9.01, 12, 20, 35, 50, 100, 300, 1e3, 3e3, 1e4)
INVERSES = {
    "poisson": (sampling.poisson_inverse, stats.poisson),
    "geometric": (
        jax.jit(sampling.geometric_inverse),
        lambda mean: stats.geom(1 / (1 + mean), loc=-1),
    ),
}


def tails(family, means, side, smallest=1e-9):
    """(mean, n, exact probability) of the CDF (side 1) or of what is above it (side -1)."""
    rows = []
    for mean in np.float32(means).astype(np.float64):
        law = family(mean)
        ends = (law.ppf(smallest), law.ppf(0.5)) if side > 0 else (law.ppf(0.5), law.isf(smallest))
        quantiles = np.unique(np.linspace(*ends, int(min(ends[1] - ends[0] + 1, 400))).round())
        exact = law.cdf(quantiles) if side > 0 else law.sf(quantiles)
        kept = (exact > smallest) & (exact < 0.499)
        rows.append(np.stack([np.full(kept.sum(), mean), quantiles[kept], exact[kept]]))
    return np.concatenate(rows, axis=1)


def switching_tails(inverse, mean, quantile, side):
    """The tail probability at which `inverse` passes each quantile, by bisection on float32."""
    inside = np.full(mean.shape, 2.0**-32, np.float32).view(np.int32).astype(np.int64)
    outside = np.full(mean.shape, 0.5, np.float32).view(np.int32).astype(np.int64)
    for _ in range(31):
        middle = (inside + outside) // 2
        tail = middle.astype(np.int32).view(np.float32)
        beyond = (inverse(side * tail, np.float32(mean)) > quantile) == (side < 0)
        inside, outside = np.where(beyond, middle, inside), np.where(beyond, outside, middle)
    return outside.astype(np.int32).view(np.float32).astype(np.float64)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("name", INVERSES)
def test_quantiles_change_where_the_exact_cdf_says(name, side):
    inverse, family = INVERSES[name]
    mean, quantile, exact = tails(family, MEANS, side)
    found = switching_tails(inverse, mean, quantile, side)
    assert len(exact) > 1000
    assert np.abs(found - exact).max() < 3e-7
    assert np.abs(found / exact - 1).max() < 3e-5
    assert np.abs(found / exact - 1)[exact > 0.01].max() < 3e-6


@pytest.mark.parametrize("name", INVERSES)
def test_means_up_to_a_million(name):
    inverse, family = INVERSES[name]
    for side in (1, -1):
        mean, quantile, exact = tails(family, (1e-4, 1e5, 1e6), side)
        found = switching_tails(inverse, mean, quantile, side)
        assert np.abs(found - exact).max() < 3e-7
        assert np.abs(found / exact - 1).max() < 5e-5


@pytest.mark.parametrize("name", INVERSES)
def test_draws_are_whole_and_zero_at_mean_zero(name):
    inverse, _ = INVERSES[name]
    uniform = sampling.open_uniform(jax.random.key(1), (20_000,))
    mean = jnp.geomspace(1e-6, 1e6, 20_000)
    draws = inverse(uniform, mean)
    assert draws.dtype == jnp.float32
    assert jnp.isfinite(draws).all() and (draws >= 0).all() and (draws == jnp.floor(draws)).all()
    extremes = jnp.array([2.0**-32, 0.5, -0.5, -(2.0**-32)])
    assert (inverse(extremes, jnp.zeros(4)) == 0).all()
    with jax.debug_nans(False):
        assert jnp.isnan(inverse(extremes, jnp.full(4, jnp.nan))).all()


@pytest.mark.parametrize("name", INVERSES)
def test_monotone_in_uniform_and_in_mean(name):
    inverse, _ = INVERSES[name]
    rng = np.random.default_rng(2)
    count = 1_000_000
    tail = np.float32(np.exp(rng.uniform(np.log(2.0**-32), np.log(0.5), count)))
    side = np.float32(rng.choice([-1, 1], count))
    mean = np.float32(np.exp(rng.uniform(np.log(0.01), np.log(1e4), count)))
    mean[: count // 4] = np.float32(rng.uniform(6, 13, count // 4))  # about the seam at n = 8
    draws = np.asarray(inverse(side * tail, mean))
    raised = inverse(side * tail, mean * np.float32(1 + 1e-4))
    assert (raised >= draws).all()
    smaller_tail = np.asarray(inverse(side * tail * np.float32(1 - 1e-4), mean))
    assert (side * (draws - smaller_tail) >= 0).all()
    median = np.asarray(inverse(np.float32(0.49999), mean))
    assert (inverse(np.float32(-0.49999), mean) >= median).all()


@pytest.mark.parametrize("mean", [0.3, 4.0, 8.5, 60.0, 5000.0])
def test_drawn_moments(mean):
    count = 400_000
    uniform = sampling.open_uniform(jax.random.key(3), (count,))
    for name, variance in (("poisson", mean), ("geometric", mean * (1 + mean))):
        draws = np.asarray(INVERSES[name][0](uniform, jnp.full(count, mean)), np.float64)
        assert abs(draws.mean() - mean) < 4.5 * np.sqrt(variance / count)
        assert abs(draws.var() / variance - 1) < 4.5 * np.sqrt(stats.kurtosis(draws) + 2) / 632


def test_no_loop_gather_or_sort_in_a_draw():
    uniform, mean = jnp.full(4, 0.3), jnp.full(4, 2.0)
    for inverse in REGISTERED:
        text = str(jax.make_jaxpr(inverse)(uniform, mean))
        assert not any(word in text for word in ("while", "scan", "gather", "sort", "f64"))


def test_uniforms_and_means_broadcast():
    uniform, mean = jnp.array([[0.2], [-0.2]]), jnp.array([0.0, 3.0, 30.0])
    for inverse in REGISTERED:
        pairs = [[inverse(u, m) for m in mean] for u in uniform[:, 0]]
        np.testing.assert_array_equal(inverse(uniform, mean[None]), pairs)


def test_standard_normal_in_both_tails():
    tail = np.float32(np.concatenate([np.geomspace(2.0**-32, 0.5, 20_000), [0.49999997]]))
    exact = special.ndtri(tail.astype(np.float64))
    for side in (1, -1):
        found = sampling.standard_normal(jnp.asarray(side * tail))
        np.testing.assert_allclose(found, side * exact, rtol=6e-7, atol=1e-9)


def test_ordinary_uniforms_are_read_modulo_one():
    uniform = jnp.linspace(0.001, 0.999, 999)
    signed = jnp.where(uniform > 0.5, uniform - 1, uniform)
    mean = jnp.linspace(0.1, 40, 999)
    for inverse in REGISTERED:
        assert (inverse(uniform, mean) == inverse(signed, mean)).all()
    assert (sampling.standard_normal(uniform) == sampling.standard_normal(signed)).all()
    np.testing.assert_allclose(sampling.unit_interval(signed), uniform, atol=6e-8)
    extremes = sampling.unit_interval(jnp.array([-(2.0**-32), 2.0**-32]))
    assert extremes[1] > 0 and extremes[0] < 1
    assert sampling.poisson_inverse(0.0, 5.0) == 0 and jnp.isfinite(
        sampling.standard_normal(jnp.float32(0))
    )


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
def test_open_uniform_uses_the_words_of_jax(impl):
    key, shape = jax.random.key(4, impl=impl), (3, 67)
    uniform = np.asarray(sampling.open_uniform(key, shape), np.float64)
    words = np.asarray(jax.random.bits(key, shape, jnp.uint32)).view(np.int32) | 1
    np.testing.assert_allclose(uniform, words * 2.0**-32, rtol=6e-8)


def test_open_uniform_is_uniform_with_fine_tails():
    uniform = np.asarray(sampling.open_uniform(jax.random.key(5), (2_000_000,)), np.float64)
    assert (uniform != 0).all() and np.abs(uniform).max() <= 0.5
    for side in (1, -1):
        for tail in (1e-1, 1e-3, 1e-5):
            expected = tail * len(uniform)
            found = ((side * uniform > 0) & (side * uniform < tail)).sum()
            assert abs(found - expected) < 4.5 * np.sqrt(expected)
        assert 0 < np.abs(uniform[side * uniform > 0]).min() < 1e-5
    assert stats.kstest(np.mod(uniform, 1), "uniform").pvalue > 1e-3


def test_open_uniform_of_a_batch_of_keys():
    keys = jax.random.split(jax.random.key(6), 5)
    batch = jax.vmap(lambda key: sampling.open_uniform(key, (7,)))(keys)
    single = jnp.stack([sampling.open_uniform(key, (7,)) for key in keys])
    assert (batch == single).all()
    assert sampling.open_uniform(keys[0], ()).shape == ()


def test_mean_one_lognormal_has_mean_one():
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    for sigma in (0.0, 0.2, 1.0):
        factor = np.asarray(
            sampling.mean_one_lognormal(jnp.float32(nodes), jnp.float32(sigma)), np.float64
        )
        assert factor @ weights / weights.sum() == pytest.approx(1, abs=2e-6)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    total=st.integers(0, 100_000),
    count=st.sampled_from([1, 3, 20, 50]),
    shift=st.one_of(st.floats(-0.5, 1, exclude_max=True, width=32), st.just(1 - 2.0**-24)),
)
def test_systematic_counts_never_exceed_the_total(seed, total, count, shift):
    rng = np.random.default_rng(seed)
    sample = jax.jit(sampling.systematic_counts)
    shares = rng.dirichlet(np.full(count, 0.3))
    flows = np.float32(total * shares * rng.choice([1, 1 + 2e-7, rng.uniform()]))
    counts = np.asarray(sample(jnp.float32(shift), jnp.asarray(flows), jnp.float32([total])))
    assert (counts >= 0).all() and (counts == np.floor(counts)).all()
    assert counts.sum() <= total
    assert (counts <= np.ceil(flows)).all()
    assert counts.sum() >= min(np.floor(flows.astype(np.float64).sum() - 1e-6), total)


@pytest.mark.parametrize("count", [20, 40])
def test_systematic_counts_match_their_definition_and_are_unbiased(count):
    rng = np.random.default_rng(7)
    flows = np.float32(rng.integers(0, 3 << 12, (6, count)) / (1 << 12))  # exact in 12 bits
    total = np.float32(np.ceil(flows.sum(-1)))
    shifts = np.float32((np.arange(4096) + 0.5) / 4096)
    given = jnp.asarray(flows), jnp.asarray(total)[:, None]
    counts = jax.vmap(lambda u: sampling.systematic_counts(jnp.full(6, u), *given))(shifts)
    reached = np.cumsum(np.pad(flows.astype(np.float64), ((0, 0), (1, 0))), -1)
    expected = np.diff(np.floor(reached + shifts[:, None, None]), axis=-1)
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_allclose(np.asarray(counts, np.float64).mean(0), flows, atol=1e-9)


def test_sequences_counted_apart_are_as_if_each_were_alone():
    """Flows of two sequences in turns: their counts, and what caps them, are their own."""
    rng = np.random.default_rng(8)
    flows = jnp.asarray(rng.uniform(0, 3, 10), jnp.float32)
    turn = jnp.arange(10) % 2
    apart = turn[:, None] == turn[None]
    totals = jnp.where(turn == 0, 4.0, 100.0)  # the first is capped
    for shift in np.float32(rng.uniform(size=50)):
        both = sampling.systematic_counts(jnp.float32(shift), flows, totals, apart)
        for each, total in ((0, 4.0), (1, 100.0)):
            alone = sampling.systematic_counts(
                jnp.float32(shift), flows[turn == each], jnp.float32([total])
            )
            np.testing.assert_array_equal(both[turn == each], alone)
