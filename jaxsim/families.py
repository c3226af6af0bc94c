"""Distributions of demand: everything that the simulator and the exact solver ask of one.

A store names its family (`Params.family`). The simulator draws with the family's inverse, the exact
solver sums over its probabilities, and a scenario file may name any that is registered: a new one
is one `register(Family(...))`, before the first store that uses it. Source: this project.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from jax.scipy.special import gammainc, gammaln, xlog1py, xlogy
from jaxtyping import Array, Float

from jaxsim import batches, sampling
from jaxsim.errors import UserError, unknown


class FamilyError(UserError):
    """A distribution of demand that is not known, or whose name is taken."""


@dataclass(frozen=True)
class Family:
    """A distribution of whole-number demand with any mean m ≥ 0, as functions of the mean.

    All but `law` are traced by JAX, elementwise and broadcasting; units are units of a product
    per period. `log_mass`, `tail` and `law` are needed by the exact solver alone.
    """

    name: str
    """What stores and scenario files call it."""

    inverse: Callable[..., Float[Array, "..."]]
    """(uniform, mean) to the smallest n with P(D ≤ n) ≥ u, as float32. The uniform is read as in
    `jaxsim.sampling`; equal uniforms are then equal customers under every policy."""

    log_mass: Callable[..., Float[Array, "..."]]
    """(n, mean) to ln P(D = n), n whole and 0 or more."""

    tail: Callable[..., tuple[Float[Array, ""], Float[Array, ""]]]
    """(n, mean) to P(D ≥ n) and E(D | D ≥ n), n ≥ 1; the second is n or more, and finite even
    where the first is 0."""

    law: Callable[..., Any]
    """(mean, periods) to the demand of so many periods together: a frozen distribution of
    `scipy.stats`, of which `ppf`, `isf` and `sf` are used. The mean may be an array."""

    in_batches: bool = False
    """Whether a customer may take several units. Then every function takes as one argument more
    the dispersion, variance over mean, and `inverse` three uniforms for each draw."""

    def at(self, dispersion: float | Float[Array, ""]) -> "Family":
        """The family of one product: its functions are of the mean alone."""
        if not self.in_batches:
            return self
        return replace(
            self,
            inverse=lambda uniforms, mean: self.inverse(uniforms, mean, dispersion),
            log_mass=lambda count, mean: self.log_mass(count, mean, dispersion),
            tail=lambda least, mean: self.tail(least, mean, dispersion),
            law=lambda mean, periods: self.law(mean, periods, float(dispersion)),
            in_batches=False,
        )


_REGISTERED: dict[str, Family] = {}


def register(family: Family) -> Family:
    """Makes a family known to the simulator, the exact solver and scenario files; returns it.

    Raises `FamilyError` where another one has the name: programs compiled with that one would go
    on using it.
    """
    if _REGISTERED.setdefault(family.name, family) != family:
        raise FamilyError(f"family: {family.name!r} is registered already; allowed: another name")
    return family


def get(name: str) -> Family:
    """The family of that name. Raises `FamilyError`, naming those that are known."""
    if name not in _REGISTERED:
        raise FamilyError(unknown("family", name, names()))
    return _REGISTERED[name]


def names() -> list[str]:
    """Names of all registered families."""
    return sorted(_REGISTERED)


def _poisson_log_mass(count: Array, mean: Array) -> Array:
    return xlogy(count, mean) - mean - gammaln(count + 1)


def _poisson_tail(least: int, mean: Array) -> tuple[Array, Array]:
    """E(D | D ≥ n) = m · P(D ≥ n − 1) / P(D ≥ n)."""
    chance = gammainc(least, mean)
    before = gammainc(least - 1, mean) if least > 1 else 1.0
    return chance, jnp.maximum(mean * before / jnp.maximum(chance, 1e-37), least)


def _poisson_law(mean: Any, periods: int) -> Any:
    from scipy import stats  # slow to import, and only the exact solver needs it

    return stats.poisson(mean * periods)


def _geometric_log_mass(count: Array, mean: Array) -> Array:
    return xlogy(count, mean) - xlog1py(count + 1, mean)


def _geometric_tail(least: int, mean: Array) -> tuple[Array, Array]:
    """The distribution has no memory: E(D | D ≥ n) = n + m."""
    return jnp.exp(xlogy(least, mean) - xlog1py(least, mean)), least + mean


def _geometric_law(mean: Any, periods: int) -> Any:
    from scipy import stats

    return stats.nbinom(periods, 1 / (1 + mean))


def _batches_log_mass(count: Array, mean: Array, dispersion: Array) -> Array:
    several, m, v = _in_several(mean, dispersion)
    return jnp.where(several, batches.log_mass(count, m, v), _poisson_log_mass(count, mean))


def _batches_tail(least: int, mean: Array, dispersion: Array) -> tuple[Array, Array]:
    several, m, v = _in_several(mean, dispersion)
    chance, beyond = batches.tail(least, m, v)
    of_one, beyond_one = _poisson_tail(least, mean)
    return jnp.where(several, chance, of_one), jnp.where(several, beyond, beyond_one)


def _batches_law(mean: Any, periods: int, dispersion: float) -> Any:
    several = dispersion > 1 and bool(jnp.all(mean > 0))
    return batches.law(mean, periods, dispersion) if several else _poisson_law(mean, periods)


def _in_several(mean: Array, dispersion: Array) -> tuple[Array, Array, Array]:
    """Whether customers come who take several units, and a mean and a dispersion as if they did."""
    several = (mean > 0) & (dispersion > 1)
    return several, jnp.where(several, mean, 1.0), jnp.where(several, dispersion, 2.0)


POISSON = register(
    Family("poisson", sampling.poisson_inverse, _poisson_log_mass, _poisson_tail, _poisson_law)
)
GEOMETRIC = register(  # on 0, 1, 2, …
    Family(
        "geometric",
        sampling.geometric_inverse,
        _geometric_log_mass,
        _geometric_tail,
        _geometric_law,
    )
)
NEGATIVE_BINOMIAL = register(
    Family(
        "negative-binomial",
        batches.negative_binomial_inverse,
        _batches_log_mass,
        _batches_tail,
        _batches_law,
        in_batches=True,
    )
)
"""Poisson where the dispersion is 1."""
