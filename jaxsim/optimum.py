"""The optimum of a whole store: where to cut it off, whether that was far enough, and what a policy
leaves behind in the long run.

A store is cut off at caps; the best policy is found; if it touches a cap in more than one of 10⁸
periods, that cap grows.
Source: this project.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import sparse, stats

from jaxsim import choice, exact
from jaxsim.exact import FREE, Allowed, Day, Fees, Grid, Solution
from jaxsim.params import Params

LIMIT = 2 * 2**30  # bytes
NEGLIGIBLE = 1e-8  # probability
GROWTHS = 8
LAW = {
    "poisson": lambda mean, periods: stats.poisson(mean * periods),
    "geometric": lambda mean, periods: stats.nbinom(periods, 1 / (1 + mean)),
}


class ExactError(ValueError):
    """A store that the exact solver does not take: the message says why, and what is allowed."""


@dataclass(frozen=True)
class Optimum:
    """The best policy of one kind, exactly, with all that is needed to look at it."""

    params: Params
    grid: Grid
    slates: np.ndarray  # (A, K, S)
    day: Day
    solution: Solution

    @property
    def profit(self) -> float:
        """Average profit per period (or what else the day was worth)."""
        return float(self.solution.profit)

    @cached_property
    def long_run(self) -> "LongRun":
        """Where the policy spends its time."""
        return _long_run(self)

    @cached_property
    def orders(self) -> np.ndarray:
        """Units ordered in every state of the grid: (..., N)."""
        return self.grid.orders[np.asarray(self.solution.order)]

    def met_by_demand(self, states: np.ndarray) -> np.ndarray:
        """Flat net stock that the day's demand meets in these flat states."""
        return _met_by_demand(self, states)[0]


Restriction = Callable[[Day, Grid], Allowed]


def anything(day: Day, grid: Grid) -> Allowed:
    """Every slate and every order."""
    return Allowed(jnp.ones(day.worth.shape, bool), jnp.full(len(grid.order), FREE))


def optimum(
    params: Params,
    restriction: Restriction = anything,
    tolerance: float = 1e-3,
    worth: exact.Worth = exact.sales_profit,
    unit_cost: Float[Array, " N"] | None = None,
) -> Optimum:
    """The best policy among those allowed, its average worth known to within `tolerance`.

    worth: what a day is worth without purchases, by default profit. unit_cost: what an ordered unit
    is charged at, by default its cost.
    Raises `ExactError` for a store with features outside the exact model, or too large for it.
    """
    _require_solvable(params)
    slates = exact.joint_slates(params)
    fees = Fees(params.cost if unit_cost is None else unit_cost, params.order_cost)
    grid = first_grid(params, slates)
    for _ in range(GROWTHS):
        _require_small(grid, len(slates))
        day = exact.day_of(jnp.asarray(slates), params, grid, worth)
        solution = best(day, restriction(day, grid), fees, grid, tolerance)
        found = Optimum(params, grid, slates, day, solution)
        wider = _widened(found)
        if wider == grid:
            return found
        grid = wider
    raise ExactError(f"no caps found: at {grid} the best policy still touches them")


def best(day: Day, allowed: Allowed, fees: Fees, grid: Grid, tolerance: float) -> Solution:
    """`exact.solve` in double precision, brought back to this side of it."""
    with jax.enable_x64(True):
        day, fees = exact.doubled(day, fees)
        return jax.device_get(exact.solve(day, allowed, fees, grid, tolerance))


def base_stock(params: Params, level: int) -> Optimum:
    """The base-stock policy of a one-product store that loses sales, ready to be averaged.

    Its orders replace what was sold and so may be as large as the level.
    """
    _require_solvable(params)
    slates = exact.joint_slates(params)
    grid = Grid((level,), (0,), (level,), (int(params.lead_time[0]),))
    position = np.indices(grid.shape).sum(0)
    order = jnp.asarray(np.maximum(level - position, 0), jnp.int32)
    nothing = jnp.zeros(())
    solution = Solution(nothing, nothing, nothing, order, jnp.zeros(grid.shape, jnp.int32))
    return Optimum(params, grid, slates, exact.day_of(jnp.asarray(slates), params, grid), solution)


def first_grid(params: Params, slates: np.ndarray) -> Grid:
    """Caps from the newsvendor over lead time and a day, at the highest rate of each product."""
    rates = highest_rates(params, slates)
    leads = np.asarray(params.lead_time)
    under = np.asarray(params.price - params.cost + params.penalty)
    fractile = under / np.maximum(under + np.asarray(params.holding), 1e-9)
    on_hand, owed, order = [], [], []
    for i, rate in enumerate(rates):
        law = LAW[params.family]
        level = law(rate, leads[i] + 1).ppf(min(max(fractile[i], 0.5), 0.999))
        daily = law(rate, 1).ppf(min(max(fractile[i], 0.5), 0.999))
        on_hand.append(int(level) + 3)
        waits = bool(params.backlogged[i])
        deepest = law(rate, leads[i] + 1).isf(NEGLIGIBLE) - level
        owed.append(max(int(deepest), 0) + 1 if waits else 0)
        order.append(int(level if leads[i] <= 1 else min(level, daily + rate)) + 2)
    return Grid(tuple(on_hand), tuple(owed), tuple(order), tuple(int(lead) for lead in leads))


def highest_rates(params: Params, slates: np.ndarray) -> np.ndarray:
    """Each product's mean demand under the slates and stock-outs that favour it most: (N,)."""
    alone = jnp.eye(params.products) if bool(params.hide_stockouts) else jnp.ones((1, 1))
    rates = []
    for slate in jnp.asarray(slates):
        attention = choice.attention_of(slate, params)
        weights = choice.weights_of(attention, jnp.zeros_like(params.utility), params)
        for available in alone:
            shares = choice.choice_shares(weights, available, params.no_purchase)
            rates.append(params.arrivals @ shares)
    return np.asarray(jnp.stack(rates).max(0), np.float64)


@dataclass(frozen=True)
class LongRun:
    """Where a policy spends its time: flat states of the grid and their probabilities."""

    states: np.ndarray
    share: np.ndarray


def _long_run(found: Optimum) -> LongRun:
    """The stationary distribution over the states that the policy visits again and again."""
    states = _recurrent(found)
    place = np.full(math.prod(found.grid.shape), -1)
    place[states] = np.arange(len(states))
    reached, chances = _followers(found, states)
    row = np.repeat(np.arange(len(states)), reached.shape[1])
    moves = sparse.csr_matrix(
        (chances.reshape(-1), (row, np.maximum(place[reached.reshape(-1)], 0))),
        shape=(len(states), len(states)),
    )
    share, turned = np.full(len(states), 1 / len(states)), moves.T.tocsr()
    for _ in range(100_000):
        following = turned @ share
        following /= following.sum()
        settled = np.abs(following - share).sum() < 1e-12
        share = following
        if settled:
            break
    return LongRun(states, share)


def average_worth(found: Optimum, day: Day) -> float:
    """What the policy earns per period where a day is worth `day`, units bought at their cost."""
    params, over = found.params, found.long_run
    slate = np.asarray(found.solution.slate).reshape(-1)[over.states]
    order = found.orders.reshape(-1, len(found.grid.order))[over.states]
    met = found.met_by_demand(over.states)
    bought = order @ np.asarray(params.cost) + (order > 0) @ np.asarray(params.order_cost)
    return float(over.share @ (np.asarray(day.worth, np.float64)[slate, met] - bought))


def _require_solvable(params: Params) -> None:
    """The exact model: nothing to remember but stock, and no chance but the customers."""
    neutral = {
        "review": 1, "stall": 0, "demand_noise": 0, "market_noise": 0, "goodwill_rate": 0,
        "fatigue_weight": 0,
    }  # fmt: skip
    for field, allowed in neutral.items():
        values = np.asarray(getattr(params, field))
        if (values != allowed).any():
            raise ExactError(f"{field}: {values.tolist()}; the exact solver allows {allowed} only")
    if np.ptp(np.asarray(params.season), -1).any():
        raise ExactError("season: it varies; the exact solver allows a constant one only")


def _require_small(grid: Grid, slates: int) -> None:
    """Raises `ExactError` before memory is touched."""
    points, values = math.prod(grid.stock_shape), math.prod(grid.shape)
    size = 8 * (slates * points**2 + 6 * max(slates * values, exact.CHUNK * slates))
    if size > LIMIT:
        raise ExactError(
            f"a store of {values:,} states and {slates:,} joint slates needs about "
            f"{size / 2**30:.1f} GiB; allowed: {LIMIT / 2**30:.0f} GiB"
        )


def _widened(found: Optimum) -> Grid:
    """The grid, with a quarter more of every cap that the policy touches in more than a negligible
    share of periods."""
    grid, over = found.grid, found.long_run
    shelves = np.stack(np.unravel_index(over.states, grid.shape), -1)[:, : len(grid.order)]
    order = found.orders.reshape(-1, len(grid.order))[over.states]
    wider = lambda caps, touches: tuple(  # noqa: E731
        cap + max(2, cap // 4) if touch > NEGLIGIBLE else cap
        for cap, touch in zip(caps, over.share @ touches, strict=True)
    )
    return replace(
        grid,
        on_hand=wider(grid.on_hand, shelves >= np.array(grid.stock_shape) - 1),
        order=wider(grid.order, order >= np.array(grid.order)),
    )


def _recurrent(found: Optimum) -> np.ndarray:
    """States visited again and again: all that follow the one where a store without customers
    ends up, which every state can reach."""
    state = np.zeros(1, int)
    for _ in range(4 * sum(found.grid.stock_shape)):
        state = _quiet_day(found, state)
    seen = np.zeros(math.prod(found.grid.shape), bool)
    frontier = state
    while len(frontier):
        seen[frontier] = True
        following = np.zeros_like(seen)
        for part in np.array_split(frontier, max(1, len(frontier) // 20_000)):
            reached, chances = _followers(found, part)
            following[reached[chances > 0]] = True
        frontier = np.flatnonzero(following & ~seen)
    return np.flatnonzero(seen)


def _quiet_day(found: Optimum, states: np.ndarray) -> np.ndarray:
    """The state after a day on which nobody came."""
    met, rest = _met_by_demand(found, states)
    return _next_morning(found.grid, met[:, None], rest)[:, 0]


def _followers(found: Optimum, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Possible next states and their probabilities: (states, Z)."""
    slate = np.asarray(found.solution.slate).reshape(-1)[states]
    met, rest = _met_by_demand(found, states)
    chances = np.asarray(found.day.leaves)[slate, met]
    evenings = np.broadcast_to(np.arange(chances.shape[-1]), chances.shape)
    return _next_morning(found.grid, evenings, rest), chances


def _met_by_demand(found: Optimum, states: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Flat stock that demand meets, and each product's pipeline with the order: (states, rows)."""
    grid = found.grid
    at = np.stack(np.unravel_index(states, grid.shape), -1)
    order = found.orders.reshape(-1, len(grid.order))[states]
    shelf, rest = [], []
    for product, lead in enumerate(grid.lead_time):
        first = grid.first_row(product)
        now = at[:, product] + (order[:, product] if lead == 0 else 0)
        shelf.append(np.minimum(now, grid.stock_shape[product] - 1))
        rows = at[:, first : first + grid.rows[product]]
        rest.append(np.column_stack([rows, order[:, product]]) if lead else rows)
    return np.ravel_multi_index(shelf, grid.stock_shape), rest


def _next_morning(grid: Grid, evenings: np.ndarray, rest: list[np.ndarray]) -> np.ndarray:
    """Flat states after receipts, from flat evening stocks (states, Y) and pipelines."""
    shelf = list(np.unravel_index(evenings, grid.stock_shape))
    rows: list[np.ndarray] = []
    for product, pipeline in enumerate(rest):
        if pipeline.shape[1]:
            reached = shelf[product] + pipeline[:, :1]
            shelf[product] = np.minimum(reached, grid.stock_shape[product] - 1)
        rows += [np.broadcast_to(row[:, None], evenings.shape) for row in pipeline[:, 1:].T]
    return np.ravel_multi_index([*shelf, *rows], grid.shape)
