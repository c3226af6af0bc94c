"""The classical departments: order rules and recommenders, each with a few numbers to be tuned.

All order rules are one formula (base-stock, capped base-stock and (s, S) are settings of it) and
all recommenders one scoring rule with a switch, so that every pair of the two is data: one
compiled program tunes and evaluates them all.
"""

from typing import Self

import jax.numpy as jnp
from flax import struct
from jax.scipy.special import ndtri
from jaxtyping import Array, Float, Int, PRNGKeyArray

from agents.errors import UserError, unknown
from agents.policies import slates
from agents.policies.slates import SlateProblem
from jaxsim import slopes
from jaxsim.params import UNLIMITED, Params
from jaxsim.records import Action, State
from jaxsim.views import Stock, stock_of

ORDER_RULES = ("base-stock", "capped", "s-S")
RECOMMENDERS = ("popularity", "margin", "most-stock", "balancing", "myopic")
STOCK_BLIND = RECOMMENDERS[:2]
POPULARITY, MARGIN, MOST_STOCK, BALANCING, MYOPIC = range(len(RECOMMENDERS))


@struct.dataclass
class HeuristicParams:
    """An order rule and a recommender. Safety stock is z·sqrt(m) + spread·m over protected demand
    m, with z = safety + fractile · (each product's own newsvendor z).

    `cap` makes base-stock a capped base-stock and `gap` makes it (s, S); without them an order
    fills up to the level. Raises `UserError` for an unknown recommender.
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

    def __post_init__(self) -> None:
        if isinstance(self.recommender, str):
            if self.recommender not in RECOMMENDERS:
                raise UserError(unknown("recommender", self.recommender, RECOMMENDERS))
            object.__setattr__(self, "recommender", RECOMMENDERS.index(self.recommender))

    def for_rule(self, order_rule: str) -> Self:
        """The same with the limits that this order rule has: capped orders have a cap, (s, S)
        orders a gap, base-stock neither. Raises `UserError` for an unknown rule."""
        if order_rule not in ORDER_RULES:
            raise UserError(unknown("order rule", order_rule, ORDER_RULES))
        return self.replace(
            cap=self.cap if order_rule == "capped" else jnp.asarray(UNLIMITED),
            gap=self.gap if order_rule == "s-S" else jnp.asarray(0.0),
        )


@struct.dataclass
class HeuristicPair:
    """A classical order rule and a classical recommender, as a `jaxsim.Policy`."""

    heuristic: HeuristicParams

    def start(self, params: Params) -> tuple[()]:
        return ()

    def act(
        self, key: PRNGKeyArray, memory: tuple[()], state: State, params: Params
    ) -> tuple[Action, tuple[()]]:
        """Orders and slates of one store; `key` and `memory` are not needed."""
        stock = stock_of(state, params)
        level = order_up_to(stock, safety_factor(stock, self.heuristic, params))
        order = order_quantity(level, stock, state, self.heuristic, params)
        return Action(order=order, slate=recommend(state, self.heuristic, params)), memory


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


def slate_problem(state: State, heuristic: HeuristicParams, params: Params) -> SlateProblem:
    """The recommender's beliefs: MNL weights, and what a sale of each product is worth.

    margin: p − c, stock ignored. balancing: margin · Ψ(share of a full shelf)^w.
    myopic: (margin + holding saved) · (share of today's demand that stock can serve)^w.
    Two rank products alike for everybody: popularity by forecast, most-stock by periods of cover.
    """
    stock = stock_of(state, params)
    margin = params.price - params.cost
    today = stock.today + 1e-3
    full_shelf = stock.protected + 1.0
    balanced = margin * balancing_penalty(state.on_hand / full_shelf) ** heuristic.stock_weight
    coverage = jnp.minimum(state.on_hand / (2.0 * today), 1.0) ** heuristic.stock_weight
    recommender = jnp.asarray(heuristic.recommender)
    worth = jnp.select(
        [recommender == BALANCING, recommender == MYOPIC],
        [balanced, (margin + params.holding) * coverage],
        margin,
    )
    weights = slates.market_weights(state.fatigue, params)
    hidden = (recommender >= BALANCING) & params.hide_stockouts & (state.on_hand <= 0)
    plain = jnp.where(recommender == MOST_STOCK, state.on_hand / today, state.forecast)
    place = slates.place_worth(params)
    spread = jnp.sqrt(((plain - plain.mean()) ** 2).mean()) + 1e-6
    return SlateProblem(
        weights=jnp.where(hidden, 0.0, weights),
        worth=worth[None],
        plain=(place * plain / spread)[None],
        is_plain=(recommender == POPULARITY) | (recommender == MOST_STOCK),
        boost=slates.boosts(params),
        needs=params.needs,
        at_stake=margin + params.holding + params.penalty,
        place=place,
    )
