"""The states and orders of a store that is truncated for exact dynamic programming."""

import itertools
import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Axes of a value function: one for the joint slate that customers remember (of size 1 where
    fatigue has no weight), one for each product's net stock (on-hand less backlog), then those of
    each product's pipeline rows except the last, which orders fill."""

    on_hand: tuple[int, ...]  # largest on-hand in units, by product
    owed: tuple[int, ...]  # largest backlog in units, by product; 0 where sales are lost
    order: tuple[int, ...]  # largest order in units, by product
    lead_time: tuple[int, ...]  # periods
    remembered: int = 1  # joint slates that customers may remember
    pack: tuple[int, ...] = ()  # units that orders are multiples of, by product; by default 1

    @property
    def products(self) -> int:
        """N."""
        return len(self.on_hand)

    @property
    def packs(self) -> tuple[int, ...]:
        """Units that orders are multiples of, by product."""
        return self.pack or (1,) * self.products

    @property
    def stock_shape(self) -> tuple[int, ...]:
        """Sizes of the axes of net stock; their product is Z."""
        return tuple(most + owed + 1 for most, owed in zip(self.on_hand, self.owed, strict=True))

    @property
    def rows(self) -> tuple[int, ...]:
        """Pipeline axes of each product."""
        return tuple(max(lead - 1, 0) for lead in self.lead_time)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""
        sizes = [(most + 1,) * rows for most, rows in zip(self.order, self.rows, strict=True)]
        return (self.remembered, *self.stock_shape, *sum(sizes, ()))

    @property
    def orders(self) -> np.ndarray:
        """Every joint order in units: (Q, N)."""
        each = zip(self.order, self.packs, strict=True)
        return np.array(list(itertools.product(*(range(0, most + 1, pack) for most, pack in each))))

    @property
    def stocks(self) -> np.ndarray:
        """Net stock of every point in units: (Z, N)."""
        points = itertools.product(*(range(size) for size in self.stock_shape))
        return np.array(list(points), np.float32) - np.array(self.owed, np.float32)

    def stock_axis(self, product: int) -> int:
        """Axis of a product's net stock."""
        return 1 + product

    def first_row(self, product: int) -> int:
        """Axis of a product's first pipeline row."""
        return 1 + self.products + sum(self.rows[:product])


@dataclass(frozen=True)
class AgedGrid(Grid):
    """The grid of a store whose goods age: instead of net stock, axes for each row of a product's
    shelf, units by the periods left to them, new goods last. What `Grid` says of stock is said of
    the totals. Nobody remembers a slate, and no row of a shelf exceeds the largest order."""

    life: tuple[int, ...] = ()  # periods in which a unit that arrives can be sold, by product

    @classmethod
    def of(
        cls, life: tuple[int, ...], order: tuple[int, ...], lead_time: tuple[int, ...]
    ) -> "AgedGrid":
        """The grid with these shelf lives, largest orders and lead times, which are at least 1."""
        on_hand = tuple(rows * most for rows, most in zip(life, order, strict=True))
        return cls(on_hand, (0,) * len(life), order, lead_time, life=life)

    @property
    def totals(self) -> Grid:
        """The grid of units on hand, whatever their age."""
        return Grid(self.on_hand, self.owed, self.order, self.lead_time)

    @property
    def shelves(self) -> tuple[tuple[int, ...], ...]:
        """Sizes of the rows of each product's shelf."""
        return tuple((most + 1,) * rows for most, rows in zip(self.order, self.life, strict=True))

    @property
    def pipelines(self) -> tuple[tuple[int, ...], ...]:
        """Sizes of the pipeline axes of each product."""
        return tuple((most + 1,) * rows for most, rows in zip(self.order, self.rows, strict=True))

    @property
    def shelf_counts(self) -> tuple[int, ...]:
        """Shelves of each product; their product is P, the number of points."""
        return tuple(math.prod(sizes) for sizes in self.shelves)

    @property
    def points(self) -> int:
        """P."""
        return math.prod(self.shelf_counts)

    @property
    def evenings(self) -> tuple[int, ...]:
        """Of each product, shelves that may be left for the morning's delivery to be put beside;
        their product is E."""
        return tuple(math.prod(sizes[:-1]) for sizes in self.shelves)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""
        return (1, *sum(self.shelves, ()), *sum(self.pipelines, ()))
