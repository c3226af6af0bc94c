"""The stationary distribution of a store on a grid under a policy, and averages over it.

Source: this project.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy import sparse

from jaxsim.exact.grid import Grid
from jaxsim.params import Params

MOST_PERIODS = 100_000
"""Steps of the power method before it stops."""
PART = 20_000
"""States whose successors are held at once."""


@dataclass(frozen=True)
class LongRun:
    """A stationary distribution over the recurrent states."""

    states: np.ndarray  # flat states of the grid
    share: np.ndarray  # their probabilities


def settled(
    moves: sparse.spmatrix, share: Float[np.ndarray, " states"], may_be_periodic: bool
) -> Float[np.ndarray, " states"]:
    """The distribution to which one comes, by the power method. `moves`: column by column where a
    state leads. Half steps converge where the chain is periodic too."""
    for _ in range(MOST_PERIODS):
        following = moves @ share
        if may_be_periodic:
            following = (following + share) / 2
        following /= following.sum()
        change, share = np.abs(following - share).sum(), following
        if change < 1e-12:
            break
    return share


@dataclass(frozen=True)
class Decisions(ABC):
    """What a policy does in every flat state of a grid."""

    grid: Grid
    order: np.ndarray  # (states, N), units
    slate: np.ndarray  # (states,), index into the joint slates

    @property
    @abstractmethod
    def long_run(self) -> LongRun:
        """The stationary distribution over the recurrent states."""

    @abstractmethod
    def met_by_demand(self, states: np.ndarray) -> np.ndarray:
        """Flat stock that demand meets in these flat states."""

    def remembered(self, states: np.ndarray) -> np.ndarray:
        """The joint slate that customers remember in these flat states; 0 without fatigue."""
        return np.unravel_index(states, self.grid.shape)[0]


@dataclass(frozen=True)
class Rule(Decisions):
    """A policy of a store whose goods keep, and the transitions of stock."""

    leaves: np.ndarray  # (M, A, Z, Z), as in `jaxsim.exact.period_tables.Day`

    @cached_property
    def long_run(self) -> LongRun:
        """The stationary distribution over the recurrent states, by the power method."""
        states = self._recurrent()
        place = np.zeros(math.prod(self.grid.shape), np.int32)
        place[states] = np.arange(len(states))
        reached, chances = self._followers(states)
        ends = np.arange(len(states) + 1) * reached.shape[1]
        moves = sparse.csr_matrix(
            (chances.reshape(-1), place[reached.reshape(-1)], ends),
            shape=(len(states), len(states)),
        ).T
        uniform = np.full(len(states), 1 / len(states))
        return LongRun(states, settled(moves, uniform, self.grid.remembered > 1))

    @cached_property
    def evening(self) -> np.ndarray:
        """The stationary distribution of ending net stock: (Z,)."""
        over = self.long_run
        return over.share @ self._followers(over.states)[1]

    def met_by_demand(self, states: np.ndarray) -> np.ndarray:
        """Flat net stock that demand meets in these flat states."""
        return self._met_by_demand(states)[0]

    def _recurrent(self) -> np.ndarray:
        """The recurrent states: all that can follow the one in which a store without customers ends
        up, which every state can reach."""
        state = np.zeros(1, int)
        for _ in range(4 * sum(self.grid.stock_shape)):
            state = self._quiet_day(state)
        seen = np.zeros(math.prod(self.grid.shape), bool)
        frontier = state
        while len(frontier):
            seen[frontier] = True
            following = np.zeros_like(seen)
            for part in np.array_split(frontier, max(1, len(frontier) // PART)):
                reached, chances = self._followers(part)
                following[reached[chances > 0]] = True
            frontier = np.flatnonzero(following & ~seen)
        return np.flatnonzero(seen)

    def _quiet_day(self, states: np.ndarray) -> np.ndarray:
        """The state after a period without demand."""
        met, rest = self._met_by_demand(states)
        return self._next_morning(self.slate[states], met[:, None], rest)[:, 0]

    def _followers(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Possible next states and their probabilities, both (states, Z)."""
        slate = self.slate[states]
        met, rest = self._met_by_demand(states)
        chances = self.leaves[self.remembered(states), slate, met]
        evenings = np.broadcast_to(np.arange(chances.shape[-1]), chances.shape)
        return self._next_morning(slate, evenings, rest), chances

    def _met_by_demand(self, states: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Flat net stock that demand meets, and each product's pipeline with the order in it."""
        grid, order = self.grid, self.order[states]
        at = np.stack(np.unravel_index(states, grid.shape), -1)
        shelf, rest = [], []
        for product, lead in enumerate(grid.lead_time):
            first = grid.first_row(product)
            now = at[:, grid.stock_axis(product)] + (order[:, product] if lead == 0 else 0)
            shelf.append(np.minimum(now, grid.stock_shape[product] - 1))
            rows = at[:, first : first + grid.rows[product]]
            rest.append(np.column_stack([rows, order[:, product]]) if lead else rows)
        return np.asarray(np.ravel_multi_index(shelf, grid.stock_shape)), rest

    def _next_morning(
        self, slate: np.ndarray, evenings: np.ndarray, rest: list[np.ndarray]
    ) -> np.ndarray:
        """Flat states after receipts, from flat ending net stocks (states, Y) and pipelines."""
        grid = self.grid
        shelf = list(np.unravel_index(evenings, grid.stock_shape))
        rows: list[np.ndarray] = []
        for product, pipeline in enumerate(rest):
            if pipeline.shape[1]:
                reached = shelf[product] + pipeline[:, :1]
                shelf[product] = np.minimum(reached, grid.stock_shape[product] - 1)
            rows += [np.broadcast_to(row[:, None], evenings.shape) for row in pipeline[:, 1:].T]
        memory = np.broadcast_to((slate % grid.remembered)[:, None], evenings.shape)
        return np.ravel_multi_index([memory, *shelf, *rows], grid.shape)


def average(rule: Decisions, worth: Float[np.ndarray, "M A Z"], params: Params) -> float:
    """Average money per period of a rule: `worth` of a period less what its orders cost."""
    over = rule.long_run
    met, order = rule.met_by_demand(over.states), rule.order[over.states]
    day = worth[rule.remembered(over.states), rule.slate[over.states], met]
    bought = order @ np.asarray(params.cost) + (order > 0) @ np.asarray(params.order_cost)
    return float(over.share @ (day - bought))
