"""Observations: what each department, and the central critic, sees of a store, as features.

A view has arrays by product, by segment, by segment and product, and for the store, each with a
fixed number of columns, so that a network of one set of weights reads any catalogue. Stock is
measured as a z-score against Poisson demand, (stock − mean) / sqrt(mean + 1). Source: this project.
"""

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int

from jaxsim import choice
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.store import season_index

PIPELINE_COLUMNS = 4
"""Receipts with a column each; later ones are added to the last column."""

EXPIRY_COLUMNS = 3
"""Rows of stock by age with a column each, in stores whose goods age."""

REPLENISHMENT_NEWS, RECOMMENDATION_NEWS = 3, 1
"""Columns of `View.news` of each department."""

FEATURE_LIMIT = 8.0
"""Features are clipped to ± this, so that no store saturates a network."""


class Stock(struct.PyTreeNode):
    """What order rules compute an order from, in units."""

    position: Float[Array, " N"]  # inventory position: on hand + on order − backlog
    protected: Float[Array, " N"]  # forecast demand of lead time and review interval, L + R periods
    today: Float[Array, " N"]  # forecast demand of this period


class View(struct.PyTreeNode):
    """One observation of one store. Departments differ in the columns they are given."""

    product: Float[Array, "N F"]
    segment: Float[Array, "K G"]
    pair: Float[Array, "K N H"]
    store: Float[Array, " J"]
    news: Float[Array, "N M"]  # of the last period, for departments with a memory


def stock_of(state: State, params: Params) -> Stock:
    """Inventory position, and the demand forecasts it is compared with, season included."""
    phase = state.period % params.season_length
    return Stock(
        position=state.on_hand + state.pipeline.sum(0) - state.backlog,
        protected=state.forecast * protected_season(params)[phase],
        today=state.forecast * season_index(params)[phase],
    )


def protected_season(params: Params) -> Float[Array, "C N"]:
    """Sum of the season index over the L + R periods that an order placed in each phase covers."""
    return season_sum(params, params.lead_time + params.review)


def season_sum(params: Params, periods: Int[Array, " N"]) -> Float[Array, "C N"]:
    """Sum of the season index over each product's number of periods, from each phase on."""
    index = season_index(params)
    length = params.season_length
    two_seasons = jnp.concatenate([jnp.zeros(1), jnp.cumsum(jnp.tile(index, 2))])
    whole, rest = periods // length, periods % length
    phase = jnp.arange(length)[:, None]
    return whole[None] * index.sum() + two_seasons[phase + rest[None]] - two_seasons[phase]


def replenishment_view(state: State, params: Params, sees_attention: bool = True) -> View:
    """What replenishment sees: stock, what of it expires, pipeline, recent sales, lost units and
    attention, money, calendar; nothing of segments. Without `sees_attention` (a silo) the columns
    of attention are 0."""
    stock = stock_of(state, params)
    day = stock.today + 1.0
    margin = params.price - params.cost
    attention = choice.mean_over_customers(state.fatigue, params) * sees_attention
    due = (state.period % params.review == 0).astype(jnp.float32)
    columns = [
        _z(stock.position, stock.protected),
        _z(state.on_hand, stock.today),
        *(row / day for row in _pipeline_columns(state, params)),
        state.backlog / day,
        jnp.log(state.forecast + 0.1),
        jnp.log(stock.protected + 0.1),
        state.sold / day,
        state.lost / day,
        attention,
        *_money_columns(params),
        params.order_cost / (margin + 0.01 * params.price + 1e-6) / day,
        params.lead_time / 4.0,
        jnp.log(params.review.astype(jnp.float32)),
        due,
        params.stall * 4.0,
        params.demand_noise + _spread_of_batches(day, params),
        *_expiry_columns(state, params),
    ]
    return View(
        product=_columns(columns),
        segment=jnp.zeros((params.segments, 0)),
        pair=jnp.zeros((params.segments, params.products, 0)),
        store=_store_columns(state, params),
        news=_columns([state.sold / day - 1.0, state.lost / day, attention]),
    )


def with_todays_slates(view: View, attention: Float[Array, " N"]) -> View:
    """The view with one more column by product: the attention that this period's slates give."""
    return view.replace(product=jnp.concatenate([view.product, attention[:, None]], -1))


def recommendation_view(state: State, params: Params, sees_stock: bool = True) -> View:
    """What recommendation sees: affinities, margins, fatigue, goodwill, on-hand, what of it expires
    and the next receipts, calendar. Without `sees_stock` (a silo) the columns of stock are 0."""
    today = stock_of(state, params).today
    day = today + 1.0
    rows = _pipeline_columns(state, params)
    in_stock = [
        _z(state.on_hand, today),
        state.on_hand / day / 4.0,
        (state.on_hand > 0).astype(jnp.float32),
        rows[0] / day,
        rows[1] / day,
    ]
    ages = _expiry_columns(state, params)
    columns = [
        *(column * sees_stock for column in in_stock),
        jnp.log(state.forecast + 0.1),
        *_money_columns(params),
        params.lead_time / 4.0,
        *(column * sees_stock for column in ages),
    ]
    arrivals = params.arrivals * choice.season_now(state.period, params)
    segment = [
        jnp.log(state.goodwill + 0.01),
        arrivals / jnp.maximum(arrivals.mean(), 1e-9) - 1.0,
        params.lift,
        jnp.log(params.no_purchase.mean(-1) + 0.1),
    ]
    shares = choice.choice_shares(jnp.exp(params.utility), jnp.ones(params.products), params.needs)
    centred = params.utility - params.utility.mean(-1, keepdims=True)
    units = shares * params.batch[None]
    pair = jnp.stack([centred, jnp.log(units * params.products + 0.01), state.fatigue], -1)
    return View(
        product=_columns(columns),
        segment=_columns(segment),
        pair=jnp.clip(pair, -FEATURE_LIMIT, FEATURE_LIMIT),
        store=_store_columns(state, params, sees_stock),
        news=_columns([state.sold / day - 1.0]),
    )


def joint_view(state: State, params: Params) -> View:
    """What both departments see, in one view."""
    left, right = replenishment_view(state, params), recommendation_view(state, params)
    crowd = params.arrivals / jnp.maximum(params.arrivals.sum(), 1e-9)
    affinity = jnp.einsum("k,knh->nh", crowd, right.pair)
    return View(
        product=jnp.concatenate([left.product, right.product[:, :5], affinity], -1),
        segment=right.segment,
        pair=right.pair,
        store=left.store,
        news=left.news,
    )


def critic_view(state: State, params: Params) -> View:
    """What the central critic sees in training: both views and the hidden market state."""
    seen = joint_view(state, params)
    hidden = jnp.stack([4.0 * state.market, jnp.log(state.goodwill + 0.01).mean()])
    return seen.replace(store=jnp.concatenate([seen.store, hidden]))


def _spread_of_batches(day: Float[Array, " N"], params: Params) -> Float[Array, " N"]:
    """What batches add to the relative deviation of a day's demand; a root of 0 has no slope."""
    several = params.dispersion > 1
    root = jnp.sqrt(jnp.where(several, (params.dispersion - 1.0) / day, 1.0))
    return jnp.where(several, root, 0.0)


def _pipeline_columns(state: State, params: Params) -> list[Float[Array, " N"]]:
    seen = min(PIPELINE_COLUMNS, params.max_lead_time)
    rows = [state.pipeline[row] for row in range(seen)]
    rows[-1] = rows[-1] + state.pipeline[seen:].sum(0)
    return rows + [jnp.zeros_like(state.on_hand)] * (PIPELINE_COLUMNS - seen)


def _expiry_columns(state: State, params: Params) -> list[Float[Array, " N"]]:
    """Units that can be sold for the last time in this period, the next and the one after, those
    that can be no longer than an order placed now takes to arrive, and what a wasted unit costs;
    none where nothing ages."""
    if state.expiring is None:
        return []
    day, longest = stock_of(state, params).today + 1.0, params.max_shelf_life
    rows = [state.expiring[row] / day for row in range(min(EXPIRY_COLUMNS, longest))]
    rows += [jnp.zeros_like(day)] * (EXPIRY_COLUMNS - len(rows))
    before = jnp.arange(longest)[:, None] < params.lead_time[None, :]
    gone = jnp.where(before, state.expiring, 0.0).sum(0) / day
    return [*rows, gone, (params.cost + params.disposal) / (params.price + 1e-6)]


def _money_columns(params: Params) -> list[Float[Array, " N"]]:
    """Margin over price, the critical ratio, and holding and penalty against margin, as logs."""
    margin = params.price - params.cost
    under, over = margin + params.penalty + 1e-6, params.holding + 1e-6
    return [
        margin / (params.price + 1e-6),
        under / (under + over) * 2 - 1,
        jnp.log(under / over) / 4.0,
        _among_products(jnp.log(under)),
    ]


def _among_products(column: Float[Array, " N"]) -> Float[Array, " N"]:
    """Each product relative to the catalogue: deviations from its mean, in standard deviations."""
    centred = column - column.mean()
    return centred / (jnp.sqrt((centred**2).mean()) + 0.02)


def _store_columns(state: State, params: Params, sees_stock: bool = True) -> Float[Array, " J"]:
    """Calendar, and the share of the warehouse that is full."""
    index = season_index(params)
    angle = 2 * jnp.pi * (state.period % params.season_length) / params.season_length
    tomorrow = index[(state.period + 1) % params.season_length]
    room = (params.volume * state.on_hand).sum() / jnp.maximum(params.capacity, 1e-6)
    return jnp.stack(
        [
            jnp.sin(angle),
            jnp.cos(angle),
            index[state.period % params.season_length] - 1.0,
            tomorrow - 1.0,
            jnp.clip(room, 0.0, 2.0) * sees_stock,
        ]
    )


def _z(units: Float[Array, " N"], mean: Float[Array, " N"]) -> Float[Array, " N"]:
    return (units - mean) / jnp.sqrt(mean + 1.0)


def _columns(columns: list[Array]) -> Array:
    return jnp.clip(jnp.stack(columns, -1), -FEATURE_LIMIT, FEATURE_LIMIT)
