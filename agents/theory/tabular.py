"""A store so small that everything about two tabular departments is known exactly.

Softmax policies over the states of one store: slates by joint slate, orders by product. Their
average profit, its gradient, the joint optimum and one department's best response to the other
follow from the day's exact table (`jaxsim.exact.period_tables`). Source: this project.
"""

import itertools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from jaxsim.exact import truncation
from jaxsim.exact.grid import Grid
from jaxsim.exact.optimum import sales_profit
from jaxsim.exact.period_tables import day_of, joint_slates
from jaxsim.params import Params
from jaxsim.records import State

MOST_SWEEPS = 20_000


@struct.dataclass
class Logits:
    """Both departments: what they do in each state is the softmax of these."""

    slates: Float[Array, "Z A"]
    orders: Float[Array, "Z N Q"]


@dataclass(frozen=True)
class Tabular:
    """A store of lead time 1 with a shelf of `most` units for each product, filled at most.

    Z states (stock on hand), A joint slates, N products, Q = most + 1 order sizes.
    """

    params: Params
    most: int
    slates: Int[Array, "A K S"]
    worth: Float[Array, "A Z"]  # expected money of a day, orders not yet paid
    leaves: Float[Array, "A Z Z"]  # chance of each stock in the evening
    room: Bool[Array, "Z N Q"]  # orders that fit the shelf, whatever is sold
    arrives: Float[Array, "Z Q2 Z"]  # evening, joint order: next morning
    units: Float[Array, "Q2 N"]  # of every joint order

    def position(self, state: State) -> Int[Array, ""]:
        """Index of a store's state."""
        sizes = (self.most + 1,) * self.params.products
        on_hand = tuple(state.on_hand.astype(jnp.int32))
        return jnp.ravel_multi_index(on_hand, sizes, mode="clip")

    def start(self) -> Logits:
        """Everything that is possible, equally likely."""
        states, products = self.room.shape[0], self.params.products
        return Logits(
            jnp.zeros((states, len(self.slates))), jnp.zeros((states, products, self.most + 1))
        )

    def order_logits(self, orders: Float[Array, "Z N Q"]) -> Float[Array, "Z N Q"]:
        """Orders that do not fit have no chance."""
        return jnp.where(self.room, orders, -jnp.inf)

    def profit(self, logits: Logits) -> Float[Array, ""]:
        """Average profit per period, exactly."""
        slates = jax.nn.softmax(logits.slates)
        rewards, moves = self._given(logits.orders)
        reward = jnp.einsum("za,az->z", slates, rewards)
        move = jnp.einsum("za,azw->zw", slates, moves)
        balance = jnp.eye(len(move)) - move.T
        share = jnp.linalg.solve(balance.at[-1].set(1.0), jnp.zeros(len(move)).at[-1].set(1.0))
        return share @ reward

    def best_slates(self, orders: Float[Array, "Z N Q"]) -> float:
        """What the best slates earn with these orders."""
        return best_average(*map(np.asarray, self._given(orders)))

    def optimum(self) -> float:
        """What the best slates with the best orders earn."""
        paid = np.asarray(self.units @ self.params.cost)
        fits = np.asarray(self._joint(self.room.astype(jnp.float32)))
        rewards = np.asarray(self.worth)[:, :, None] - np.where(fits > 0, paid, np.inf)
        moves = jnp.einsum("azy,yqw->aqzw", self.leaves, self.arrives)
        states = self.room.shape[0]
        choices = np.moveaxis(rewards, 1, 2).reshape(-1, states)
        return best_average(choices, np.asarray(moves).reshape(-1, states, states))

    def _given(self, orders: Float[Array, "Z N Q"]) -> tuple[Float[Array, "A Z"], Array]:
        """Expected profit and next state of every slate, under an order policy."""
        chance = self._joint(jax.nn.softmax(self.order_logits(orders)))
        paid = chance @ (self.units @ self.params.cost)
        return self.worth - paid, jnp.einsum(
            "azy,zq,yqw->azw", self.leaves, chance, self.arrives, precision="highest"
        )

    def _joint(self, by_product: Float[Array, "Z N Q"]) -> Float[Array, "Z Q2"]:
        joint = by_product[:, 0]
        for product in range(1, self.params.products):
            joint = (joint[:, :, None] * by_product[:, product, None]).reshape(len(joint), -1)
        return joint


def tabular(params: Params, most: int) -> Tabular:
    """Raises `ExactError` for a store outside the exact model. Lead times must be 1."""
    truncation.require_solvable(params, 1.0)
    products, sizes = params.products, (most + 1,) * params.products
    grid = Grid((most,) * products, (0,) * products, (most,) * products, (1,) * products)
    slates = joint_slates(params)
    day = day_of(slates, params, grid)
    stocks, units = np.array(grid.stocks), grid.orders
    mornings = np.minimum(stocks[:, None] + units, most).astype(int)
    arrives = np.ravel_multi_index(tuple(np.moveaxis(mornings, -1, 0)), sizes)
    return Tabular(
        params=params,
        most=most,
        slates=jnp.asarray(slates),
        worth=sales_profit(day.flows, params)[0],
        leaves=day.leaves[0],
        room=jnp.asarray(stocks[:, :, None] + np.arange(most + 1) <= most),
        arrives=jax.nn.one_hot(arrives, len(stocks)),
        units=jnp.asarray(units, jnp.float32),
    )


def best_average(rewards: np.ndarray, moves: np.ndarray, tolerance: float = 1e-6) -> float:
    """The best average reward: relative value iteration over (C, Z) rewards, minus infinity where
    a choice is not there, and (C, Z, Z) chances."""
    value = np.zeros(rewards.shape[1])
    for _ in itertools.repeat(None, MOST_SWEEPS):
        following = (rewards + moves @ value).max(0)
        change = following - value
        value = following - following[0]
        if np.ptp(change) < tolerance:
            break
    return float((change.max() + change.min()) / 2)
