"""The optimal policy of a whole store, exactly.

Stock, backlog and orders are truncated at caps, the best policy on that grid is found by value
iteration, and where it reaches a cap in more than one of 10⁸ periods, the cap is raised and the
store solved again. Source: this project.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsim.exact.aged import AgedTables
from jaxsim.exact.grid import Grid
from jaxsim.exact.solver import FREE, Solution
from jaxsim.exact.stationary import Decisions, LongRun, average
from jaxsim.exact.tables import Allowed, Goal, Tables, Worth, worth_of
from jaxsim.exact.truncation import ExactError
from jaxsim.params import Params
from jaxsim.records import Flows

GROWTHS = 12
"""Grids that are tried before a store is given up."""

Restriction = Callable[[Tables, Flows], Allowed]
"""What a kind of policy may choose in a store with this ledger of a period, by `Tables.flows`."""


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
    def rule(self) -> Decisions:
        """What the policy does in every flat state."""
        return self.tables.rule(self.grid, self.solution)

    @property
    def long_run(self) -> LongRun:
        """The stationary distribution under the policy."""
        return self.rule.long_run


def anything(tables: Tables, flows: Flows) -> Allowed:
    """The restriction that allows every slate and every order."""
    return Allowed(jnp.ones(flows.asked.shape[:3], bool), jnp.full(tables.params.products, FREE))


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
    tables = store if isinstance(store, Tables) else tables_of(store)
    tables.require_solvable(discount)
    goal = Goal(worth, tables.params.cost if unit_cost is None else unit_cost, discount)
    grid = grid or tables.first_grid
    for _ in range(GROWTHS):
        allowed = restriction(tables, tables.flows(grid))
        found = Optimum(tables, grid, tables.solution(grid, allowed, goal, tolerance))
        wider = tables.widened(found.rule)
        if wider == grid:
            return found
        grid = wider
    raise ExactError(f"no caps found: at {grid} the best policy still reaches them")


def tables_of(params: Params) -> Tables:
    """The tables of a store, whether its goods keep or age."""
    return AgedTables(params) if params.ages else Tables(params)


def average_worth(found: Optimum, worth: Worth = sales_profit) -> float:
    """Average money per period of a policy, by `worth` and with units bought at their cost."""
    params = found.tables.params
    day = worth_of(found.tables.flows(found.grid), params, worth)
    return average(found.rule, day, params)
