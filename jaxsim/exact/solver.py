"""Exact dynamic programming: the best profit over orders and slates, on average or discounted.

Relative value iteration over net stock and pipelines on a truncated grid. Sources: this project;
the span of an update bounds the error (Puterman, 1994, section 8.5; with a discount, MacQueen,
1966).
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from jaxsim.exact import period_tables
from jaxsim.exact.grid import Grid

FREE = -1.0
"""In place of an order-up-to level: any order may be placed."""
CHUNK = 1 << 22
"""Numbers held at once per joint slate while orders are compared."""
MOST_UPDATES = 5_000


class Problem(struct.PyTreeNode):
    """What is to be solved on a grid: M remembered and A joint slates, Z net stocks, N products."""

    worth: Float[Array | np.ndarray, "M A Z"]  # expected money of a period, without orders
    leaves: Float[Array | np.ndarray, "M A Z Z"]  # probability of each ending net stock
    slates: Bool[Array, "M A Z"]  # joint slates allowed at the net stock that demand meets
    level: Float[Array, " N"]  # order-up-to level, or `FREE`
    unit_cost: Float[Array, " N"]  # money per unit ordered
    order_cost: Float[Array, " N"]  # money per order placed
    discount: Float[Array | np.ndarray, ""]  # per period; 1 is for the average criterion


class Solution(struct.PyTreeNode):
    """The best allowed policy and its profit.

    `profit` is the average per period; with a discount γ, (1 − γ) times the value of the state with
    the least stock. Its error is at most `bound`. With a discount the value of a state is
    profit / (1 − γ) + `value`, with an error of at most bound / (1 − γ).
    """

    profit: Float[Array | np.ndarray, ""]
    bound: Float[Array | np.ndarray, ""]
    value: Float[Array | np.ndarray, "..."]  # over that of the state with the least stock
    order: Int[Array | np.ndarray, "..."]  # index into the grid's joint orders
    slate: Int[Array | np.ndarray, "..."]  # index into the joint slates


def doubled(problem: Problem) -> Problem:
    """The problem in double precision, with probabilities that sum to one in it.

    Values reach 10⁵ and more, so that single precision cannot bound errors below 10⁻³. Call it
    under `jax.enable_x64(True)`.
    """
    problem = period_tables.doubled(problem)
    return problem.replace(leaves=problem.leaves / problem.leaves.sum(-1, keepdims=True))


@partial(jax.jit, static_argnames="grid")
def solve(problem: Problem, grid: Grid, tolerance: float) -> Solution:
    """The best profit per period of what is allowed, to within `tolerance` money.

    Works in the precision of `problem`: see `doubled`. Stops after `MOST_UPDATES` even where the
    tolerance is not reached: read `bound`.
    """

    # With a remembered slate policies may be periodic; half steps converge (Puterman, 8.5.4).
    step = 0.5 if grid.remembered > 1 else 1.0

    def another(carry: tuple) -> tuple:
        count, value, _ = carry
        following, order, slate = _update(value, problem, grid)
        gain = following - value
        low, high = gain.min(), gain.max()
        solution = Solution((low + high) / 2, (high - low) / 2, value, order, slate)
        value = value + step * gain
        return count + 1, value - value.reshape(-1)[0], solution

    def unsettled(carry: tuple) -> Array:
        return (carry[0] < MOST_UPDATES) & (carry[2].bound > tolerance)

    nowhere = jnp.zeros(grid.shape, jnp.int32)
    zero = jnp.zeros((), problem.worth.dtype)
    value = zero + jnp.zeros(grid.shape)
    start = Solution(zero, zero + jnp.inf, value, nowhere, nowhere)
    return jax.lax.while_loop(unsettled, another, (0, value, start))[2]


def _update(value: Array, problem: Problem, grid: Grid) -> tuple[Array, Array, Array]:
    """One Bellman update: the new value, and the best joint order and slate of every state."""
    orders = jnp.asarray(grid.orders)
    chunk = max(1, min(len(orders), CHUNK // value.size))
    padded = -(-len(orders) // chunk) * chunk
    numbers = jnp.minimum(jnp.arange(padded, dtype=jnp.int32), len(orders) - 1).reshape(-1, chunk)

    def better(best: tuple, number: Array) -> tuple[tuple, None]:
        worths, slates = _worths(orders[number], value, problem, grid)
        first = worths.argmax(-1)
        worth, slate = (
            jnp.take_along_axis(each, first[..., None], -1)[..., 0] for each in (worths, slates)
        )
        return _better_of(best, (worth, number[first], slate)), None

    nothing = jnp.zeros(grid.shape, jnp.int32)
    start = (jnp.full(grid.shape, -jnp.inf, value.dtype), nothing, nothing)
    return jax.lax.scan(better, start, numbers)[0]


def _worths(
    orders: Int[Array, "Q N"], value: Array, problem: Problem, grid: Grid
) -> tuple[Float[Array, "... Q"], Int[Array, "... Q"]]:
    """Profit now plus value of the next period of joint orders in every state, and the best
    slates."""
    tomorrow = jax.vmap(partial(_tomorrow, value, grid=grid), out_axes=-1)(orders)
    points = problem.worth.shape[-1]
    tomorrow = tomorrow.reshape(grid.remembered, points, -1)

    def better(best: tuple, slate: Array) -> tuple[tuple, None]:
        # What customers remember in the next period is this slate.
        after = tomorrow[slate % grid.remembered]
        following = jnp.matmul(problem.leaves[:, slate], after, precision="highest")
        worth = problem.worth[:, slate, :, None] + problem.discount * following
        worth = jnp.where(problem.slates[:, slate, :, None], worth, -jnp.inf)
        return _better_of(best, (worth, slate)), None

    shape = (grid.remembered, *tomorrow.shape[1:])
    start = (jnp.full(shape, -jnp.inf, value.dtype), jnp.zeros(shape, jnp.int32))
    slates = jnp.arange(problem.worth.shape[1], dtype=jnp.int32)
    worth, slate = jax.lax.scan(better, start, slates)[0]
    shape = (*grid.shape, len(orders))
    over_orders = jax.vmap(partial(_ordered, problem=problem, grid=grid), (-1, -1, 0), -1)
    return over_orders(worth.reshape(shape), slate.reshape(shape), orders)


def _better_of(best: tuple, found: tuple) -> tuple:
    """By entry, the tuple with the higher first element; `best` on ties."""
    improves = found[0] > best[0]
    return tuple(jnp.where(improves, *each) for each in zip(found, best, strict=True))


def _ordered(
    worth: Array, slate: Array, order: Int[Array, " N"], problem: Problem, grid: Grid
) -> tuple[Array, Array]:
    """Worth of a joint order and its best slate, by the state before ordering."""
    for product, lead in enumerate(grid.lead_time):
        if lead == 0:
            axis = grid.stock_axis(product)
            worth = _after_receipt(worth, axis, order[product], -jnp.inf)
            slate = _after_receipt(slate, axis, order[product], 0)
    fee = (problem.unit_cost * order + problem.order_cost * (order > 0)).sum()
    return jnp.where(_may_order(order, problem.level, grid), worth - fee, -jnp.inf), slate


def _tomorrow(value: Array, order: Int[Array, " N"], grid: Grid) -> Array:
    """Value of the next period by ending net stock and this period's pipeline rows."""
    for product, lead in enumerate(grid.lead_time):
        axis = grid.stock_axis(product)
        if lead == 1:
            value = _after_receipt(value, axis, order[product], None)
        if lead >= 2:
            first = grid.first_row(product)
            value = jnp.take(value, order[product], first + lead - 2)
            size = grid.shape[axis]
            arriving = jnp.arange(grid.order[product] + 1)
            reached = jnp.minimum(jnp.arange(size)[:, None] + arriving[None], size - 1)
            value = jnp.moveaxis(jnp.take(value, reached, axis), axis + 1, first)
    return value


def _after_receipt(array: Array, axis: int, units: Array, beyond: float | None) -> Array:
    """`array` read at net stock + units; beyond the grid its last entry, or `beyond`."""
    size = array.shape[axis]
    reached = jnp.arange(size) + units
    read = jnp.take(array, jnp.minimum(reached, size - 1), axis)
    if beyond is None:
        return read
    return jnp.where(_along(reached < size, axis, array.ndim), read, beyond)


def _may_order(order: Int[Array, " N"], level: Float[Array, " N"], grid: Grid) -> Array:
    """Whether this is the order that the level prescribes, or may be any, in every state."""
    axes = len(grid.shape)
    may = jnp.ones((1,) * axes, bool)
    for product, most in enumerate(grid.order):
        net = jnp.arange(grid.stock_shape[product]) - grid.owed[product]
        position = _along(net, grid.stock_axis(product), axes)
        for row in range(grid.rows[product]):
            units = _along(jnp.arange(most + 1), grid.first_row(product) + row, axes)
            position = position + units
        pack = grid.packs[product]
        prescribed = jnp.clip(pack * jnp.round((level[product] - position) / pack), 0, most)
        may = may & ((level[product] == FREE) | (prescribed == order[product]))
    return may


def _along(values: Array, axis: int, axes: int) -> Array:
    """A vector as an array of `axes` axes that varies along one of them."""
    return values.reshape((1,) * axis + (-1,) + (1,) * (axes - axis - 1))
