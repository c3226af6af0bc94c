"""A store whose goods age, for the exact solver: which ones it takes, and how it is solved.

Modified policy iteration over stock by age and pipelines: after each update the policy found is
followed for a while, which costs little. As in `jaxsim.exact.solver` the span of an update bounds
the error. Source: this project.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from jaxsim import families
from jaxsim.exact import truncation
from jaxsim.exact.grid import AgedGrid, Grid
from jaxsim.exact.shelves import AgedDay, aged_day_of
from jaxsim.exact.solver import FREE, Solution
from jaxsim.exact.stationary import Decisions, LongRun, settled
from jaxsim.exact.tables import Allowed, Goal, Tables, worth_of
from jaxsim.exact.truncation import ExactError

MOST_UPDATES = 500
FOLLOWED = 30
"""Periods for which a policy is followed between two updates."""


@dataclass(frozen=True)
class AgedTables(Tables):
    """A store whose goods all age. Its stock is at most what arrives within a shelf life, so that
    only orders are truncated, where the store does not limit them itself (`max_order`)."""

    @cached_property
    def life(self) -> tuple[int, ...]:
        """Periods in which a unit that arrives can be sold, by product."""
        return tuple((self.params.shelf_life - self.params.arrival_age).tolist())

    @cached_property
    def first_grid(self) -> AgedGrid:
        """Small: orders of one unit more than a product sells on a usual day."""
        params = self.params
        rates = truncation.highest_rates(params, self.slates)
        family, dispersion = families.get(params.family), params.dispersion.tolist()
        laws = [family.at(v).law(m, 1) for m, v in zip(rates, dispersion, strict=True)]
        usual = [law.median() for law in laws]
        most = np.minimum(np.asarray(usual, int) + 1, np.asarray(params.order_cap, int))
        return AgedGrid.of(self.life, tuple(most.tolist()), tuple(params.lead_time.tolist()))

    def require_solvable(self, discount: float) -> None:
        """Raises `ExactError` for a store outside the exact model."""
        params, lead_time = self.params, self.params.lead_time
        keeps = params.replace(shelf_life=0 * params.shelf_life)
        truncation.require_solvable(keeps, discount)
        truncation.require_single_units(params)
        for field, values, right, allowed in (
            ("shelf_life", params.shelf_life, min(self.life) > 0, "1 or more of every product"),
            ("lead_time", lead_time, bool((lead_time > 0).all()), "1 or more"),
            ("backlogged", params.backlogged, not params.backlogged.any(), "false"),
            ("fatigue_weight", params.fatigue_weight, not truncation.has_fatigue(params), "0"),
            ("overflow", params.overflow, not params.overflow.any(), "0"),
        ):
            if not right:
                raise ExactError(
                    f"{field}: {values.tolist()}; the exact solver allows {allowed} where goods age"
                )

    def day(self, grid: Grid) -> AgedDay:
        """The period on this grid. Raises `ExactError` where it would be too large."""
        assert isinstance(grid, AgedGrid)
        require_small(grid, len(self.slates), float(self.params.fresh_share))
        if grid not in self.made:
            self.made[grid] = aged_day_of(self.slates, self.params, grid)
        return self.made[grid]

    def solution(self, grid: Grid, allowed: Allowed, goal: Goal, tolerance: float) -> Solution:
        """See `Tables.solution`."""
        assert isinstance(grid, AgedGrid)
        if (np.asarray(allowed.level) != FREE).any():
            raise ExactError("base-stock levels: the exact solver takes them where goods keep only")
        slates = np.asarray(allowed.slates[0])
        used = np.flatnonzero(slates.any(1))
        day = self.day(grid)
        rows = (used[:, None] * grid.points + np.arange(grid.points)).reshape(-1)
        worth = worth_of(self.flows(grid), self.params, goal.worth)[0, used]
        fee = grid.orders @ np.asarray(goal.unit_cost, float)
        problem = AgedProblem(
            grid=grid,
            worth=np.where(slates[used], worth, -np.inf),
            moves=day.moves if len(used) == len(slates) else day.moves[rows],
            fee=fee + (grid.orders > 0) @ np.asarray(self.params.order_cost, float),
            discount=goal.discount,
        )
        found = solve(problem, tolerance)
        truncation.require_reached(float(found.bound), tolerance, MOST_UPDATES)
        return found.replace(slate=used[found.slate])

    def rule(self, grid: Grid, solution: Solution) -> Decisions:
        """See `Tables.rule`."""
        assert isinstance(grid, AgedGrid)
        order = np.asarray(solution.order).reshape(-1)
        slate = np.asarray(solution.slate).reshape(-1)
        chain = chain_of(grid, self.day(grid).moves, order, slate)
        return AgedRule(grid, grid.orders[order], slate, chain)

    def widened(self, rule: Decisions) -> Grid:
        """The grid with every largest order raised that the rule reaches with more than negligible
        probability, at most to what the store allows; the same grid where none is."""
        grid, over = rule.grid, rule.long_run
        assert isinstance(grid, AgedGrid)
        reached = over.share @ (rule.order[over.states] >= np.array(grid.order))
        most = np.asarray(self.params.order_cap, int)
        grown = [max(1, cap // 4) for cap in grid.order] * (reached > truncation.NEGLIGIBLE)
        order = np.minimum(np.array(grid.order) + grown, most)
        return AgedGrid.of(grid.life, tuple(order.tolist()), grid.lead_time)


def require_small(grid: AgedGrid, slates: int, fresh_share: float) -> None:
    """Raises `ExactError` where a solution would take too much memory, before it takes any."""
    ways = 1 if fresh_share in (0, 1) else 2**grid.products
    # On average half of each row is taken, and any number of these units may be left.
    left = math.prod(1 + most / 2 for most in grid.on_hand)
    states, orders = math.prod(grid.shape), math.prod(most + 1 for most in grid.order)
    size = slates * (32 * ways * left * grid.points + 16 * orders * states)
    truncation.require_room(size, states, slates)


@dataclass(frozen=True)
class AgedProblem:
    """What is to be solved: A joint slates, P points, Q joint orders, E evenings."""

    grid: AgedGrid
    worth: Float[np.ndarray, "A P"]  # expected money, without orders; -inf: not allowed
    moves: sparse.csr_matrix  # (A P, E)
    fee: Float[np.ndarray, " Q"]  # money for a joint order
    discount: float


def solve(problem: AgedProblem, tolerance: float) -> Solution:
    """The best policy, to within `tolerance` money; stops after `MOST_UPDATES`: read `bound`."""
    grid, points = problem.grid, problem.grid.points
    value = np.zeros(math.prod(grid.shape))
    following, order, slate = _update(problem, value)
    for _ in range(MOST_UPDATES):
        gain = following - value
        if np.ptp(gain) <= 2 * tolerance:
            break
        chain = chain_of(grid, problem.moves, order, slate)
        at = np.arange(len(value)) * points // len(value)
        earned = problem.worth[slate, at] - problem.fee[order]
        for _ in range(FOLLOWED):
            # Half steps: the policy may be periodic (Puterman, 1994, section 8.5.4).
            value = (value + earned + problem.discount * (chain @ value)) / 2
            value = value - value[0]
        following, order, slate = _update(problem, value)
    gain = following - value
    low, high = gain.min(), gain.max()
    found = (each.reshape(grid.shape) for each in (value, order, slate))
    return Solution((low + high) / 2, (high - low) / 2, *found)


def _update(
    problem: AgedProblem, value: Float[np.ndarray, " states"]
) -> tuple[Float[np.ndarray, " states"], Int[np.ndarray, " states"], Int[np.ndarray, " states"]]:
    """One Bellman update: the new value, and the best joint order and slate of every state."""
    grid, (slates, points) = problem.grid, problem.worth.shape
    after = problem.moves @ _by_evening(value, grid)
    worth = problem.discount * after.reshape(slates, points, -1) + problem.worth[..., None]
    slate = worth.argmax(0)
    by_order = _orders_last(np.take_along_axis(worth, slate[None], 0)[0], grid) - problem.fee
    order = by_order.argmax(-1)[:, None]
    slate = _orders_last(slate, grid)
    best, slate = (np.take_along_axis(each, order, 1)[:, 0] for each in (by_order, slate))
    return best, order[:, 0], slate


def _by_evening(value: Float[np.ndarray, " states"], grid: AgedGrid) -> np.ndarray:
    """Values by evening, then by what each product's delivery and later orders are."""
    news, n = [most + 1 for most in grid.order], grid.products
    sizes = [size for pair in zip(grid.evenings, news, strict=True) for size in pair]
    rows = [math.prod(each) for each in grid.pipelines]
    parted = value.reshape(*sizes, *rows)
    of_product = [axis for i in range(n) for axis in (2 * i + 1, 2 * n + i)]
    return parted.transpose(*range(0, 2 * n, 2), *of_product).reshape(math.prod(grid.evenings), -1)


def _orders_last(found: np.ndarray, grid: AgedGrid) -> np.ndarray:
    """From points by every product's pipeline and order, to states by joint order."""
    n = grid.products
    rows = [math.prod(each) for each in grid.pipelines]
    sizes = [size for i in range(n) for size in (rows[i], grid.order[i] + 1)]
    parted = found.reshape(len(found), *sizes)
    pipelines, orders = range(1, 2 * n, 2), range(2, 2 * n + 1, 2)
    return parted.transpose(0, *pipelines, *orders).reshape(len(found) * math.prod(rows), -1)


def chain_of(
    grid: AgedGrid, moves: sparse.csr_matrix, order: np.ndarray, slate: np.ndarray
) -> sparse.csr_matrix:
    """Probabilities of the next state in every state, with these joint orders and slates."""
    rows = [math.prod(each) for each in grid.pipelines]
    point, pipeline = np.divmod(np.arange(len(order)), math.prod(rows))
    arriving, waiting = [], []
    for product, before in enumerate(np.unravel_index(pipeline, rows)):
        most = grid.order[product] + 1
        first, later = np.divmod(before * most + grid.orders[order, product], rows[product])
        arriving.append(first)
        waiting.append(later)
    beside = np.unravel_index(np.arange(math.prod(grid.evenings)), grid.evenings)
    shelves = [each * (most + 1) for each, most in zip(beside, grid.order, strict=True)]
    evening = np.ravel_multi_index(shelves, grid.shelf_counts) * math.prod(rows)
    morning = np.ravel_multi_index(arriving, grid.shelf_counts) * math.prod(rows)
    morning = morning + np.ravel_multi_index(waiting, rows)
    today = moves[slate * grid.points + point]
    after = evening[today.indices] + np.repeat(morning, np.diff(today.indptr))
    return sparse.csr_matrix((today.data, after, today.indptr), shape=(len(order), len(order)))


@dataclass(frozen=True)
class AgedRule(Decisions):
    """A policy of a store whose goods age."""

    chain: sparse.csr_matrix  # (states, states): probabilities of the next state

    @cached_property
    def long_run(self) -> LongRun:
        """The stationary distribution that an empty store comes to."""
        empty = np.zeros(len(self.order))
        empty[0] = 1.0
        share = settled(self.chain.T.tocsr(), empty, may_be_periodic=True)
        states = np.flatnonzero(share)
        return LongRun(states, share[states])

    def met_by_demand(self, states: np.ndarray) -> np.ndarray:
        """The points that demand meets."""
        grid = self.grid
        assert isinstance(grid, AgedGrid)
        return states * grid.points // len(self.order)
