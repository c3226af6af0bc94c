"""A store for the exact solver: its period tables, how it is solved, the rule that comes out.

Here of a store whose goods keep; `jaxsim.exact.aged` has the same of one whose goods age.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxsim.exact import solver, truncation
from jaxsim.exact.grid import Grid
from jaxsim.exact.period_tables import Day, day_of, joint_slates
from jaxsim.exact.solver import Problem, Solution
from jaxsim.exact.stationary import Decisions, Rule
from jaxsim.params import Params
from jaxsim.records import Flows

Worth = Callable[[Flows, Params], Float[Array, "M A Z"]]
"""What a period's expected ledger is worth, in money, without its orders."""


@dataclass(frozen=True)
class Allowed:
    """What may be chosen: joint slates by the stock that demand meets, and orders up to a level, or
    `FREE`."""

    slates: Bool[Array, "M A Z"]
    level: Float[Array, " N"]


@dataclass(frozen=True)
class Goal:
    """What a policy is best for."""

    worth: Worth
    unit_cost: Float[Array, " N"]  # money per unit ordered
    discount: float = 1.0  # of money one period later; 1 is for the average criterion


@dataclass(frozen=True)
class Tables:
    """A store with its period tables, each computed once for however many optima."""

    params: Params
    made: dict[Grid, Any] = field(default_factory=dict)

    @cached_property
    def slates(self) -> np.ndarray:
        """Every joint slate: (A, K, S)."""
        return joint_slates(self.params)

    @cached_property
    def first_grid(self) -> Grid:
        """The truncation that is tried first."""
        return truncation.first_grid(self.params, self.slates)

    def require_solvable(self, discount: float) -> None:
        """Raises `ExactError` for a store outside the exact model."""
        truncation.require_solvable(self.params, discount)

    def day(self, grid: Grid) -> Day:
        """The period table on this grid. Raises `ExactError` where it would be too large."""
        truncation.require_small(grid, len(self.slates))
        if grid not in self.made:
            self.made[grid] = day_of(self.slates, self.params, grid)
        return self.made[grid]

    def flows(self, grid: Grid) -> Flows:
        """The expected ledger of a period without orders: leaves (M, A, Z, N) of NumPy."""
        return self.day(grid).flows

    def solution(self, grid: Grid, allowed: Allowed, goal: Goal, tolerance: float) -> Solution:
        """The best policy of what is allowed. Raises `ExactError` where the tolerance, in money, is
        not reached."""
        problem = Problem(
            worth=worth_of(self.flows(grid), self.params, goal.worth),
            leaves=self.day(grid).leaves,
            slates=allowed.slates,
            level=allowed.level,
            unit_cost=goal.unit_cost,
            order_cost=self.params.order_cost,
            discount=np.asarray(goal.discount),
        )
        return best(problem, grid, tolerance)

    def rule(self, grid: Grid, solution: Solution) -> Decisions:
        """What a solution does in every flat state."""
        return Rule(
            grid=grid,
            order=grid.orders[np.asarray(solution.order).reshape(-1)],
            slate=np.asarray(solution.slate).reshape(-1),
            leaves=np.asarray(self.day(grid).leaves),
        )

    def widened(self, rule: Decisions) -> Grid:
        """The grid with wider caps where the rule reaches one; the same where it reaches none."""
        assert isinstance(rule, Rule)
        return truncation.widened(rule, self.params)


def worth_of(flows: Flows, params: Params, worth: Worth) -> Float[np.ndarray, "M A Z"]:
    """What every entry of a ledger is worth, in double precision."""
    with jax.enable_x64(True):
        return np.asarray(worth(flows, params))


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
    truncation.require_reached(found.bound, tolerance, solver.MOST_UPDATES)
    return found.replace(slate=slates[found.slate])
