"""The best orders of one product that perishes and whose unmet demand is lost, exactly.

Value iteration over stock by age and pipeline, in double precision. m periods of shelf life, n - 1
units at most in an order, L the lead time, at least 1. A shelf has m numbers of units, those that
can be sold for the last time first; a state is a shelf and the L - 1 orders due after the next one.
Sources: this project; the span of an update bounds the error (Puterman, 1994, section 8.5).
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

MOST_UPDATES = 2_000
DAMPING = 0.7
"""Of an update. The best policy of a last-in, first-out shelf may be periodic: undamped, values
would swing for ever."""
NEGLIGIBLE = 1e-15
"""Probability of more demand than is followed unit by unit."""


@dataclass(frozen=True)
class Perishable:
    """A product, and what follows from its numbers for every shelf."""

    shelf_life: int  # m, periods in which a unit that arrives fresh can be sold
    lead_time: int  # L, periods from an order to the first demand that it meets
    lifo: bool  # customers take the freshest unit, else the oldest
    cost: float  # money per unit ordered
    holding: float  # money per unit left over and not wasted, per period
    penalty: float  # money per unit of lost sales
    waste: float  # money per unit wasted, beside its cost
    demand: Float[np.ndarray, " D"] = field(compare=False)  # probability of 0, 1, 2, ... units
    most_order: int = 10  # units

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of values of each number in a state."""
        return (self.most_order + 1,) * (self.shelf_life + self.lead_time - 1)

    @cached_property
    def shelves(self) -> Int[np.ndarray, "shelves m"]:
        """Every shelf."""
        return np.indices(self.sizes[: self.shelf_life], np.int16).reshape(self.shelf_life, -1).T

    @cached_property
    def evenings(self) -> tuple[sparse.csr_matrix, Float[np.ndarray, " shelves"]]:
        """Probabilities of what each shelf (row) is in the next morning without the delivery, a
        number of its first m - 1 rows; and the expected money that a shelf costs in a period."""
        counted = np.cumsum(self.shelves, 1, dtype=np.int16)
        stock, cost = counted[:, -1].astype(int), np.zeros(len(counted))
        reached, chances = [], []
        for units, chance in enumerate(self.demand):
            sold = np.minimum(units, stock)
            left = (stock - sold)[:, None]
            kept = np.clip(counted - (0 if self.lifo else sold[:, None]), 0, left)
            wasted, lost = kept[:, 0], units - sold
            money = self.holding * (left[:, 0] - wasted) + self.waste * wasted + self.penalty * lost
            cost += chance * money
            if chance > NEGLIGIBLE:
                older = np.diff(kept, axis=1)
                reached.append(np.ravel_multi_index(older.T, self.sizes[: self.shelf_life - 1]))
                chances.append(chance)
        rows = np.tile(np.arange(len(stock)), len(reached))
        moves = sparse.csr_matrix(
            (np.repeat(chances, len(stock)), (rows, np.concatenate(reached))),
            shape=(len(stock), len(stock) // (self.most_order + 1)),
        )
        return sparse.csr_matrix(moves.multiply(1 / moves.sum(1))), cost

    @cached_property
    def position(self) -> Int[np.ndarray, " states"]:
        """Units on hand and on order in every state."""
        return np.indices(self.sizes, np.int16).sum(0, dtype=np.int16).reshape(-1)


@dataclass(frozen=True)
class Best:
    """The best policy."""

    cost: float  # money per period, on average; with a discount, (1 - discount) times that of empty
    bound: float  # of its error
    order: Int[np.ndarray, " states"]
    value: Float[np.ndarray, " states"]  # cost from a state on, relative to that of the empty one


def best_orders(
    product: Perishable,
    discount: float = 1.0,
    tolerance: float = 1e-8,
    start: Float[np.ndarray, " states"] | None = None,
) -> Best:
    """The orders with the least cost per period, to within `tolerance` money, or with the least
    discounted cost. `start`: values to begin with. Stops after `MOST_UPDATES`: read `bound`."""
    value = np.zeros(len(product.position)) if start is None else start
    gain, order = _update(product, discount, value)
    for _ in range(MOST_UPDATES):
        if np.ptp(gain) <= 2 * tolerance:
            break
        value = value + DAMPING * gain
        value = value - value[0]
        gain, order = _update(product, discount, value)
    return Best((gain.min() + gain.max()) / 2, np.ptp(gain) / 2, order, value)


def _update(
    product: Perishable, discount: float, value: Float[np.ndarray, " states"]
) -> tuple[Float[np.ndarray, " states"], Int[np.ndarray, " states"]]:
    """What a Bellman update adds to every value, and the best orders."""
    moves, period_cost = product.evenings
    orders = product.most_order + 1
    # What is left of the shelf is followed by the delivery, the pipeline and this order.
    after = moves @ value.reshape(moves.shape[1], -1)
    worths = discount * after.reshape(-1, orders) + product.cost * np.arange(orders)
    order = worths.argmin(1)
    least = np.take_along_axis(worths, order[:, None], 1)[:, 0]
    updated = least.reshape(len(period_cost), -1) + period_cost[:, None]
    return updated.reshape(-1) - value, order


@dataclass(frozen=True)
class Chain:
    """A policy from an empty store on: the states that it can reach, the empty one first."""

    states: Int[np.ndarray, " reached"]
    moves: sparse.csr_matrix  # (reached, reached)
    costs: Float[np.ndarray, " reached"]  # money of a period, orders included

    def average(self) -> float:
        """Cost per period in the long run."""
        share = np.zeros(len(self.states))
        share[0], backward = 1.0, self.moves.T.tocsr()
        for _ in range(100 * MOST_UPDATES):
            after = (share + backward @ share) / 2  # half steps: the chain may be periodic
            settled = np.abs(after - share).sum() < 1e-13
            share = after
            if settled:
                break
        return float(share @ self.costs / share.sum())

    def episode(self, discount: float, warm_up: int, periods: int) -> float:
        """Expected discounted cost of so many periods after a warm-up from an empty store."""
        share, total = np.zeros(len(self.states)), 0.0
        share[0], backward = 1.0, self.moves.T.tocsr()
        for period in range(warm_up + periods):
            total += discount ** (period - warm_up) * (share @ self.costs) * (period >= warm_up)
            share = backward @ share
        return float(total)


def chain_of(product: Perishable, order: Int[np.ndarray, " states"]) -> Chain:
    """The chain of a policy that orders so many units in every state."""
    moves, period_cost = product.evenings
    seen, frontier, found = np.zeros(len(order), bool), np.zeros(1, int), []
    seen[0] = True
    while len(frontier):
        found.append(frontier)
        after, _ = _followers(product, order, frontier)
        fresh = np.unique(after[~seen[after]])
        seen[fresh] = True
        frontier = fresh
    states = np.concatenate(found)
    place = np.zeros(len(order), int)
    place[states] = np.arange(len(states))
    after, counts = _followers(product, order, states)
    shelf = states // _pipelines(product)
    costs = period_cost[shelf] + product.cost * order[states]
    ends = np.concatenate([[0], np.cumsum(counts)])
    chances = moves[shelf].data
    return Chain(
        states,
        sparse.csr_matrix((chances, place[after], ends), shape=(len(states), len(states))),
        costs,
    )


def best_base_stock(product: Perishable) -> tuple[int, float]:
    """The order-up-to level with the least average cost, and that cost; every level is tried up to
    where the cost has risen three times in a row."""
    costs: list[float] = []
    while len(costs) < 4 or not costs[-4] < costs[-3] < costs[-2] < costs[-1]:
        costs.append(chain_of(product, base_stock(product, len(costs) + 1)).average())
    level = int(np.argmin(costs))
    return level + 1, costs[level]


def base_stock(product: Perishable, level: int) -> Int[np.ndarray, " states"]:
    """Orders up to a level of stock and pipeline, in every state."""
    return np.clip(level - product.position, 0, product.most_order)


def _pipelines(product: Perishable) -> int:
    """Number of pipelines beside each shelf."""
    return (product.most_order + 1) ** (product.lead_time - 1)


def _followers(
    product: Perishable, order: np.ndarray, states: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The states that may follow each of these, one after another, and how many follow each."""
    moves, orders, pipelines = product.evenings[0], product.most_order + 1, _pipelines(product)
    mornings = moves[states // pipelines]
    counts = np.diff(mornings.indptr)
    coming = (states % pipelines) * orders + order[states]
    return mornings.indices * (pipelines * orders) + np.repeat(coming, counts), counts
