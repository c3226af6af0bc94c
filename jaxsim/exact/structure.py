"""What the best joint policy of a two-product store looks like, as data."""

from typing import Any

import numpy as np
from jaxtyping import Int

from jaxsim.exact.optimum import Optimum


def shown_first(found: Optimum) -> np.ndarray:
    """The product shown first to each segment, by the stock of both (lead times up to 1):
    (X1, X2, K)."""
    return found.tables.slates[np.asarray(found.solution.slate)[0]][..., 0]


def visited(found: Optimum, share: float = 1e-6) -> np.ndarray:
    """Whether the policy is in more than `share` of periods at these stocks: (X1, X2)."""
    grid = found.grid
    seen = np.zeros(grid.stock_shape, bool)
    at = np.stack(np.unravel_index(found.long_run.states, grid.shape), -1)[:, 1:3]
    often = found.long_run.share > share
    seen[tuple(at[often].T)] = True
    return seen


def position_after_ordering(found: Optimum, product: int) -> Int[np.ndarray, " S"]:
    """Inventory position of a product after ordering, in units: on hand, on order and ordered, less
    backlog, in each state S of the long run (`found.long_run`)."""
    grid, states = found.grid, found.long_run.states
    at = np.stack(np.unravel_index(states, grid.shape), -1)
    first = grid.first_row(product)
    coming = at[:, first : first + grid.rows[product]].sum(-1) + found.rule.order[states, product]
    return at[:, grid.stock_axis(product)] - grid.owed[product] + coming


def structure_of(found: Optimum) -> dict[str, Any]:
    """Switching curves and order-up-to levels of a store with lead times up to 1. `shown`: as
    `shown_first`. `switching`: by segment and stock of product 1, the least stock of product 2 from
    which product 2 is shown, none where it never is. `order_up_to`: of each product, on hand and
    order together, by its own stock (rows) and the other's (columns)."""
    shown, orders = shown_first(found), found.orders[0]
    rows, columns = np.indices(orders.shape[:2])
    levels = (orders[..., 0] + rows, (orders[..., 1] + columns).T)
    second = np.moveaxis(shown == 1, -1, 0)
    return {
        "shown": shown.tolist(),
        "switching": [
            [int(line.argmax()) if line.any() else None for line in segment] for segment in second
        ],
        "switching_monotone": [_is_monotone(segment) for segment in second],
        "order_up_to": [level.tolist() for level in levels],
        "orders": orders.tolist(),
        "visited": visited(found).tolist(),
    }


def _is_monotone(second: np.ndarray) -> bool:
    """Whether, of two products in stock, more of one never takes the slate from it (X1, X2)."""
    in_stock = second[1:, 1:].astype(int)
    return bool((np.diff(in_stock, axis=1) >= 0).all() and (np.diff(in_stock, axis=0) <= 0).all())
