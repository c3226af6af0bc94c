"""A store so small that everything about two tabular departments is known exactly.

Softmax policies over the states of one store: slates by joint slate, orders by product. Their
average profit, its gradient, the joint optimum and one department's best response to the other
follow from the day's exact table (`jaxsim.exact.period_tables`). Source: this project.
"""

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
from jaxsim.exact.solver import FREE, Problem
from jaxsim.exact.tables import best
from jaxsim.params import Params
from jaxsim.records import State

TOLERANCE = 1e-6  # money per period


class Logits(struct.PyTreeNode):
    """Both departments: what they do in each state is the softmax of these."""

    slates: Float[Array, "Z A"]
    orders: Float[Array, "Z N Q"]


@dataclass(frozen=True)
class Tabular:
    """A store of lead time 1 with a shelf of `most` units for each product, filled at most. Z
    states (stock on hand), A joint slates, N products, Q = most + 1 order sizes, J joint orders."""

    params: Params
    most: int
    slates: Int[Array, "A K S"]
    room: Bool[Array, "Z N Q"]  # orders that fit the shelf, whatever is sold
    rewards: Float[Array, "A J Z"]  # expected profit of a period
    moves: Float[Array, "A J Z Z"]  # chance of each state in the next period

    def position(self, state: State) -> Int[Array, ""]:
        """Index of a store's state."""
        sizes = (self.most + 1,) * self.params.products
        on_hand = tuple(state.on_hand.astype(jnp.int32))
        return jnp.ravel_multi_index(on_hand, sizes, mode="clip")

    def start(self) -> Logits:
        """Everything that is possible, equally likely."""
        return Logits(jnp.zeros((len(self.room), len(self.slates))), jnp.zeros(self.room.shape))

    def order_logits(self, orders: Float[Array, "Z N Q"]) -> Float[Array, "Z N Q"]:
        """Orders that do not fit have no chance."""
        return jnp.where(self.room, orders, -jnp.inf)

    def profit(self, logits: Logits) -> Float[Array, ""]:
        """Average profit per period in money, exactly."""
        slates = jax.nn.softmax(logits.slates)
        rewards, moves = self._under(logits.orders)
        reward = jnp.einsum("za,az->z", slates, rewards)
        move = jnp.einsum("za,azw->zw", slates, moves)
        balance = jnp.eye(len(move)) - move.T
        share = jnp.linalg.solve(balance.at[-1].set(1.0), jnp.zeros(len(move)).at[-1].set(1.0))
        return share @ reward

    def best_slates(self, orders: Float[Array, "Z N Q"]) -> float:
        """Average profit per period of the best slates with these orders, in money."""
        rewards, moves = self._under(orders)
        return best_average(rewards, moves, jnp.ones(rewards.shape, bool))

    def optimum(self) -> float:
        """Average profit per period of the best slates with the best orders, in money."""
        states = len(self.room)
        fits = jnp.broadcast_to(_joint(self.room).T, self.rewards.shape)
        rewards, fits = (each.reshape(-1, states) for each in (self.rewards, fits))
        return best_average(rewards, self.moves.reshape(-1, states, states), fits)

    def _under(
        self, orders: Float[Array, "Z N Q"]
    ) -> tuple[Float[Array, "A Z"], Float[Array, "A Z Z"]]:
        """Expected profit and next state of every slate, under an order policy."""
        chance = _joint(jax.nn.softmax(self.order_logits(orders)))
        rewards = jnp.einsum("zj,ajz->az", chance, self.rewards, precision="highest")
        return rewards, jnp.einsum("zj,ajzw->azw", chance, self.moves, precision="highest")


def tabular(params: Params, most: int) -> Tabular:
    """Raises `ExactError` for a store outside the exact model. Lead times must be 1."""
    truncation.require_solvable(params, 1.0)
    truncation.require_single_units(params)
    products, sizes = params.products, (most + 1,) * params.products
    grid = Grid((most,) * products, (0,) * products, (most,) * products, (1,) * products)
    slates = joint_slates(params)
    day = day_of(slates, params, grid)
    stocks, units = np.array(grid.stocks), grid.orders
    mornings = np.minimum(stocks[:, None] + units, most).astype(int)
    arrives = np.ravel_multi_index(tuple(np.moveaxis(mornings, -1, 0)), sizes)
    arrives = jax.nn.one_hot(arrives, len(stocks))  # evening, joint order: next morning
    paid = jnp.asarray(units, jnp.float32) @ params.cost
    return Tabular(
        params=params,
        most=most,
        slates=jnp.asarray(slates),
        room=jnp.asarray(stocks[:, :, None] + np.arange(most + 1) <= most),
        rewards=sales_profit(day.flows, params)[0][:, None] - paid[None, :, None],
        moves=jnp.einsum("azy,yjw->ajzw", day.leaves[0], arrives, precision="highest"),
    )


def best_average(
    rewards: Float[Array, "C Z"], moves: Float[Array, "C Z Z"], allowed: Bool[Array, "C Z"]
) -> float:
    """The best average reward of a decision process with C choices in Z states. By the solver of
    `jaxsim.exact`: a state stands for a stock, a choice for a joint slate, and nothing is
    ordered."""
    grid = Grid(on_hand=(rewards.shape[1] - 1,), owed=(0,), order=(0,), lead_time=(0,))
    none = jnp.zeros(1)
    problem = Problem(
        worth=rewards[None],
        leaves=moves[None],
        slates=allowed[None],
        level=jnp.full(1, FREE),
        unit_cost=none,
        order_cost=none,
        discount=np.asarray(1.0),
    )
    return float(best(problem, grid, TOLERANCE).profit)


def _joint(by_product: Array) -> Array:
    """Products of what each product's orders have, over all joint orders: (Z, J) of (Z, N, Q)."""
    joint = by_product[:, 0]
    for product in range(1, by_product.shape[1]):
        joint = (joint[:, :, None] * by_product[:, product, None]).reshape(len(joint), -1)
    return joint
