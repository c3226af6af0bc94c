"""The states and orders of a store that is truncated for exact dynamic programming."""

import itertools
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

    @property
    def products(self) -> int:
        """N."""
        return len(self.on_hand)

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
        return np.array(list(itertools.product(*(range(most + 1) for most in self.order))))

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
