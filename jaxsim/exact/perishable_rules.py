"""Order rules for one product that perishes, as orders in every state of the exact solver.

IP is the inventory position, on hand and on order before an order; EW the units that would expire
before the order arrives if each period's demand were its mean.
"""

import itertools
from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Float, Int

from jaxsim.exact.perishable import Perishable, base_stock, chain_of

Orders = Int[np.ndarray, " states"]
Settings = tuple[float, ...]

LEVELS = range(1, 13)
"""Levels of stock and limits that are tried, in units."""


def best_rules(product: Perishable) -> dict[str, tuple[Settings, float]]:
    """By rule, the settings with the least average cost, and that cost in money per period: all of
    `LEVELS` are tried, and hundredths between them of usable stock, whose cost is ragged."""
    two = list(itertools.combinations_with_replacement(LEVELS, 2))
    hundredths = range(100 * LEVELS[0], 100 * LEVELS[-1])
    pairs = [(high, low) for low, high in two]
    return {
        "base-stock": _best(product, base_stock, itertools.product(LEVELS)),
        "base-stock with expected waste": _best(
            product, with_expected_waste, itertools.product(LEVELS)
        ),
        "BSP-low-EW": _best(
            product, low_stock, ((*both, limit) for both in two for limit in LEVELS)
        ),
        "capped base-stock": _best(product, capped, pairs),
        "projected usable level": _best(
            product, usable_level, ((level / 100,) for level in hundredths)
        ),
    }


def _best(
    product: Perishable, rule: Callable[..., Orders], settings: Iterable[Settings]
) -> tuple[Settings, float]:
    """The first of the settings whose cost is the least; each set of orders is judged once."""
    costs: dict[bytes, float] = {}
    best: tuple[Settings, float] = ((), np.inf)
    for each in settings:
        order = rule(product, *each)
        which = order.astype(np.int16).tobytes()
        if which not in costs:
            costs[which] = chain_of(product, order).average()
        if costs[which] < best[1] - 1e-9:
            best = each, costs[which]
    return best


def capped(product: Perishable, level: int, cap: int) -> Orders:
    """Base-stock with at most `cap` units an order."""
    return np.clip(level - product.position, 0, min(cap, product.most_order))


def with_expected_waste(product: Perishable, level: int) -> Orders:
    """S - IP + EW (after Broekmeulen and van Donselaar, 2009)."""
    return _whole(product, level - product.position + expected_waste(product))


def low_stock(product: Perishable, low: float, high: float, limit: float) -> Orders:
    """BSP-low-EW (Haijema and Minner, 2019, IJPE 209, 316): two levels with expected waste. From
    IP = `limit` on it orders up to `high`; below, `low` - a IP + EW with a = 1 - (high - low) /
    `limit`, so that both agree there and an empty store orders `low`."""
    part = 1 - (high - low) / limit
    below = low - part * product.position
    wanted = np.where(product.position < limit, below, high - product.position)
    return _whole(product, wanted + expected_waste(product))


def usable_level(product: Perishable, level: float) -> Orders:
    """Projected usable level: an order fills up, to the nearest unit, to a level of what is
    expected to be usable when it arrives. It is the projected inventory level of van Jaarsveld and
    Arts (2101.07519) with ageing; compare Liao, Peng and Rong (2601.15589)."""
    return _whole(product, level - expected_usable(product))


def expected_usable(product: Perishable) -> Float[np.ndarray, " states"]:
    """Units still usable when an order placed in each state arrives, before it does."""
    moves = product.evenings[0]
    orders = product.most_order + 1
    units = product.shelves[::orders, : product.shelf_life - 1].sum(1)[:, None]
    for _ in range(product.lead_time):
        units = (moves @ units).reshape(moves.shape[1], -1)
    return units.reshape(-1)


def expected_waste(product: Perishable) -> Float[np.ndarray, " states"]:
    """EW in every state."""
    mean = float(product.demand @ np.arange(len(product.demand)))
    at = np.indices(product.sizes).reshape(len(product.sizes), -1).T.astype(float)
    shelf, pipeline = at[:, : product.shelf_life], at[:, product.shelf_life :]
    waste = np.zeros(len(at))
    for period in range(product.lead_time):
        counted = np.cumsum(shelf, 1)
        sold = np.minimum(mean, counted[:, -1:])
        left = counted[:, -1:] - sold
        kept = np.clip(counted - (0.0 if product.lifo else sold), 0.0, left)
        waste += kept[:, 0]
        arrives = pipeline[:, period : period + 1] if period < pipeline.shape[1] else 0 * left
        shelf = np.hstack([np.diff(kept, axis=1), arrives])
    return waste


def _whole(product: Perishable, wanted: Float[np.ndarray, " states"]) -> Orders:
    """To the nearest unit, halves up, within what may be ordered."""
    return np.clip(np.floor(wanted + 0.5 + 1e-9), 0, product.most_order).astype(int)
