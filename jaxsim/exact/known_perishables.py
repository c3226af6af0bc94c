"""Published perishable products, for the exact solver and as stores for the simulator.

Sources: De Moor, Gijsbrechts and Boute (2022), "Reward shaping to improve the performance of deep
reinforcement learning in perishable inventory management", EJOR 301(2), 535-545; returns by
Farrington, Wong, Li and Utley (2025), Annals of Operations Research 349, 1609, table 3.
"""

import itertools
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, PRNGKeyArray
from scipy import stats

from jaxsim import families, sampling
from jaxsim.exact.perishable import Perishable
from jaxsim.families import Family
from jaxsim.params import Params
from jaxsim.records import Action, State
from jaxsim.scenarios.scenario import parse

DISCOUNT, WARM_UP, PERIODS = 0.99, 100, 365
"""Of the published returns, from an empty store on."""

RETURNS = {(2, 1): (1553, 1565), (2, 2): (1457, 1474), (2, 6): (1461, 1495), (3, 2): (1424, 1435)}
"""By shelf life and experiment: published discounted cost of the optimum and of the best base-stock
policy, means of simulations."""

SHAPE, MOST = 4, 100
"""Of the gamma distribution whose nearest unit is demand; the most units of it."""

BELOW, TRIED = 3, 5
"""Of an inverse of that distribution: from how many units below an approximation (Wilson and
Hilferty, 1931) so many are tried one by one. For means up to 10 the answer is among them."""


def instances() -> list[tuple[int, int]]:
    """Shelf lives and experiments of the 32 published products."""
    return list(itertools.product((2, 3, 4, 5), range(1, 9)))


def published(shelf_life: int, experiment: int) -> Perishable:
    """A published product. Experiments 1 to 4 have lead time 1, 5 to 8 have 2; odd ones sell the
    freshest unit first; waste costs 7, in 3, 4, 7 and 8 it costs 10."""
    return Perishable(
        shelf_life=shelf_life,
        lead_time=1 if experiment <= 4 else 2,
        lifo=experiment % 2 == 1,
        cost=3.0,
        holding=1.0,
        penalty=5.0,
        waste=10.0 if experiment in (3, 4, 7, 8) else 7.0,
        demand=rounded_gamma(4.0),
    )


def poisson_instances() -> list[tuple[bool, float]]:
    """Whether the freshest unit is sold first, and the unit cost, of four more products."""
    return list(itertools.product((False, True), (0.0, 3.0)))


def poisson(lifo: bool, cost: float) -> Perishable:
    """A product of shelf life 2 with Poisson demand of mean 4; all else as above."""
    demand = stats.poisson(4.0).pmf(np.arange(MOST))
    return replace(published(2, 1), lifo=lifo, cost=cost, demand=demand)


def rounded_gamma(mean: float) -> Float[np.ndarray, " D"]:
    """Probability of each demand, and of all beyond as one more: a gamma variable of shape 4 to the
    nearest unit."""
    reached = stats.gamma(SHAPE, scale=mean / SHAPE).cdf(np.arange(MOST) + 0.5)
    return np.append(np.diff(reached, prepend=0.0), 1 - reached[-1])


def _reached(count: Array, mean: Array) -> Array:
    """P(D ≤ count) for a gamma variable of whole shape, by its Poisson sum."""
    x = (count + 0.5) * SHAPE / mean
    return 1 - jnp.exp(-x) * (1 + x * (1 + x / 2 * (1 + x / 3)))


def _inverse(uniform: Array, mean: Array) -> Array:
    """How many n have P(D ≤ n) < u, for means up to 10."""
    chance = sampling.unit_interval(uniform)
    nine = 9 * SHAPE
    root = 1 - 1 / nine + sampling.standard_normal(chance) / nine**0.5
    first = jnp.maximum(jnp.floor(mean * root**3) - BELOW, 0.0)
    beyond = sum((_reached(first + n, mean) < chance).astype(jnp.float32) for n in range(TRIED))
    # A quotient by one, which the compiler cannot know: it computes it once, not in every reader.
    return (first + beyond) / jnp.where(mean >= 0, 1.0, jnp.nan)


def _log_mass(count: Array, mean: Array) -> Array:
    before = jnp.where(count > 0, _reached(count - 1, mean), 0.0)
    return jnp.log(jnp.where(count < MOST, _reached(count, mean), 1.0) - before)


def _tail(least: int, mean: Array) -> tuple[Array, Array]:
    beyond = 1 - _reached(jnp.arange(least - 1, MOST), mean)
    return beyond[0], least + beyond[1:].sum() / jnp.maximum(beyond[0], 1e-37)


def _law(mean: float, periods: int) -> object:
    """That of the unrounded sum."""
    return stats.gamma(SHAPE * periods, scale=mean / SHAPE)


families.register(Family("rounded-gamma", _inverse, _log_mass, _tail, _law))


def store_of(product: Perishable, family: str) -> Params:
    """The product as a store, with mean demand 4: nothing is earned, and profit is minus cost."""
    body = {
        "name": "perishable",
        "family": family,
        "max_lead_time": product.lead_time,
        "max_shelf_life": product.shelf_life,
        "products": ["item"],
        "segments": ["all"],
        "price": 0.0,
        "cost": product.cost,
        "holding": product.holding,
        "penalty": product.penalty,
        "disposal": product.waste,
        "lead_time": product.lead_time,
        "shelf_life": product.shelf_life,
        "fresh_share": float(product.lifo),
        "max_order": float(product.most_order),
        "arrivals": 4.0,
        "utility": [[0.0]],
        "no_purchase": 0.0,
    }
    return parse(body, "perishable").params()


class OrderTable(struct.PyTreeNode):
    """Orders of a store with one perishable product, read off a table, as a `jaxsim.Policy`."""

    orders: Float[Array, "..."]  # units, by stock by age and the orders due after the next one

    def start(self, params: Params) -> tuple[()]:
        """No memory."""
        return ()

    def act(
        self, key: PRNGKeyArray, memory: tuple[()], state: State, params: Params
    ) -> tuple[Action, tuple[()]]:
        """The order of one store; `key` and `memory` are not used."""
        assert state.expiring is not None
        pipeline = state.pipeline[: params.max_lead_time - 1, 0]
        units = jnp.concatenate([state.expiring[:, 0], pipeline]).astype(jnp.int32)
        at = tuple(jnp.clip(units, 0, self.orders.shape[0] - 1))
        return Action(order=self.orders[at][None], slate=jnp.zeros((1, 1), jnp.int32)), memory


def table_of(product: Perishable, order: np.ndarray) -> OrderTable:
    """A policy of the exact solver, for the simulator."""
    return OrderTable(jnp.asarray(order.reshape(product.sizes), jnp.float32))
