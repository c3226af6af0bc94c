"""The classical departments: order rules and recommenders, each with a few numbers to be tuned.

All order rules are one formula (base-stock, capped base-stock, (s, S) and the projected levels are
settings of it) and all recommenders one scoring rule with a switch, so that every pair of the two
is data: one compiled program tunes and evaluates them all.
"""

from typing import Self

import jax.numpy as jnp
from flax import struct
from jax.scipy.special import ndtri
from jaxtyping import Array, Float, Int, PRNGKeyArray

from agents.errors import UserError, unknown
from agents.policies import projection, slates
from agents.policies.slates import SlateProblem
from jaxsim import slopes
from jaxsim.params import UNLIMITED, Params
from jaxsim.records import Action, State
from jaxsim.views import Stock, season_sum, stock_of

ORDER_RULES = ("base-stock", "capped", "s-S", "projected", "BSP-low-EW")
RECOMMENDERS = ("popularity", "margin", "most-stock", "balancing", "myopic", "freshness")
STOCK_BLIND = RECOMMENDERS[:2]
POPULARITY, MARGIN, MOST_STOCK, BALANCING, MYOPIC, FRESHNESS = range(len(RECOMMENDERS))
FOR_AGEING = ("BSP-low-EW", "freshness")
"""Rules that are others where goods keep."""


class HeuristicParams(struct.PyTreeNode):
    """An order rule and a recommender. Safety stock is z·sqrt(m) + spread·m over protected demand
    m, with z = safety + fractile · (each product's own newsvendor z).

    `cap` makes base-stock a capped base-stock and `gap` makes it (s, S); without them an order
    fills up to the level. With `projected` 1 it fills up what is expected on hand when it arrives
    instead of the inventory position (see `order_stock`). `low` makes it BSP-low-EW. Raises
    `UserError` for an unknown recommender.
    """

    recommender: Int[Array, ""] | int | str = "myopic"  # one of RECOMMENDERS, kept as its index
    stock_weight: Float[Array, ""] | float = 1.0  # exponent of the recommender's stock term
    safety: Float[Array, ""] | float = 0.0
    fractile: Float[Array, ""] | float = 1.0
    spread: Float[Array, ""] | float = 0.0
    cap: Float[Array, ""] | float = UNLIMITED  # most review intervals of forecast demand an order
    gap: Float[Array, ""] | float = 0.0  # days of forecast demand between reorder point and level
    least_margin: Float[Array, ""] | float = 0.0  # products below this share of the best margin
    # are not ordered
    projected: Float[Array, ""] | float = 0.0  # 1: the stock that is filled up is the projected one
    expected_waste: Float[Array, ""] | float = 0.0  # 1: expected waste is ordered again
    low: Float[Array, ""] | float = 0.0  # share of protected demand that an empty store's level is
    # lower by
    limit: Float[Array, ""] | float = 1.0  # share of it on hand and on order from which it is not

    def __post_init__(self) -> None:
        if isinstance(self.recommender, str):
            if self.recommender not in RECOMMENDERS:
                raise UserError(unknown("recommender", self.recommender, RECOMMENDERS))
            object.__setattr__(self, "recommender", RECOMMENDERS.index(self.recommender))

    def for_rule(self, order_rule: str) -> Self:
        """The same with the settings that this order rule has: capped orders have a cap, (s, S)
        orders a gap, BSP-low-EW its lower level. Raises `UserError` for an unknown rule."""
        if order_rule not in ORDER_RULES:
            raise UserError(unknown("order rule", order_rule, ORDER_RULES))
        is_low = order_rule == "BSP-low-EW"
        return self.replace(
            cap=self.cap if order_rule == "capped" else jnp.asarray(UNLIMITED),
            gap=self.gap if order_rule == "s-S" else jnp.asarray(0.0),
            projected=jnp.asarray(float(order_rule == "projected")),
            expected_waste=jnp.asarray(float(is_low)),
            low=self.low if is_low else jnp.asarray(0.0),
            limit=self.limit if is_low else jnp.asarray(1.0),
        )


class HeuristicPair(struct.PyTreeNode):
    """A classical order rule and a classical recommender, as a `jaxsim.Policy`."""

    heuristic: HeuristicParams

    def start(self, params: Params) -> tuple[()]:
        return ()

    def act(
        self, key: PRNGKeyArray, memory: tuple[()], state: State, params: Params
    ) -> tuple[Action, tuple[()]]:
        """Orders and slates of one store; `key` and `memory` are not needed."""
        order = replenish(state, self.heuristic, params)
        return Action(order=order, slate=recommend(state, self.heuristic, params)), memory


def replenish(state: State, heuristic: HeuristicParams, params: Params) -> Float[Array, " N"]:
    """The orders of the chosen order rule, units."""
    stock = order_stock(state, heuristic, params)
    level = order_up_to(stock, safety_factor(stock, heuristic, params))
    return order_quantity(level, stock, state, heuristic, params)


def order_stock(state: State, heuristic: HeuristicParams, params: Params) -> Stock:
    """The stock that an order fills up, and the demand that the level protects against.

    Base-stock: the inventory position, over lead time and review interval. Projected inventory
    level (van Jaarsveld and Arts, arXiv 2101.07519; where goods age, the units still usable): what
    is expected on hand when the order arrives, over the review interval. BSP-low-EW (Haijema and
    Minner, 2019, IJPE 209, 316): the position without the units that will be too old, and below a
    limit b a level lower by `low` (1 - position / b).
    """
    stock = stock_of(state, params)
    arrives = projection.expected(state, params).on_arrival
    phase = state.period % params.season_length
    before = state.forecast * season_sum(params, params.lead_time)[phase]
    position = stock.position
    if params.ages:
        limit = jnp.maximum(heuristic.limit * stock.protected, 1e-6)
        missing = jnp.maximum(1.0 - position / limit, 0.0)
        wasted = projection.on_mean_demand(state, params).wasted
        position = position - heuristic.expected_waste * wasted
        position = position + heuristic.low * stock.protected * missing
    is_projected = jnp.asarray(heuristic.projected) > 0
    return stock.replace(
        position=jnp.where(is_projected, arrives, position),
        protected=jnp.where(is_projected, stock.protected - before, stock.protected),
    )


def safety_factor(stock: Stock, heuristic: HeuristicParams, params: Params) -> Float[Array, " N"]:
    """z of each product: how many square roots of protected demand are held on top of it."""
    under = params.price - params.cost + params.penalty
    ratio = under / jnp.maximum(under + params.holding, 1e-9)
    newsvendor = ndtri(jnp.clip(ratio, 0.01, 0.999))
    return (
        heuristic.safety
        + heuristic.fractile * newsvendor
        + heuristic.spread * jnp.sqrt(stock.protected)
    )


def order_up_to(stock: Stock, z: Float[Array, " N"]) -> Float[Array, " N"]:
    """y_i = m_i + z_i sqrt(m_i), m the demand forecast over lead time and review interval."""
    return stock.protected + z * jnp.sqrt(stock.protected)


def order_quantity(
    level: Float[Array, " N"],
    stock: Stock,
    state: State,
    heuristic: HeuristicParams,
    params: Params,
) -> Float[Array, " N"]:
    """Whole packs, up to as near to the level as they come; none before the gap has opened, none
    beyond the cap, none of a product that is not carried."""
    short = params.pack * slopes.whole_units((level - stock.position) / params.pack)
    short = jnp.where(short >= heuristic.gap * state.forecast, short, 0.0)
    return jnp.clip(short, 0.0, _most(state, heuristic, params))


def levels_ordering(
    order: Float[Array, " N"],
    stock: Stock,
    state: State,
    heuristic: HeuristicParams,
    params: Params,
) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
    """Between which order-up-to levels `order_quantity` is this order; unlimited at the ends."""
    pack = params.pack
    least = pack * jnp.maximum(jnp.ceil(heuristic.gap * state.forecast / pack), 1.0)
    most = _most(state, heuristic, params)
    wanted = jnp.where(order >= most, jnp.maximum(order, least), order)
    lower = jnp.where(order > 0, wanted - pack / 2, -UNLIMITED)
    upper = jnp.where(order > 0, wanted + pack / 2, least - pack / 2)
    return stock.position + lower, stock.position + jnp.where(order >= most, UNLIMITED, upper)


def _most(state: State, heuristic: HeuristicParams, params: Params) -> Float[Array, " N"]:
    """The most units that an order can have; a cap is rounded up to whole packs.

    What is carried is a margin-ordered assortment: under multinomial logit the best one for a
    single segment is of that kind (Talluri and van Ryzin, 2004).
    """
    packs = jnp.ceil(heuristic.cap * state.forecast * params.review / params.pack)
    cap = jnp.minimum(params.pack * packs, params.order_cap)
    margin = params.price - params.cost
    return jnp.where(margin >= heuristic.least_margin * margin.max(), cap, 0.0)


def recommend(state: State, heuristic: HeuristicParams, params: Params) -> Int[Array, "K S"]:
    """The slate of the chosen recommender for each segment."""
    return slates.fill(slate_problem(state, heuristic, params))[0]


def balancing_penalty(share: Float[Array, " N"]) -> Float[Array, " N"]:
    """Ψ(x) = (1 − e^(−x)) e / (e − 1) (Golrezaei, Nazerzadeh, Rusmevichientong, 2014)."""
    return (1 - jnp.exp(-share)) * jnp.e / (jnp.e - 1)


def expiring_share(state: State, today: Float[Array, " N"]) -> Float[Array, " N"]:
    """Share of the units on hand that would be wasted if all buyers took the oldest and demand
    stayed as today: the most by which the units up to some age exceed the demand before that age.
    """
    assert state.expiring is not None
    counted = jnp.cumsum(state.expiring, 0)
    periods = jnp.arange(1, counted.shape[0] + 1)[:, None]
    too_many = jnp.maximum(counted - periods * today[None, :], 0.0).max(0)
    return too_many / jnp.maximum(state.on_hand, 1.0)


def slate_problem(state: State, heuristic: HeuristicParams, params: Params) -> SlateProblem:
    """The recommender's beliefs: MNL weights, and what a customer of each product is worth, who
    takes a batch of units on average.

    margin: p − c, stock ignored. balancing: margin · Ψ(share of a full shelf)^w.
    myopic: (margin + holding saved) · (share of today's demand that stock can serve)^w.
    freshness: myopic with w = 1, and w · (cost + disposal) · (share of stock that would be wasted).
    Two rank products alike for everybody: popularity by forecast, most-stock by periods of cover.
    """
    stock = stock_of(state, params)
    margin = params.price - params.cost
    today = stock.today + 1e-3
    full_shelf = stock.protected + 1.0
    balanced = margin * balancing_penalty(state.on_hand / full_shelf) ** heuristic.stock_weight
    coverage = jnp.minimum(state.on_hand / (2.0 * today), 1.0)
    saved = margin + params.holding
    myopic = saved * coverage**heuristic.stock_weight
    recommender = jnp.asarray(heuristic.recommender)
    kinds, worths = [recommender == BALANCING, recommender == MYOPIC], [balanced, myopic]
    if params.ages:
        waste = (params.cost + params.disposal) * expiring_share(state, today)
        kinds.append(recommender == FRESHNESS)
        worths.append(saved * coverage + heuristic.stock_weight * waste)
    worth = jnp.select(kinds, worths, margin)
    weights = slates.market_weights(state.fatigue, params)
    hidden = (recommender >= BALANCING) & params.hide_stockouts & (state.on_hand <= 0)
    plain = jnp.where(recommender == MOST_STOCK, state.on_hand / today, state.forecast)
    place = slates.place_worth(params)
    spread = jnp.sqrt(((plain - plain.mean()) ** 2).mean()) + 1e-6
    return SlateProblem(
        weights=jnp.where(hidden, 0.0, weights),
        worth=(params.batch * worth)[None],
        plain=(place * plain / spread)[None],
        is_plain=(recommender == POPULARITY) | (recommender == MOST_STOCK),
        boost=slates.boosts(params),
        needs=params.needs,
        at_stake=margin + params.holding + params.penalty,
        place=place,
    )
