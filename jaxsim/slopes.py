"""Unit events with a stated derivative: the value is exact, the slope is what a unit would change.

A store counts whole units, so its ledger is flat almost everywhere and jumps in between. Each event
below keeps its exact value forward and carries backward the mean of what one unit more and one unit
less would do (smoothed perturbation analysis: Fu and Hu 1997, "Conditional Monte Carlo"). So
`jax.grad` of a simulated profit is an estimate of the slope of expected profit. Source: this
project; docs/slopes.md gives each event with its reason.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxsim import sampling


@jax.custom_jvp
def whole_units(level: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The nearest whole number; slope 1."""
    return jnp.round(level)


@whole_units.defjvp
def _whole_units(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return whole_units(*primals), tangents[0]


@jax.custom_jvp
def present(units: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """1 where there is stock, else 0.

    Slope: one unit more makes an empty shelf present (1: it can only gain), one unit less empties a
    shelf of one (half of it: one unit more changes nothing there).
    """
    return jnp.where(units > 0, 1.0, 0.0)


@present.defjvp
def _present(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    (units,) = primals
    slope = jnp.where(units <= 0, 1.0, jnp.where(units == 1, 0.5, 0.0))
    return present(units), slope * tangents[0]


@jax.custom_jvp
def sales(
    demand: Float[Array, "*shape"],
    stock: Float[Array, "*shape"],
    first: Float[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """min(demand, stock), in units.

    Slope in demand, of one customer more: 1 where stock is left. Slope in stock: 1 where stock
    binds, half at a tie; on an empty shelf without demand `first`, the chance that a first unit
    there would be sold (0 to 1; it has no slope of its own).
    """
    return jnp.minimum(demand, stock)


@sales.defjvp
def _sales(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    demand, stock, first = primals
    binds = [stock < demand, jnp.equal(stock, demand) & (stock <= 0), jnp.equal(stock, demand)]
    in_stock = jnp.select(binds, [jnp.ones_like(stock), first, 0.5 * jnp.ones_like(stock)])
    in_demand = jnp.where(demand < stock, 1.0, 0.0)
    return sales(*primals), in_demand * tangents[0] + in_stock * tangents[1]


def drawn(
    inverse: Callable[..., Array],
    uniform: Float[Array, "*draws"],
    mean: Float[Array, "*shape"],
    *given: Float[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """Demand of this mean, by its inverse distribution function; slope 1 in the mean.

    For a Poisson law dE f(D)/dmean = E[f(D + 1) - f(D)], so one unit more of demand is exact; where
    customers come in batches B, it stands for E[f(D + B) - f(D)] / E(B). `given`: other numbers of
    the law, without slope.
    """

    @jax.custom_jvp
    def draw(uniform: Array, mean: Array, *given: Array) -> Array:
        return inverse(uniform, mean, *given)

    @draw.defjvp
    def _draw(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
        return draw(*primals), tangents[1]

    return draw(uniform, mean, *given)


@jax.custom_jvp
def counts(
    shift: Float[Array, "*batch"],
    flows: Float[Array, "*batch N"],
    total: Float[Array, "*batch _"],
    together: Bool[Array, "N N"] | None,
) -> Float[Array, "*batch N"]:
    """Whole counts with expectations `flows` (`jaxsim.sampling.systematic_counts`); slope 1."""
    return sampling.systematic_counts(shift, flows, total, together)


@counts.defjvp
def _counts(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return counts(*primals), tangents[1]


@jax.custom_jvp
def rounded(shift: Float[Array, "*shape"], mean: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """A whole number with this expectation, `mean` rounded up or down by `shift`, uniform in
    [0, 1); slope 1 in the mean."""
    whole = jnp.floor(mean)
    return whole + jnp.where(shift < mean - whole, 1.0, 0.0)


@rounded.defjvp
def _rounded(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return rounded(*primals), tangents[1]


@jax.custom_jvp
def kept(counted: Float[Array, "*#shape"], left: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
    """Units left of the oldest ones: `counted`, those up to some age less what was taken of the
    oldest, but 0 or more, and at most all that is `left`.

    Slope: the mean of one unit more and one unit less. In `counted` 1 between the ends, half at an
    end; in `left` 1 where it binds, half at a tie.
    """
    return jnp.clip(counted, 0.0, left)


@kept.defjvp
def _kept(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    counted, left = primals
    at_an_end = jnp.equal(counted, 0.0) | jnp.equal(counted, left)
    inside = (counted >= 0.0) & (counted <= left)
    in_counted = jnp.where(inside, jnp.where(at_an_end, 0.5, 1.0), 0.0)
    in_left = jnp.where(counted > left, 1.0, jnp.where(jnp.equal(counted, left), 0.5, 0.0))
    return kept(*primals), in_counted * tangents[0] + in_left * tangents[1]


@jax.custom_jvp
def fill_rate(
    served: Float[Array, "*shape"], asked: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Share of first choices that were served, 1 where there were none.

    Slope in `asked`: of one customer more who is not served. Slope in `served`: of one unit more.
    """
    return jnp.where(asked > 0, served / jnp.maximum(asked, 1.0), 1.0)


@fill_rate.defjvp
def _fill_rate(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    served, asked = primals
    fill = fill_rate(served, asked)
    in_asked = served / (asked + 1.0) - fill
    return fill, tangents[0] / jnp.maximum(asked, 1.0) + in_asked * tangents[1]


@jax.custom_jvp
def shared_out(
    rates: Float[Array, "K N"], on_offer: Float[Array, "K N"], units: Float[Array, " N"]
) -> Float[Array, "K N"]:
    """Units by segment and first choice, each product's in proportion to its customers' `rates`.

    Slope in units: in proportion to `on_offer`, which also knows whose customers a hidden product
    would have. Rates have no slope here: who turns away is given.
    """
    return rates / jnp.maximum(rates.sum(0), 1e-30)[None] * units[None]


@shared_out.defjvp
def _shared_out(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    on_offer = primals[1]
    shares = on_offer / jnp.maximum(on_offer.sum(0), 1e-30)[None]
    return shared_out(*primals), shares * tangents[2][None]


def chance_of_one(
    mean: Float[Array, "*shape"], dispersion: Float[Array, "*#shape"] | float = 1.0
) -> Float[Array, "*shape"]:
    """P(D ≥ 1) of a Poisson law, or of customers in batches: what a first unit on an empty shelf
    sells."""
    excess = jnp.asarray(dispersion) - 1.0
    batch = jnp.where(excess > 0, excess / jnp.log1p(jnp.where(excess > 0, excess, 1.0)), 1.0)
    return -jnp.expm1(-mean / batch)
