"""Distributions of demand: everything that the simulator and the exact solver ask of one.

A store names its family (`Params.family`). The simulator draws with the family's inverse, the exact
solver sums over its probabilities, and a scenario file may name any that is registered: a new one
is one `register(Family(...))`, before the first store that uses it. Source: this project.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax.scipy.special import gammainc, gammaln, xlog1py, xlogy
from jaxtyping import Array, Float, Num

from jaxsim import sampling
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

    inverse: Callable[[Float[Array, "..."], Float[Array, "..."]], Float[Array, "..."]]
    """(uniform, mean) to the smallest n with P(D ≤ n) ≥ u, as float32. The uniform is read as in
    `jaxsim.sampling`; equal uniforms are then equal customers under every policy."""

    log_mass: Callable[[Num[Array, "..."], Float[Array, "..."]], Float[Array, "..."]]
    """(n, mean) to ln P(D = n), n whole and 0 or more."""

    tail: Callable[[int, Float[Array, ""]], tuple[Float[Array, ""], Float[Array, ""]]]
    """(n, mean) to P(D ≥ n) and E(D | D ≥ n), n ≥ 1; the second is n or more, and finite even
    where the first is 0."""

    law: Callable[[float, int], Any]
    """(mean, periods) to the demand of so many periods together: a frozen distribution of
    `scipy.stats`, of which `ppf` and `isf` are used."""


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


def _poisson_law(mean: float, periods: int) -> Any:
    from scipy import stats  # slow to import, and only the exact solver needs it

    return stats.poisson(mean * periods)


def _geometric_log_mass(count: Array, mean: Array) -> Array:
    return xlogy(count, mean) - xlog1py(count + 1, mean)


def _geometric_tail(least: int, mean: Array) -> tuple[Array, Array]:
    """The distribution has no memory: E(D | D ≥ n) = n + m."""
    return jnp.exp(xlogy(least, mean) - xlog1py(least, mean)), least + mean


def _geometric_law(mean: float, periods: int) -> Any:
    from scipy import stats

    return stats.nbinom(periods, 1 / (1 + mean))


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
