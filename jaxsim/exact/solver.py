"""Exact dynamic programming: the best profit over orders and slates, on average or discounted.

Relative value iteration over net stock and pipelines, cut off at a shelf and an order size.
Sources: this project; the span of an update bounds the error (Puterman, 1994, section 8.5; with a
discount, MacQueen, 1966).
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from jaxsim.exact.grid import Grid

FREE = -1.0  # an order-up-to level that leaves the order free
CHUNK = 1 << 22  # numbers held at once per joint slate while orders are compared
MOST_UPDATES = 5_000


@struct.dataclass
class Problem:
    """What is to be solved on a grid: M remembered and A joint slates, Z net stocks, N products."""

    worth: Float[Array, "M A Z"]  # expected money of a day, without orders
    leaves: Float[Array, "M A Z Z"]  # probability of each net stock in the evening
    slates: Bool[Array, "M A Z"]  # joint slates allowed at the net stock that demand meets
    level: Float[Array, " N"]  # orders go up to a level, or are `FREE`
    unit_cost: Float[Array, " N"]  # money per unit ordered
    order_cost: Float[Array, " N"]  # money per order placed
    discount: Float[Array, ""]  # what money of tomorrow is worth today; 1: the average counts


@struct.dataclass
class Solution:
    """What the best allowed policy earns, and what it does.

    `profit` is the average per period; with a discount γ, (1 − γ) times the value of the emptiest
    store. It is known to within `bound`, and every state's value, profit / (1 − γ) + `value`, to
    within bound / (1 − γ).
    """

    profit: Float[Array, ""]
    bound: Float[Array, ""]
    value: Float[Array, "..."]  # relative to the emptiest store, on the grid
    order: Int[Array, "..."]  # index into the grid's joint orders
    slate: Int[Array, "..."]  # index into the joint slates


def doubled(problem: Problem) -> Problem:
    """In double precision, probabilities that sum to one in it (values reach 10⁵ and more, so in
    single precision a bound below 10⁻³ is out of reach). To be called where it is enabled."""
    double = lambda leaf: leaf if leaf.dtype == bool else jnp.asarray(leaf, jnp.float64)  # noqa: E731
    problem = jax.tree.map(double, problem)
    return problem.replace(leaves=problem.leaves / problem.leaves.sum(-1, keepdims=True))


@partial(jax.jit, static_argnames="grid")
def solve(problem: Problem, grid: Grid, tolerance: float) -> Solution:
    """The best profit per period of what is allowed, to within `tolerance` money.

    Works in the precision of `problem`: see `doubled`. Ends after `MOST_UPDATES` all the same: read
    `bound`.
    """

    # Slates that take turns would swing for ever: half steps settle (Puterman, section 8.5.4).
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
        pick = lambda leaf: jnp.take_along_axis(leaf, first[..., None], -1)[..., 0]  # noqa: E731
        return _better_of(best, (pick(worths), number[first], pick(slates))), None

    nothing = jnp.zeros(grid.shape, jnp.int32)
    start = (jnp.full(grid.shape, -jnp.inf, value.dtype), nothing, nothing)
    return jax.lax.scan(better, start, numbers)[0]


def _worths(
    orders: Int[Array, "Q N"], value: Array, problem: Problem, grid: Grid
) -> tuple[Float[Array, "... Q"], Int[Array, "... Q"]]:
    """Profit now plus value tomorrow of joint orders in every state, and the best slates."""
    tomorrow = jax.vmap(partial(_tomorrow, value, grid=grid), out_axes=-1)(orders)
    points = problem.worth.shape[-1]
    tomorrow = tomorrow.reshape(grid.remembered, points, -1)

    def better(best: tuple, slate: Array) -> tuple[tuple, None]:
        # What customers remember tomorrow is today's slate.
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
    """Entry by entry, whichever has the higher first element; `best` on ties."""
    improves = found[0] > best[0]
    return tuple(jnp.where(improves, *each) for each in zip(found, best, strict=True))


def _ordered(
    worth: Array, slate: Array, order: Int[Array, " N"], problem: Problem, grid: Grid
) -> tuple[Array, Array]:
    """Worth of a joint order and its best slate, by the stock there was before ordering."""
    for product, lead in enumerate(grid.lead_time):
        if lead == 0:
            axis = grid.stock_axis(product)
            worth = _after_receipt(worth, axis, order[product], -jnp.inf)
            slate = _after_receipt(slate, axis, order[product], 0)
    fee = (problem.unit_cost * order + problem.order_cost * (order > 0)).sum()
    return jnp.where(_may_order(order, problem.level, grid), worth - fee, -jnp.inf), slate


def _tomorrow(value: Array, order: Int[Array, " N"], grid: Grid) -> Array:
    """Value of the next morning, by the evening's net stock and today's pipeline rows."""
    for product, lead in enumerate(grid.lead_time):
        axis = grid.stock_axis(product)
        if lead == 1:
            value = _after_receipt(value, axis, order[product], None)
        if lead >= 2:
            first = grid.first_row(product)
            value = jnp.take(value, order[product], first + lead - 2)
            size = grid.shape[axis]
            arriving = jnp.arange(grid.order[product] + 1)
            reached = jnp.minimum(jnp.arange(size)[:, None] + arriving, size - 1)
            value = jnp.moveaxis(jnp.take(value, reached, axis), axis + 1, first)
    return value


def _after_receipt(array: Array, axis: int, units: Array, beyond: float | None) -> Array:
    """`array` read at net stock + units; past the shelf, its last entry or `beyond`."""
    size = array.shape[axis]
    reached = jnp.arange(size) + units
    read = jnp.take(array, jnp.minimum(reached, size - 1), axis)
    if beyond is None:
        return read
    return jnp.where(_along(reached < size, axis, array.ndim), read, beyond)


def _may_order(order: Int[Array, " N"], level: Float[Array, " N"], grid: Grid) -> Array:
    """Whether the order is the one that the level asks for, in every state."""
    axes = len(grid.shape)
    may = jnp.ones((1,) * axes, bool)
    for product, most in enumerate(grid.order):
        net = jnp.arange(grid.stock_shape[product]) - grid.owed[product]
        position = _along(net, grid.stock_axis(product), axes)
        for row in range(grid.rows[product]):
            units = _along(jnp.arange(most + 1), grid.first_row(product) + row, axes)
            position = position + units
        asked = jnp.clip(level[product] - position, 0, most)
        may = may & ((level[product] == FREE) | (asked == order[product]))
    return may


def _along(values: Array, axis: int, axes: int) -> Array:
    return values.reshape((1,) * axis + (-1,) + (1,) * (axes - axis - 1))
