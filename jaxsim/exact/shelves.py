"""One period of a store whose goods age, exactly, by stock by age and joint slate.

A shelf is the units of one product by the periods that are left to them, first those that are
wasted tonight if not sold; a point is the shelves of all products. Customers choose by what is on
hand in all, so that points with the same totals share an entry of the period table; who takes which
unit follows `jaxsim.ageing`. Source: this project.
"""

import math
from dataclasses import dataclass
from functools import reduce

import jax
import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from jaxsim import store
from jaxsim.exact.grid import AgedGrid
from jaxsim.exact.period_tables import Day, day_of, doubled
from jaxsim.params import Params
from jaxsim.records import Flows


@dataclass(frozen=True)
class AgedDay:
    """A period, for each of A joint slates and P points."""

    flows: Flows  # the expected ledger of a period without orders: leaves (1, A, P, N)
    moves: sparse.csr_matrix  # (A P, E): probabilities of what the delivery is put beside


@dataclass(frozen=True)
class Shelves:
    """The S shelves of one product with the same number of units, and the J ways in which a period
    may go: units left after sales, and how many buyers took the freshest."""

    number: Int[np.ndarray, "S 1"]  # of each shelf
    left: Int[np.ndarray, "1 J"]  # units after sales
    chance: Float[np.ndarray, "1 J"]  # of so many buyers of the freshest
    evening: Int[np.ndarray, "S J"]  # number of the shelf, a period older and without its last row
    wasted: Int[np.ndarray, "S J"]  # units


def shelves_of(sizes: tuple[int, ...], total: int, fresh_share: float) -> Shelves:
    """The shelves of `total` units with rows of these sizes."""
    units = np.indices(sizes).reshape(len(sizes), -1).T
    number = np.flatnonzero(units.sum(1) == total)
    left = np.arange(total + 1)
    fewer = np.floor(fresh_share * (total - left))
    more = fresh_share * (total - left) - fewer
    left, fresh = np.tile(left, 2), np.hstack([fewer, fewer + 1])
    chance = np.hstack([1 - more, more])
    left, fresh, chance = (each[chance > 0] for each in (left, fresh, chance))
    oldest = (total - left - fresh)[:, None]
    counted = np.cumsum(units[number], 1)[:, None]
    kept = np.clip(counted - oldest, 0, left[:, None]).astype(int)
    evening = np.zeros(kept.shape[:2], int)
    for row, size in enumerate(sizes[1:], 1):
        evening = size * evening + kept[..., row] - kept[..., row - 1]
    return Shelves(number[:, None], left[None], chance[None], evening, kept[..., 0])


def aged_day_of(slates: np.ndarray, params: Params, grid: AgedGrid) -> AgedDay:
    """The period on the points of `grid`."""
    day = day_of(slates, params.replace(max_shelf_life=0), grid.totals)
    moves, wasted = _evenings(day, float(params.fresh_share), grid)
    return AgedDay(_ledger(day.flows, wasted, params, grid), moves)


def _evenings(
    day: Day, fresh_share: float, grid: AgedGrid
) -> tuple[sparse.csr_matrix, Float[np.ndarray, "A P N"]]:
    """Probabilities of evenings, and units wasted on average."""
    leaves = day.leaves[0] / day.leaves[0].sum(-1, keepdims=True)
    wasted = np.zeros((len(leaves), grid.points, grid.products))
    places, evenings, chances = [], [], []
    for entry, totals in enumerate(np.ndindex(*grid.stock_shape)):
        shelves = [
            shelves_of(sizes, total, fresh_share)
            for sizes, total in zip(grid.shelves, totals, strict=True)
        ]
        left = np.ravel_multi_index(_apart([each.left for each in shelves]), grid.stock_shape)
        way = reduce(np.multiply, _apart([each.chance for each in shelves]))
        chance = (leaves[:, entry, left.reshape(-1)] * way.reshape(-1))[:, None]
        points = np.ravel_multi_index(_apart([each.number for each in shelves]), grid.shelf_counts)
        evening = np.ravel_multi_index(_apart([each.evening for each in shelves]), grid.evenings)
        shape = points.size, left.size
        for product, thrown in enumerate(_apart([each.wasted for each in shelves])):
            units = np.broadcast_to(thrown, evening.shape).reshape(shape)
            wasted[:, points.reshape(-1), product] = (chance * units).sum(-1)
        places.append(np.repeat(points.reshape(-1), left.size))
        evenings.append(evening.reshape(-1))
        chances.append(np.broadcast_to(chance, (len(leaves), *shape)).reshape(len(leaves), -1))
    at = np.concatenate(places), np.concatenate(evenings)
    size = grid.points, math.prod(grid.evenings)
    each = np.concatenate(chances, 1)
    return sparse.vstack([sparse.csr_matrix((row, at), size) for row in each], "csr"), wasted


def _apart(arrays: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Arrays of two axes, one for each product, with axes of their own among all first axes and all
    second ones."""
    axes = len(arrays)
    return tuple(
        np.expand_dims(array, [axis for axis in range(2 * axes) if axis % axes != product])
        for product, array in enumerate(arrays)
    )


def _ledger(
    totals: Flows, wasted: Float[np.ndarray, "A P N"], params: Params, grid: AgedGrid
) -> Flows:
    """The expected ledger by point, from that by totals. Without overflow, money is linear in what
    moves."""
    units = [np.indices(sizes).sum(0).reshape(-1, 1) for sizes in grid.shelves]
    entry = np.ravel_multi_index(_apart(units), grid.stock_shape).reshape(-1)
    flows = jax.tree.map(lambda leaf: leaf[0][:, entry], totals)
    flows = flows.replace(left=flows.left - wasted, wasted=wasted)
    with jax.enable_x64(True):
        return jax.device_get(_accounted(flows, doubled(params)))


@jax.jit
def _accounted(flows: Flows, params: Params) -> Flows:
    each = jax.vmap(jax.vmap(store.account, (0, None)), (0, None))(flows, params)
    return jax.tree.map(lambda leaf: leaf[None], each)
