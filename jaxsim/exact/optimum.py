"""The optimal policy of a whole store, exactly.

Stock, backlog and orders are truncated at caps, the best policy on that grid is found by value
iteration, and where it reaches a cap in more than one of 10⁸ periods, the cap is raised and the
store solved again. Source: this project.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxsim.exact import solver, truncation
from jaxsim.exact.grid import Grid
from jaxsim.exact.period_tables import Day, day_of, joint_slates
from jaxsim.exact.solver import FREE, Problem, Solution
from jaxsim.exact.stationary import LongRun, Rule, average
from jaxsim.exact.truncation import ExactError
from jaxsim.params import Params
from jaxsim.records import Flows

GROWTHS = 12
"""Grids that are tried before a store is given up."""

Worth = Callable[[Flows, Params], Float[Array, "M A Z"]]
"""What a period's expected ledger is worth, in money, without its orders."""


@dataclass(frozen=True)
class Allowed:
    """What may be chosen: joint slates by net stock, and orders up to a level, or `FREE`."""

    slates: Bool[Array, "M A Z"]
    level: Float[Array, " N"]


Restriction = Callable[["Tables", Day, Grid], Allowed]
"""What a kind of policy may choose, on a grid and its period table."""


@dataclass(frozen=True)
class Tables:
    """A store with its period tables, each computed once for however many optima."""

    params: Params
    made: dict[Grid, Day] = field(default_factory=dict)

    @cached_property
    def slates(self) -> np.ndarray:
        """Every joint slate: (A, K, S)."""
        return joint_slates(self.params)

    def day(self, grid: Grid) -> Day:
        """The period table on this grid. Raises `ExactError` where it would be too large."""
        truncation.require_small(grid, len(self.slates))
        if grid not in self.made:
            self.made[grid] = day_of(self.slates, self.params, grid)
        return self.made[grid]


@dataclass(frozen=True)
class Optimum:
    """The best policy of one kind, with what is needed to examine it."""

    tables: Tables
    grid: Grid
    solution: Solution

    @property
    def profit(self) -> float:
        """Profit per period in money, or what else `worth` measures: see `solver.Solution`."""
        return float(self.solution.profit)

    @property
    def bound(self) -> float:
        """Certified error of `profit` for the store that is cut off at the caps of `grid`.

        What cutting off changes is outside it: stock beyond a cap is lost, orders and backlog end
        there, and demand beyond the largest stock enters as its mean, which is exact for sales and
        money and not for second choices. The caps are such that this policy reaches none in more
        than one of 10⁸ periods; no bound says what a policy that goes beyond them could earn.
        """
        return float(self.solution.bound)

    @cached_property
    def orders(self) -> np.ndarray:
        """Units ordered in every state of the grid: `(*grid.shape, N)`."""
        return self.grid.orders[np.asarray(self.solution.order)]

    @cached_property
    def rule(self) -> Rule:
        """What the policy does in every flat state."""
        return Rule(
            grid=self.grid,
            leaves=np.asarray(self.tables.day(self.grid).leaves),
            order=self.orders.reshape(-1, self.grid.products),
            slate=np.asarray(self.solution.slate).reshape(-1),
        )

    @property
    def long_run(self) -> LongRun:
        """The stationary distribution under the policy."""
        return self.rule.long_run


def anything(tables: Tables, day: Day, grid: Grid) -> Allowed:
    """The restriction that allows every slate and every order."""
    return Allowed(jnp.ones(day.leaves.shape[:3], bool), jnp.full(grid.products, FREE))


def sales_profit(flows: Flows, params: Params) -> Float[Array, "..."]:
    """Profit of a period without its orders. Units that wait are paid for when demand occurs, not
    when they are served, which leaves the average unchanged."""
    price = jnp.broadcast_to(params.price, flows.waiting.shape)
    return (flows.profit + price * flows.waiting).sum(-1)


def optimum(
    store: Params | Tables,
    restriction: Restriction = anything,
    tolerance: float = 1e-3,
    worth: Worth = sales_profit,
    unit_cost: Float[Array, " N"] | None = None,
    discount: float = 1.0,
    grid: Grid | None = None,
) -> Optimum:
    """The best policy among those allowed, its profit per period known to within `tolerance` money.

    worth: what a period's expected ledger is worth without its orders, by default profit.
    unit_cost: money per unit ordered, by default the store's cost. discount: of money one period
    later; 1 is for the average criterion. grid: the first truncation to try, by default chosen from
    the store, and outside the tolerance: see `Optimum.bound`. Raises `ExactError` for a store with
    features outside the exact model, or too large for it, and where the tolerance is not reached.
    """
    tables = store if isinstance(store, Tables) else Tables(store)
    truncation.require_solvable(tables.params, discount)
    grid = grid or truncation.first_grid(tables.params, tables.slates)
    for _ in range(GROWTHS):
        day = tables.day(grid)
        allowed = restriction(tables, day, grid)
        problem = problem_of(tables.params, day, allowed, worth, unit_cost, discount)
        found = Optimum(tables, grid, best(problem, grid, tolerance))
        wider = truncation.widened(found.rule, tables.params)
        if wider == grid:
            return found
        grid = wider
    raise ExactError(f"no caps found: at {grid} the best policy still reaches them")


def problem_of(
    params: Params,
    day: Day,
    allowed: Allowed,
    worth: Worth = sales_profit,
    unit_cost: Float[Array, " N"] | None = None,
    discount: float = 1.0,
) -> Problem:
    """The problem for `solver.solve`; defaults as in `optimum`."""
    return Problem(
        worth=worth_of(day, params, worth),
        leaves=day.leaves,
        slates=allowed.slates,
        level=allowed.level,
        unit_cost=params.cost if unit_cost is None else unit_cost,
        order_cost=params.order_cost,
        discount=np.float64(discount),
    )


def worth_of(day: Day, params: Params, worth: Worth) -> Float[np.ndarray, "M A Z"]:
    """What every entry of a period table is worth, in double precision."""
    with jax.enable_x64(True):
        return np.asarray(worth(day.flows, params))


def best(problem: Problem, grid: Grid, tolerance: float) -> Solution:
    """Solves in double precision; the solution is returned as NumPy arrays. Raises `ExactError`
    where the tolerance is not reached."""
    slates = np.arange(problem.worth.shape[1])
    if any(grid.rows) and grid.remembered == 1:
        # Slates that are never allowed are left out; on small grids a new compilation costs more.
        slates = np.flatnonzero(np.asarray(problem.slates.any((0, 2))))
        problem = problem.replace(
            worth=problem.worth[:, slates],
            leaves=problem.leaves[:, slates],
            slates=problem.slates[:, slates],
        )
    with jax.enable_x64(True):
        found = jax.device_get(solver.solve(solver.doubled(problem), grid, tolerance))
    if not found.bound <= tolerance:
        raise ExactError(
            f"tolerance: {tolerance:g}; reached: {found.bound:.2g} in {solver.MOST_UPDATES:,} "
            "updates; allowed: a tolerance not below that"
        )
    return found.replace(slate=slates[found.slate])


def average_worth(found: Optimum, worth: Worth = sales_profit) -> float:
    """Average money per period of a policy, by `worth` and with units bought at their cost."""
    params = found.tables.params
    day = worth_of(found.tables.day(found.grid), params, worth)
    return average(found.rule, day, params)
