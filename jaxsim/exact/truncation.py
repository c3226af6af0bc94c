"""How a store is truncated for the exact solver: which stores it takes, first caps, wider ones.

Caps on on-hand, backlog and orders make the states finite. They are wide enough when the best
policy reaches them with negligible probability. Source: this project.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from jaxsim import choice, families
from jaxsim.errors import UserError
from jaxsim.exact import solver
from jaxsim.exact.grid import Grid
from jaxsim.exact.stationary import Rule
from jaxsim.params import Params

LIMIT = 2 * 2**30
"""Bytes that a solution may take."""
NEGLIGIBLE = 1e-8
"""Probability per period of reaching a cap."""
STEP = 8
"""Sizes of grids are multiples of this, so that stores share compiled programs."""


class ExactError(UserError):
    """A store that the exact solver does not take: the message says why, and what is allowed."""


def require_solvable(params: Params, discount: float) -> None:
    """Raises `ExactError` for a store outside the exact model: its state may be stock and the last
    slates only, and its only chance demand."""
    neutral = {
        "review": 1, "stall": 0, "demand_noise": 0, "market_noise": 0,
        "goodwill_rate": 0, "shelf_life": 0,
    }  # fmt: skip
    if has_fatigue(params):
        neutral["fatigue_memory"] = 0
    for field, allowed in neutral.items():
        values = np.asarray(getattr(params, field))
        if (values != allowed).any():
            raise ExactError(f"{field}: {values.tolist()}; the exact solver allows {allowed} only")
    if np.ptp(np.asarray(params.season), -1).any():
        raise ExactError("season: it varies; the exact solver allows a constant one only")
    if not 0 < discount <= 1:
        raise ExactError(f"discount: {discount}; allowed: above 0, up to 1")
    if discount < 1 and bool((params.backlogged & (params.price > 0)).any()):
        # `sales_profit` books a waiting customer's price at once: right on average only.
        raise ExactError(f"discount: {discount}; allowed: 1 where paying customers wait")


def require_single_units(params: Params) -> None:
    """Raises `ExactError` for a store that orders packs."""
    if (params.pack != 1).any():
        raise ExactError(f"pack: {params.pack.tolist()}; the exact solver allows 1 only here")


def require_small(grid: Grid, slates: int) -> None:
    """Raises `ExactError` where a solution would take too much memory, before it takes any."""
    points, values = math.prod(grid.stock_shape), math.prod(grid.shape)
    orders = math.prod(most // pack + 1 for most, pack in zip(grid.order, grid.packs, strict=True))
    at_once = values * max(1, min(orders, solver.CHUNK // values))
    require_room(
        8 * (2 * grid.remembered * slates * points**2 + 6 * slates * at_once), values, slates
    )


def require_room(size: float, states: int, slates: int) -> None:
    """Raises `ExactError` where a solution of so many bytes is too large."""
    if size > LIMIT:
        raise ExactError(
            f"a store of {states:,} states and {slates:,} joint slates needs about "
            f"{size / 2**30:.1f} GiB; allowed: {LIMIT / 2**30:.0f} GiB"
        )


def require_reached(bound: float, tolerance: float, updates: int) -> None:
    """Raises `ExactError` where the bound is above the tolerance, both in money, after so many
    updates."""
    if not bound <= tolerance:
        raise ExactError(
            f"tolerance: {tolerance:g}; reached: {bound:.2g} in {updates:,} updates; allowed: a "
            "tolerance not below that"
        )


def has_fatigue(params: Params) -> bool:
    """Whether fatigue matters: whether customers remember what they were shown."""
    return bool((params.fatigue_weight > 0).any())


def first_grid(params: Params, slates: np.ndarray) -> Grid:
    """Caps from the newsvendor over lead time and one period, at each product's highest mean
    demand."""
    leads = np.asarray(params.lead_time)
    under = np.asarray(params.price - params.cost + params.penalty)
    fractile = under / np.maximum(under + np.asarray(params.holding), 1e-9)
    family, dispersion = families.get(params.family), params.dispersion.tolist()
    on_hand, owed, order = [], [], []
    for i, rate in enumerate(highest_rates(params, slates)):
        law = family.at(dispersion[i]).law
        wanted = min(max(fractile[i], 0.5), 0.999)
        level, daily = (int(law(rate, days).ppf(wanted)) for days in (leads[i] + 1, 1))
        deepest = law(rate, leads[i] + 1).isf(NEGLIGIBLE) - level
        # A pipeline multiplies the states: there caps start as small as possible, and grow.
        on_hand.append(_rounded(level + 3) if leads[i] <= 1 else level + 3)
        owed.append(_rounded(max(int(deepest), 0)) if bool(params.backlogged[i]) else 0)
        # Where customers wait, a base-stock policy orders all demand, however much.
        most = int(law(rate, 1).isf(NEGLIGIBLE)) if owed[i] else min(level, daily)
        order.append(_rounded(max(level, most) + 2) if leads[i] <= 1 else most + 2)
    pack = np.asarray(params.pack, int)
    on_hand = [cap if units == 1 else cap + units for cap, units in zip(on_hand, pack, strict=True)]
    return Grid(
        on_hand=tuple(int(cap) for cap in on_hand),
        owed=tuple(owed),
        order=_whole_packs(order, params),
        lead_time=tuple(int(lead) for lead in leads),
        remembered=len(slates) if has_fatigue(params) else 1,
        pack=tuple(pack.tolist()),
    )


def highest_rates(params: Params, slates: np.ndarray) -> np.ndarray:
    """Each product's mean demand under the slate and fatigue that favour it most: (N,)."""
    attention = jax.vmap(lambda slate: choice.attention_of(slate, params))(jnp.asarray(slates))
    fatigues = attention if has_fatigue(params) else jnp.zeros_like(attention[:1])

    def rates(shown: jax.Array, fatigue: jax.Array) -> jax.Array:
        weights = choice.weights_of(shown, fatigue, params)
        everything = jnp.ones(params.products)
        shares = choice.choice_shares(weights, everything, params.needs)
        return params.arrivals @ shares * params.batch

    over = jax.vmap(jax.vmap(rates, (None, 0)), (0, None))
    return np.asarray(over(attention, fatigues).max((0, 1)), np.float64)


def widened(rule: Rule, params: Params) -> Grid:
    """The grid with every cap raised by a quarter that the policy reaches with more than negligible
    probability; of orders at most to what the store allows. The same grid where none is reached."""
    grid, over = rule.grid, rule.long_run
    shelves = np.stack(np.unravel_index(rule.met_by_demand(over.states), grid.stock_shape), -1)
    evenings = np.stack(np.unravel_index(np.arange(len(rule.evening)), grid.stock_shape), -1)
    full = over.share @ (shelves >= np.array(grid.stock_shape) - 1)
    deep = rule.evening @ (evenings == 0)
    most = over.share @ (rule.order[over.states] >= np.array(grid.order))
    return replace(
        grid,
        on_hand=_grown(grid.on_hand, full, _rounded),
        owed=_grown(grid.owed, deep * (np.array(grid.owed) > 0), _rounded),
        order=_whole_packs(_grown(grid.order, most), params),
    )


def _grown(
    caps: tuple[int, ...], reached: np.ndarray, rounded: Callable[[int], int] = int
) -> tuple[int, ...]:
    """Caps by product, higher where one is reached with more than negligible probability."""
    return tuple(
        rounded(cap + max(2, cap // 4)) if chance > NEGLIGIBLE else cap
        for cap, chance in zip(caps, reached, strict=True)
    )


def _whole_packs(units: Sequence[int], params: Params) -> tuple[int, ...]:
    """Orders rounded up to whole packs, at most what the store allows."""
    pack = np.asarray(params.pack, int)
    up = -(-np.asarray(units, int) // pack) * pack
    return tuple(np.minimum(up, np.asarray(params.order_cap, int)).tolist())


def _rounded(units: int) -> int:
    """The next cap for which the number of stocks from 0 up to it is a multiple of `STEP`."""
    return -(-(units + 1) // STEP) * STEP - 1
