"""Where a store is cut off for exact dynamic programming: the states and orders there are."""

import itertools
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """A value has an axis for the joint slate that customers remember (of size 1 where they do
    not tire), one for each product's net stock (on hand less backlog), then axes for each
    product's pipeline rows but the last, which orders fill."""

    on_hand: tuple[int, ...]  # most units on the shelf, by product
    owed: tuple[int, ...]  # most units of backlog, by product; 0 where sales are lost
    order: tuple[int, ...]  # most units in an order, by product
    lead_time: tuple[int, ...]
    remembered: int = 1  # joint slates that customers may remember

    @property
    def products(self) -> int:
        return len(self.on_hand)

    @property
    def stock_shape(self) -> tuple[int, ...]:
        return tuple(most + owed + 1 for most, owed in zip(self.on_hand, self.owed, strict=True))

    @property
    def rows(self) -> tuple[int, ...]:
        """Pipeline axes of each product."""
        return tuple(max(lead - 1, 0) for lead in self.lead_time)

    @property
    def shape(self) -> tuple[int, ...]:
        sizes = [(most + 1,) * rows for most, rows in zip(self.order, self.rows, strict=True)]
        return (self.remembered, *self.stock_shape, *sum(sizes, ()))

    @property
    def orders(self) -> np.ndarray:
        """Every joint order: (Q, N)."""
        return np.array(list(itertools.product(*(range(most + 1) for most in self.order))))

    @property
    def stocks(self) -> np.ndarray:
        """Net stock of every point: (Z, N)."""
        points = itertools.product(*(range(size) for size in self.stock_shape))
        return np.array(list(points), np.float32) - np.array(self.owed, np.float32)

    def stock_axis(self, product: int) -> int:
        return 1 + product

    def first_row(self, product: int) -> int:
        """Axis of a product's first pipeline row."""
        return 1 + self.products + sum(self.rows[:product])
