"""Exact dynamic programming on the store itself: the best average profit over orders and slates.

Relative value iteration over net stock and pipelines, cut off at a shelf and an order size. Demand,
substitution and money come from `jaxsim.store`: there is one model and no second copy of it.
Source: this project; the span of an update bounds the error (Puterman, 1994, section 8.5).
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.scipy.special import gammainc, gammaln, xlog1py, xlogy
from jaxtyping import Array, Bool, Float, Int

from jaxsim import store
from jaxsim.params import Params
from jaxsim.records import Action, Chance, Flows, State

FREE = -1.0  # an order-up-to level that leaves the order free
CHUNK = 1 << 22  # numbers held at once per joint slate while orders are compared
MOST_UPDATES = 5_000
Worth = Callable[[Flows, Params], Float[Array, ""]]


@dataclass(frozen=True)
class Grid:
    """Where the store is cut off. A value has an axis for each product's net stock (on hand less
    backlog), then axes for each product's pipeline rows but the last, which orders fill."""

    on_hand: tuple[int, ...]  # most units on the shelf, by product
    owed: tuple[int, ...]  # most units of backlog, by product; 0 where sales are lost
    order: tuple[int, ...]  # most units in an order, by product
    lead_time: tuple[int, ...]

    @property
    def stock_shape(self) -> tuple[int, ...]:
        return tuple(most + owed + 1 for most, owed in zip(self.on_hand, self.owed, strict=True))

    @property
    def rows(self) -> tuple[int, ...]:
        """Pipeline axes of each product."""
        return tuple(max(lead - 1, 0) for lead in self.lead_time)

    @property
    def shape(self) -> tuple[int, ...]:
        sizes = [(most + 1,) * rows for most, rows in zip(self.order, self.rows, strict=True)]
        return self.stock_shape + sum(sizes, ())

    @property
    def orders(self) -> np.ndarray:
        """Every joint order: (Q, N)."""
        return np.array(list(itertools.product(*(range(most + 1) for most in self.order))))

    @property
    def stocks(self) -> np.ndarray:
        """Net stock of every point: (Z, N)."""
        points = itertools.product(*(range(size) for size in self.stock_shape))
        return np.array(list(points), np.float32) - np.array(self.owed, np.float32)

    def first_row(self, product: int) -> int:
        """Axis of a product's first pipeline row."""
        return len(self.stock_shape) + sum(self.rows[:product])


@struct.dataclass
class Day:
    """What a day does to the net stock it starts with, under every joint slate."""

    worth: Float[Array, "A Z"]  # expected money, without purchases
    leaves: Float[Array, "A Z Z"]  # probability of each net stock in the evening


@struct.dataclass
class Allowed:
    """What may be chosen: joint slates by the net stock seen, orders up to a level or `FREE`."""

    slates: Bool[Array, "A Z"]
    level: Float[Array, " N"]


@struct.dataclass
class Fees:
    """What ordering is charged at."""

    unit: Float[Array, " N"]  # money per unit
    order: Float[Array, " N"]  # money per order placed


@struct.dataclass
class Solution:
    """What the best allowed policy earns per period, to within `bound`, and what it does."""

    profit: Float[Array, ""]
    bound: Float[Array, ""]
    value: Float[Array, "..."]  # relative to the emptiest store, on the grid
    order: Int[Array, "..."]  # index into the grid's joint orders
    slate: Int[Array, "..."]  # index into the joint slates


def joint_slates(params: Params) -> np.ndarray:
    """Every choice of a slate for each segment: (A, K, S)."""
    slates = itertools.permutations(range(params.products), params.slots)
    return np.array(list(itertools.product(slates, repeat=params.segments)))


def sales_profit(flows: Flows, params: Params) -> Float[Array, ""]:
    """Profit of a day without purchases. Units that wait are paid for when they are asked for,
    which leaves the average unchanged."""
    return (store.account(flows, params).profit + params.price * flows.waiting).sum()


@partial(jax.jit, static_argnames=("grid", "worth"))
def day_of(
    slates: Int[Array, "A K S"], params: Params, grid: Grid, worth: Worth = sales_profit
) -> Day:
    """Expected worth and the evening's stock by joint slate and by the stock that demand meets."""

    def one(slate: Int[Array, "K S"], net: Float[Array, " N"]) -> tuple[Array, Array]:
        state = _state(net, params)
        action = Action(order=jnp.zeros(params.products), slate=slate)
        wish = store.demand(_any_chance(params), state, action, params)
        asked, mass = _demands(wish.rates.sum(0), params.family, grid)
        shift, share = jax.vmap(partial(_spills, state=state, wish=wish, params=params))(asked)
        evening = partial(_evening, state=state, wish=wish, params=params, worth=worth)
        money, net_after = jax.vmap(jax.vmap(evening, (None, 0)))(asked, shift)
        mass = mass[:, None] * share
        index = _index(net_after, grid).reshape(-1)
        leaves = jax.ops.segment_sum(mass.reshape(-1), index, len(grid.stocks))
        return (mass * money).sum(), leaves

    over_stock = lambda slate: jax.lax.map(partial(one, slate), jnp.asarray(grid.stocks))  # noqa: E731
    return Day(*jax.lax.map(over_stock, slates))


def doubled(day: Day, fees: Fees) -> tuple[Day, Fees]:
    """In double precision, probabilities that sum to one in it (values reach 10⁵ and more, so in
    single precision a bound below 10⁻³ is out of reach). To be called where it is enabled."""
    day, fees = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (day, fees))
    return day.replace(leaves=day.leaves / day.leaves.sum(-1, keepdims=True)), fees


@partial(jax.jit, static_argnames="grid")
def solve(day: Day, allowed: Allowed, fees: Fees, grid: Grid, tolerance: float) -> Solution:
    """The best average profit per period of what is allowed, to within `tolerance` money.

    Works in the precision of `day`: see `doubled`. Ends after `MOST_UPDATES` all the same: read
    `bound`.
    """
    update = partial(_update, day=day, allowed=allowed, fees=fees, grid=grid)

    def another(carry: tuple) -> tuple:
        count, solution = carry
        value, order, slate = update(solution.value)
        gain = value - solution.value
        low, high = gain.min(), gain.max()
        return count + 1, Solution(
            profit=(low + high) / 2,
            bound=(high - low) / 2,
            value=value - value.reshape(-1)[0],
            order=order,
            slate=slate,
        )

    def unsettled(carry: tuple) -> Array:
        return (carry[0] < MOST_UPDATES) & (carry[1].bound > tolerance)

    nowhere = jnp.zeros(grid.shape, jnp.int32)
    zero = jnp.zeros((), day.worth.dtype)
    start = Solution(zero, zero + jnp.inf, zero + jnp.zeros(grid.shape), nowhere, nowhere)
    return jax.lax.while_loop(unsettled, another, (0, start))[1]


def _update(
    value: Array, day: Day, allowed: Allowed, fees: Fees, grid: Grid
) -> tuple[Array, Array, Array]:
    """One Bellman update: the new value, and the best joint order and slate of every state."""
    orders = jnp.asarray(grid.orders)
    chunk = max(1, min(len(orders), CHUNK // value.size))
    padded = -(-len(orders) // chunk) * chunk
    numbers = jnp.minimum(jnp.arange(padded, dtype=jnp.int32), len(orders) - 1).reshape(-1, chunk)
    worth = jax.vmap(partial(_worth, value=value, day=day, allowed=allowed, fees=fees, grid=grid))

    def better(best: tuple, number: Array) -> tuple[tuple, None]:
        worths, slates = worth(orders[number])
        first = worths.argmax(0)
        pick = lambda leaf: jnp.take_along_axis(leaf, first[None], 0)[0]  # noqa: E731
        found = (pick(worths), number[first], pick(slates))
        improves = found[0] > best[0]
        return tuple(jnp.where(improves, *each) for each in zip(found, best, strict=True)), None

    nothing = jnp.zeros(grid.shape, jnp.int32)
    start = (jnp.full(grid.shape, -jnp.inf, value.dtype), nothing, nothing)
    return jax.lax.scan(better, start, numbers)[0]


def _worth(
    order: Int[Array, " N"],
    value: Array,
    day: Day,
    allowed: Allowed,
    fees: Fees,
    grid: Grid,
) -> tuple[Array, Array]:
    """Profit now plus value tomorrow of one joint order in every state, and its best slate."""
    points = len(grid.stocks)
    tomorrow = _tomorrow(value, order, grid).reshape(points, -1)
    following = jnp.matmul(day.leaves, tomorrow, precision="highest")
    by_slate = jnp.where(allowed.slates[..., None], day.worth[..., None] + following, -jnp.inf)
    worth = by_slate.max(0).reshape(grid.shape)
    slate = by_slate.argmax(0).astype(jnp.int32).reshape(grid.shape)
    for product, lead in enumerate(grid.lead_time):
        if lead == 0:
            worth = _after_receipt(worth, product, order[product], -jnp.inf)
            slate = _after_receipt(slate, product, order[product], 0)
    fee = (fees.unit * order + fees.order * (order > 0)).sum()
    return jnp.where(_may_order(order, allowed.level, grid), worth - fee, -jnp.inf), slate


def _tomorrow(value: Array, order: Int[Array, " N"], grid: Grid) -> Array:
    """Value of the next morning, by the evening's net stock and today's pipeline rows."""
    for product, lead in enumerate(grid.lead_time):
        if lead == 1:
            value = _after_receipt(value, product, order[product], None)
        if lead >= 2:
            first = grid.first_row(product)
            value = jnp.take(value, order[product], first + lead - 2)
            size = grid.stock_shape[product]
            arriving = jnp.arange(grid.order[product] + 1)
            reached = jnp.minimum(jnp.arange(size)[:, None] + arriving, size - 1)
            value = jnp.moveaxis(jnp.take(value, reached, product), product + 1, first)
    return value


def _after_receipt(array: Array, product: int, units: Array, beyond: float | None) -> Array:
    """`array` read at net stock + units; past the shelf, its last entry or `beyond`."""
    size = array.shape[product]
    reached = jnp.arange(size) + units
    read = jnp.take(array, jnp.minimum(reached, size - 1), product)
    if beyond is None:
        return read
    return jnp.where(_along(reached < size, product, array.ndim), read, beyond)


def _may_order(order: Int[Array, " N"], level: Float[Array, " N"], grid: Grid) -> Array:
    """Whether the order is the one that the level asks for, in every state."""
    may = jnp.ones((1,) * len(grid.shape), bool)
    for product, most in enumerate(grid.order):
        net = jnp.arange(grid.stock_shape[product]) - grid.owed[product]
        position = _along(net, product, len(grid.shape))
        for row in range(grid.rows[product]):
            units = _along(jnp.arange(most + 1), grid.first_row(product) + row, len(grid.shape))
            position = position + units
        asked = jnp.clip(level[product] - position, 0, most)
        may = may & ((level[product] == FREE) | (asked == order[product]))
    return may


def _along(values: Array, axis: int, axes: int) -> Array:
    return values.reshape((1,) * axis + (-1,) + (1,) * (axes - axis - 1))


def _demands(
    rates: Float[Array, " N"], family: str, grid: Grid
) -> tuple[Float[Array, "D N"], Float[Array, " D"]]:
    """Joint demands up to one more than any stock can serve (the last stands for all beyond, its
    units their conditional mean) and their probabilities."""
    units, masses = [], []
    for rate, most in zip(rates, grid.stock_shape, strict=True):
        count = jnp.arange(most)
        beyond, mean_beyond = TAILS[family](most, rate)
        units.append(jnp.append(count, mean_beyond))
        masses.append(jnp.append(jnp.exp(LOG_MASSES[family](count, rate)), beyond))
    joint = jnp.stack(jnp.meshgrid(*units, indexing="ij"), -1).reshape(-1, len(units))
    chances = jnp.stack(jnp.meshgrid(*masses, indexing="ij"), -1).reshape(-1, len(units))
    return joint, chances.prod(-1)


def _poisson_log_mass(count: Array, mean: Array) -> Array:
    return xlogy(count, mean) - mean - gammaln(count + 1)


def _geometric_log_mass(count: Array, mean: Array) -> Array:
    return xlogy(count, mean) - xlog1py(count + 1, mean)


def _poisson_tail(least: int, mean: Array) -> tuple[Array, Array]:
    """P(D ≥ least) and E(D | D ≥ least) = mean · P(D ≥ least − 1) / P(D ≥ least), least ≥ 1."""
    chance = gammainc(least, mean)
    before = gammainc(least - 1, mean) if least > 1 else 1.0
    return chance, jnp.maximum(mean * before / jnp.maximum(chance, 1e-37), least)


def _geometric_tail(least: int, mean: Array) -> tuple[Array, Array]:
    """P(D ≥ least), and E(D | D ≥ least) of a law without memory."""
    return jnp.exp(xlogy(least, mean) - xlog1py(least, mean)), least + mean


LOG_MASSES = {"poisson": _poisson_log_mass, "geometric": _geometric_log_mass}
TAILS = {"poisson": _poisson_tail, "geometric": _geometric_tail}


def _spills(
    asked: Float[Array, " N"], state: State, wish: store.Demand, params: Params
) -> tuple[Float[Array, " N+1"], Float[Array, " N+1"]]:
    """Shifts of systematic sampling, one from each interval with the same counts, and the lengths
    of these intervals."""
    unmet = jnp.maximum(asked - state.on_hand, 0.0)
    turned_away = jnp.where(params.backlogged, 0.0, unmet)
    left = jnp.maximum(state.on_hand - asked, 0.0)
    reached = jnp.cumsum(store.second_choices(wish, turned_away, left, params))
    steps = jnp.sort(1 - (reached - jnp.floor(reached)))
    ends = jnp.concatenate([jnp.zeros(1), steps, jnp.ones(1)])
    return (ends[1:] + ends[:-1]) / 2, jnp.diff(ends)


def _evening(
    asked: Float[Array, " N"],
    spill: Array,
    state: State,
    wish: store.Demand,
    params: Params,
    worth: Worth,
) -> tuple[Array, Float[Array, " N"]]:
    """What the day is worth without purchases, and net stock after it."""
    chance = _any_chance(params).replace(spill=spill)
    left, backlog, flows = store.fulfil(chance, state, wish.replace(asked=asked), params)
    return worth(flows, params), left - backlog


def _index(net: Float[Array, "... N"], grid: Grid) -> Int[Array, "..."]:
    """Position of net stock among the grid's stocks; deeper backlog counts as the deepest."""
    shelf = jnp.maximum(net + jnp.asarray(grid.owed), 0.0).astype(jnp.int32)
    strides = np.cumprod((1, *grid.stock_shape[:0:-1]))[::-1]
    return (shelf * jnp.asarray(strides.copy())).sum(-1)


def _state(net: Float[Array, " N"], params: Params) -> State:
    """A store with this net stock and nothing else to remember."""
    n, k = params.products, params.segments
    return State(
        on_hand=jnp.maximum(net, 0.0),
        pipeline=jnp.zeros((params.max_lead_time, n)),
        backlog=jnp.maximum(-net, 0.0),
        market=jnp.zeros(()),
        goodwill=jnp.ones(k),
        fatigue=jnp.zeros((k, n)),
        forecast=jnp.zeros(n),
        sold=jnp.zeros(n),
        lost=jnp.zeros(n),
        period=jnp.zeros((), jnp.int32),
    )


def _any_chance(params: Params) -> Chance:
    """A chance whose parts are replaced by exact sums."""
    n = params.products
    half, nothing = jnp.full(n, 0.5), jnp.zeros(())
    return Chance(demand=half, shock=jnp.zeros(n), stall=half, market=nothing, spill=nothing)
