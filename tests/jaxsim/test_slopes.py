"""Every unit event: its value is the store's, its slope what one unit more or less would do."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxsim import ageing, choice, families, redraw, slopes, store
from jaxsim.records import Action, Flows
from tests.random_stores import random_params, random_state


def slope_of(function, *at):
    """Of a function of numbers, in each of them."""
    return [
        float(each) for each in jax.grad(function, tuple(range(len(at))))(*map(jnp.float32, at))
    ]


@pytest.mark.parametrize(
    ("demand", "stock", "in_demand", "in_stock"),
    [
        (3, 5, 1.0, 0.0), (5, 3, 0.0, 1.0), (4, 4, 0.0, 0.5), (1, 1, 0.0, 0.5), (2, 0, 0.0, 1.0),
        (0, 0, 0.0, 0.7),
    ],
)  # fmt: skip
def test_sales(demand, stock, in_demand, in_stock):
    """Stock: the mean of one unit more and one less. Demand: one customer more."""
    first = jnp.float32(0.7)
    assert float(slopes.sales(jnp.float32(demand), jnp.float32(stock), first)) == min(demand, stock)
    found = slope_of(lambda d, s: slopes.sales(d, s, first), demand, stock)
    assert found == pytest.approx([in_demand, in_stock])
    if stock > 0:
        more, less = (min(demand, stock + by) for by in (1, -1))
        assert in_stock == (more - less) / 2
    assert in_demand == min(demand + 1, stock) - min(demand, stock)


@pytest.mark.parametrize(
    ("units", "value", "slope"), [(0, 0, 1), (1, 1, 0.5), (2, 1, 0), (9, 1, 0)]
)
def test_presence(units, value, slope):
    assert float(slopes.present(jnp.float32(units))) == value
    assert slope_of(slopes.present, units) == [slope]


def test_rounding_passes_its_slope_on():
    level = jnp.array([0.2, 1.5, -3.7])
    np.testing.assert_array_equal(slopes.whole_units(level), jnp.round(level))
    np.testing.assert_array_equal(jax.grad(lambda x: slopes.whole_units(x).sum())(level), 1.0)


def test_the_slope_of_poisson_demand_is_exact_in_the_mean():
    """d E[min(D, 4)] / d mean = P(D <= 3), by many uniform numbers."""
    inverse = families.get("poisson").inverse
    uniform = (jnp.arange(20_000) + 0.5) / 20_000

    def sold(mean):
        drawn = slopes.drawn(inverse, uniform, jnp.full_like(uniform, mean))
        return slopes.sales(drawn, jnp.full_like(uniform, 4.0), jnp.zeros_like(uniform)).mean()

    assert float(jax.grad(sold)(jnp.float32(3.3))) == pytest.approx(
        stats.poisson.cdf(3, 3.3), abs=2e-3
    )


@pytest.mark.parametrize(("served", "asked"), [(0, 0), (2, 2), (2, 5), (0, 3)])
def test_fill_rate(served, asked):
    value = float(slopes.fill_rate(jnp.float32(served), jnp.float32(asked)))
    assert value == pytest.approx(served / asked if asked else 1.0)
    in_served, in_asked = slope_of(slopes.fill_rate, served, asked)
    assert in_asked == pytest.approx(served / (asked + 1) - value)
    if asked:
        assert in_served == pytest.approx((served + 1) / asked - value)


@pytest.mark.parametrize("categories", [1, 2])
@pytest.mark.parametrize("product", range(3))
def test_the_slope_in_availability_is_the_difference_that_a_product_makes(product, categories):
    """Of an absent one: the customers it would have, and what those choose without it."""
    params = random_params(2, 5, 3, 2, 3, categories=categories)
    weights = jnp.exp(params.utility)
    on_offer = jnp.ones(5).at[product].set(0.0)

    def shares(on_offer):
        return choice.choice_shares(weights, on_offer, params.needs)

    _, slope = jax.jvp(shares, (on_offer,), (jnp.eye(5)[product],))
    made = shares(jnp.ones(5)) - shares(on_offer)
    np.testing.assert_allclose(slope, made, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("categories", [1, 2])
def test_drawing_a_slot_anew_changes_mean_demand_as_brute_force_says(categories):
    """Every candidate of a slot, the other slot given: expected demand over the draw."""
    params = random_params(4, 5, 2, 2, 3, categories=categories)
    rng = np.random.default_rng(0)
    slate = jnp.array([[0, 3], [2, 1]])
    plain = jnp.asarray(rng.uniform(0.2, 2.0, (2, 5)), jnp.float32)
    arrivals = jnp.array([3.0, 5.0])
    logits = jnp.asarray(rng.normal(size=(2, 2, 5)), jnp.float32)
    away = jnp.stack([jnp.arange(5)[None] == slate[:, 1 - slot, None] for slot in (0, 1)])

    def chances_of(logits):
        return jax.nn.softmax(jnp.where(away, -1e9, logits), -1)

    def by_brute_force(logits):
        chances, total = chances_of(logits), 0.0
        for slot in (0, 1):
            given = (jnp.arange(5)[None] == slate[:, 1 - slot, None]) * params.slot_weight[1 - slot]
            for candidate in range(5):
                shown = given + jnp.eye(5)[candidate][None] * params.slot_weight[slot]
                weights = plain * jnp.exp(params.lift[:, None] * shown)
                shares = choice.choice_shares(weights, jnp.ones(5), params.needs)
                rates = arrivals[:, None] * shares
                total = total + chances[slot][:, candidate, None] * rates
        return total

    def by_redraw(logits):
        action = Action(order=jnp.zeros(5), slate=slate, draws=chances_of(logits))
        return redraw.expected(action, plain, arrivals, jnp.full(5, 1e6), params)[0]

    weights = jnp.asarray(rng.normal(size=(2, 5)), jnp.float32)
    mine, right = (
        jax.grad(lambda x, of=of: (weights * of(x)).sum())(logits)
        for of in (by_redraw, by_brute_force)
    )
    np.testing.assert_allclose(mine, right, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(by_redraw(logits), 0.0)


@pytest.mark.parametrize(
    ("counted", "left", "in_counted", "in_left"),
    [
        (-2, 3, 0.0, 0.0), (0, 3, 0.5, 0.0), (2, 3, 1.0, 0.0), (3, 3, 0.5, 0.5), (5, 3, 0.0, 1.0),
        (2, 0, 0.0, 1.0), (-1, 0, 0.0, 0.0),
    ],
)  # fmt: skip
def test_what_is_kept_of_the_oldest(counted, left, in_counted, in_left):
    """Both slopes are the mean of one unit more and one less, where both are possible."""

    def kept(counted, left):
        return min(max(counted, 0), left)

    assert float(slopes.kept(jnp.float32(counted), jnp.float32(left))) == kept(counted, left)
    assert slope_of(slopes.kept, counted, left) == [in_counted, in_left]
    assert in_counted == (kept(counted + 1, left) - kept(counted - 1, left)) / 2
    if left > 0:
        assert in_left == (kept(counted, left + 1) - kept(counted, left - 1)) / 2


def test_rounding_at_random_keeps_the_mean_and_passes_its_slope_on():
    shift = (jnp.arange(1000) + 0.5) / 1000
    for mean in (0.0, 1.0, 2.3, 7.0):
        found = slopes.rounded(shift, jnp.full(1000, mean))
        assert float(found.mean()) == pytest.approx(mean, abs=2e-3) and set(map(float, found)) <= {
            np.floor(mean), np.ceil(mean),
        }  # fmt: skip
    assert (
        float(jax.grad(lambda mean: slopes.rounded(jnp.float32(0.4), mean))(jnp.float32(2.3)))
        == 1.0
    )


@pytest.mark.parametrize("fresh_share", [0.0, 1.0])
def test_the_slopes_of_ageing_are_the_differences_that_a_unit_makes(fresh_share):
    """Waste, and what is left by age, in stock of each age and in sales: the mean of one unit more
    and one less, on every shelf of up to three units of each of two ages that does not sell out."""
    params = random_params(0, 1, 1, 1, 1, max_shelf_life=2).replace(
        shelf_life=jnp.array([2]), fresh_share=jnp.float32(fresh_share)
    )
    chance = store.draw(jax.random.key(0), params)
    empty = Flows(**{field.name: jnp.zeros(1) for field in dataclasses.fields(Flows)})
    blank = random_state(0, params)

    @jax.jit
    def evening(units):
        *rows, bought = units
        state = blank.replace(on_hand=sum(rows)[None], expiring=jnp.stack(rows)[:, None])
        left = state.on_hand - bought
        flows = empty.replace(served=bought[None])
        left, older, flows = ageing.expire(chance, state, left, flows, params)
        return jnp.concatenate([flows.wasted, left, older[0]])

    slopes_of, units = jax.jit(jax.jacobian(evening)), jnp.eye(3)
    for shelf in np.ndindex(4, 4):
        for bought in range(1, sum(shelf)):
            at = jnp.array([*shelf, bought], jnp.float32)
            made = jnp.stack([evening(at + one) - evening(at - one) for one in units], -1) / 2
            possible = np.array([*shelf, bought]) > 0
            np.testing.assert_array_equal(slopes_of(at)[:, possible], made[:, possible])


def test_units_are_shared_out_by_rates_and_their_slope_by_what_is_on_offer():
    rates, on_offer = jnp.array([[1.0, 3.0], [3.0, 1.0]]), jnp.array([[2.0, 0.0], [2.0, 4.0]])
    units = jnp.array([4.0, 8.0])
    shared = partial(slopes.shared_out, rates, on_offer)
    np.testing.assert_allclose(shared(units), [[1.0, 6.0], [3.0, 2.0]])
    of_product = jnp.diagonal(jax.jacobian(shared)(units), axis1=1, axis2=2)
    np.testing.assert_allclose(of_product, [[0.5, 0.0], [0.5, 1.0]])


def test_a_first_unit_sells_where_a_customer_comes():
    means = np.array([0.0, 0.5, 3.0])
    np.testing.assert_allclose(
        slopes.chance_of_one(jnp.asarray(means, jnp.float32)), stats.poisson.sf(0, means), rtol=1e-6
    )
    found = slopes.chance_of_one(jnp.asarray(means[1:], jnp.float32), jnp.float32(2.5))
    np.testing.assert_allclose(found, stats.nbinom.sf(0, means[1:] / 1.5, 0.4), rtol=1e-5)
