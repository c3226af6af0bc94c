"""What a policy leaves behind in the long run: the stationary distribution of a store on a grid.

Source: this project.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy import sparse

from jaxsim.exact.grid import Grid
from jaxsim.params import Params

MOST_DAYS = 100_000
PART = 20_000  # states whose followers are held at once


@dataclass(frozen=True)
class LongRun:
    """Where a policy spends its time: flat states of the grid and their probabilities, and those
    of each evening's net stock."""

    states: np.ndarray
    share: np.ndarray
    evening: np.ndarray  # (Z,)


@dataclass(frozen=True)
class Rule:
    """What is done in every flat state of a grid, and what days then do to the stock."""

    grid: Grid
    leaves: np.ndarray  # (M, A, Z, Z), as in `jaxsim.exact.period_tables.Day`
    order: np.ndarray  # (states, N), units
    slate: np.ndarray  # (states,), index into the joint slates

    @cached_property
    def long_run(self) -> LongRun:
        """The stationary distribution over the states that are visited again and again."""
        states = self._recurrent()
        place = np.zeros(math.prod(self.grid.shape), np.int32)
        place[states] = np.arange(len(states))
        reached, chances = self._followers(states)
        ends = np.arange(len(states) + 1) * reached.shape[1]
        moves = sparse.csr_matrix(
            (chances.reshape(-1).astype(float), place[reached.reshape(-1)], ends),
            shape=(len(states), len(states)),
        ).T
        share = np.full(len(states), 1 / len(states))
        for _ in range(MOST_DAYS):
            following = moves @ share
            if self.grid.remembered > 1:  # slates may take turns; half of it stays, to settle
                following = (following + share) / 2
            following /= following.sum()
            settled = np.abs(following - share).sum() < 1e-12
            share = following
            if settled:
                break
        return LongRun(states, share, share @ chances)

    def met_by_demand(self, states: np.ndarray) -> np.ndarray:
        """Flat net stock that the day's demand meets in these flat states."""
        return self._met_by_demand(states)[0]

    def remembered(self, states: np.ndarray) -> np.ndarray:
        """Which joint slate customers remember in these flat states (0 where they do not)."""
        return np.unravel_index(states, self.grid.shape)[0]

    def _recurrent(self) -> np.ndarray:
        """States visited again and again: all that follow the one where a store without customers
        ends up, which every state can reach."""
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
        """The state after a day on which nobody came."""
        met, rest = self._met_by_demand(states)
        return self._next_morning(self.slate[states], met[:, None], rest)[:, 0]

    def _followers(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Possible next states and their probabilities: (states, Z)."""
        slate = self.slate[states]
        met, rest = self._met_by_demand(states)
        chances = self.leaves[self.remembered(states), slate, met]
        evenings = np.broadcast_to(np.arange(chances.shape[-1]), chances.shape)
        return self._next_morning(slate, evenings, rest), chances

    def _met_by_demand(self, states: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Flat stock that demand meets, and each product's pipeline with the order."""
        grid, order = self.grid, self.order[states]
        at = np.stack(np.unravel_index(states, grid.shape), -1)
        shelf, rest = [], []
        for product, lead in enumerate(grid.lead_time):
            first = grid.first_row(product)
            now = at[:, grid.stock_axis(product)] + (order[:, product] if lead == 0 else 0)
            shelf.append(np.minimum(now, grid.stock_shape[product] - 1))
            rows = at[:, first : first + grid.rows[product]]
            rest.append(np.column_stack([rows, order[:, product]]) if lead else rows)
        return np.ravel_multi_index(shelf, grid.stock_shape), rest

    def _next_morning(
        self, slate: np.ndarray, evenings: np.ndarray, rest: list[np.ndarray]
    ) -> np.ndarray:
        """Flat states after receipts, from flat evening stocks (states, Y) and pipelines."""
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


def average(rule: Rule, worth: Float[np.ndarray, "M A Z"], params: Params) -> float:
    """What a rule earns per period where a day is worth `worth`, units bought at their cost."""
    over = rule.long_run
    met, order = rule.met_by_demand(over.states), rule.order[over.states]
    day = worth[rule.remembered(over.states), rule.slate[over.states], met]
    bought = order @ np.asarray(params.cost) + (order > 0) @ np.asarray(params.order_cost)
    return float(over.share @ (day - bought))
