"""A family registered here is known to the simulator, the exact solver and scenario files."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import gammaln, xlog1py, xlogy
from scipy import stats

from agents.evaluation.simulation import interval, profit_per_period, simulate
from jaxsim import families, sampling, scenarios, store
from jaxsim.exact.classical import one_product
from jaxsim.exact.optimum import optimum
from jaxsim.exact.policy import policy_of
from jaxsim.families import Family, FamilyError, register
from jaxsim.records import Action
from jaxsim.scenarios.scenario import ScenarioError, load, parse

VISITORS = 12
"""Each of them wants a unit or not: binomial demand, less variable than Poisson's."""
COUNTS = jnp.arange(VISITORS + 1)


def log_mass(count, mean):
    count, share = jnp.broadcast_arrays(count, mean / VISITORS)
    chosen = gammaln(VISITORS + 1.0) - gammaln(count + 1.0) - gammaln(VISITORS - count + 1.0)
    known = chosen + xlogy(count, share) + xlog1py(VISITORS - count, -share)
    return jnp.where(count <= VISITORS, known, -jnp.inf)


def inverse(uniform, mean):
    """How many n have P(D ≤ n) < u."""
    reached = jnp.cumsum(jnp.exp(log_mass(COUNTS, jnp.expand_dims(mean, -1))), -1)
    reached, uniform = jnp.broadcast_arrays(
        reached[..., :-1], sampling.unit_interval(uniform)[..., None]
    )
    return (reached < uniform).sum(-1).astype(jnp.float32)


def tail(least, mean):
    mass = jnp.where(least <= COUNTS, jnp.exp(log_mass(COUNTS, mean)), 0.0)
    chance = mass.sum()
    return chance, jnp.maximum((COUNTS * mass).sum() / jnp.maximum(chance, 1e-37), least)


def law(mean, periods):
    return stats.binom(VISITORS * periods, mean / VISITORS)


BINOMIAL = register(Family("binomial-12", inverse, log_mass, tail, law))


@pytest.fixture(scope="module")
def params():
    """One product, lost sales, 5 units a period on average."""
    return one_product("lost-sales", 4.0, 1, "binomial-12")


def test_the_simulator_draws_from_it(params):
    action = Action(order=jnp.zeros(1), slate=jnp.zeros((1, 1), jnp.int32))
    state = store.reset(jax.random.key(0), params)
    one = jax.vmap(lambda key: store.step(key, state, action, params)[1].asked[0])
    asked = np.asarray(jax.jit(one)(jax.random.split(jax.random.key(1), 50_000)))
    expected = 50_000 * law(5.0, 1).pmf(np.asarray(COUNTS))
    found = np.bincount(asked.astype(int), minlength=VISITORS + 1)
    rare = expected < 5  # together one cell of the test
    cells = [np.append(each[~rare], each[rare].sum()) for each in (found, expected)]
    assert stats.chisquare(*cells).pvalue > 1e-4


def test_the_exact_solver_sums_over_it(params):
    """Without a lead time every day is a newsvendor; with one, the simulator earns as much."""
    costs = [
        law(5.0, 1).expect(lambda d, s=s: np.maximum(s - d, 0) + 4 * np.maximum(d - s, 0))
        for s in range(VISITORS + 1)
    ]
    found = optimum(params.replace(lead_time=jnp.zeros(1, jnp.int32)), tolerance=1e-4)
    assert -found.profit == pytest.approx(min(costs), abs=2e-4)
    found = optimum(params, tolerance=1e-4)
    totals = simulate(jax.random.key(0), policy_of(found), params, 512, 400, 50)
    _, (low, high) = interval(profit_per_period(totals, 400), 0.999)
    assert low <= found.profit <= high


def test_a_scenario_file_may_name_it(tmp_path):
    body = json.loads((scenarios.FOLDER / "pair.json").read_text()) | {"family": "binomial-12"}
    parse(body, "shop.json").save(tmp_path / "shop.json")
    assert load(tmp_path / "shop.json").params().family == "binomial-12"
    with pytest.raises(ScenarioError) as refused:
        parse(body | {"family": "binomial"}, "shop.json")
    said = str(refused.value)
    assert said.startswith("shop.json: family: 'binomial'") and "\n" not in said
    assert all(name in said for name in ("binomial-12", "geometric", "poisson"))


IN_BATCHES = [families.NEGATIVE_BINOMIAL.at(jnp.float32(v)) for v in (1.5, 6.0)]


@pytest.mark.parametrize("family", [families.POISSON, families.GEOMETRIC, BINOMIAL, *IN_BATCHES])
@pytest.mark.parametrize("mean", [0.3, 4.0])
def test_the_parts_of_a_family_agree(family, mean):
    """Inverse, mass, tail and law are those of one distribution."""
    exact, counts = family.law(mean, 1), jnp.arange(12)
    mass = np.exp(family.log_mass(counts, jnp.float32(mean)))
    np.testing.assert_allclose(mass, exact.pmf(np.asarray(counts)), rtol=2e-4)
    for least in (1, 3, 6):
        chance, beyond = family.tail(least, jnp.float32(mean))
        assert chance == pytest.approx(exact.sf(least - 1), rel=1e-3, abs=1e-7)
        conditional = exact.expect(lambda d, n=least: d * (d >= n)) / exact.sf(least - 1)
        assert beyond == pytest.approx(conditional, rel=1e-3)
    several = family.law(mean, 3)
    assert (several.mean(), several.var()) == pytest.approx((3 * mean, 3 * exact.var()))
    if family in IN_BATCHES:
        return  # three uniforms a draw: see `test_batches.py`
    uniforms = np.float32([0.01, 0.23, 0.5, 0.77, 0.995])
    found = family.inverse(jnp.asarray(uniforms), jnp.float32(mean))
    np.testing.assert_array_equal(found, exact.ppf(uniforms))


def test_nobody_takes_anything_where_nobody_comes():
    """A mean of 0 is no division by 0, in batches neither."""
    for family in (families.POISSON, families.NEGATIVE_BINOMIAL.at(jnp.float32(2.0))):
        mass = np.exp(family.log_mass(jnp.arange(3), jnp.float32(0.0)))
        np.testing.assert_allclose(mass, [1.0, 0.0, 0.0], atol=1e-6)
        assert float(family.tail(1, jnp.float32(0.0))[0]) == 0.0
        assert family.law(0.0, 2).ppf(0.99) == 0.0


def test_a_name_stands_for_one_family():
    assert register(BINOMIAL) is BINOMIAL and families.get("binomial-12") is BINOMIAL
    with pytest.raises(FamilyError, match="'poisson' is registered already; allowed: another name"):
        register(dataclasses.replace(BINOMIAL, name="poisson"))
    with pytest.raises(FamilyError, match="did you mean poisson"):
        families.get("poison")
