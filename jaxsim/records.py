"""What a store remembers, what is decided, what chance brings, and the ledger of one period."""

from flax import struct
from jaxtyping import Array, Float, Int


@struct.dataclass
class State:
    """A store after the day's receipts and before its decisions: what both departments see."""

    on_hand: Float[Array, " N"]  # units
    pipeline: Float[Array, "L N"]  # units on order; row l arrives l + 1 receipts from now
    backlog: Float[Array, " N"]  # units owed to waiting customers
    market: Float[Array, ""]  # hidden: log multiplier of all arrivals
    goodwill: Float[Array, " K"]  # multiplies arrivals
    fatigue: Float[Array, "K N"]  # running average of past attention
    forecast: Float[Array, " N"]  # running estimate of units asked for per period, season taken out
    sold: Float[Array, " N"]  # units sold in the last period
    lost: Float[Array, " N"]  # units lost in the last period
    period: Int[Array, ""]


@struct.dataclass
class Action:
    """What both departments decide on the same state."""

    order: Float[Array, " N"]  # units; capped, and heard in review periods only
    slate: Int[Array, "K S"]  # distinct products, best slot first
    # Chances with which each slot was drawn, given the slots before it. They change no value:
    # through them the ledger has a slope in slates (`jaxsim.redraw`).
    draws: Float[Array, "S K N"] | None = None


@struct.dataclass
class Chance:
    """All that is random in a period. The same chance under two policies is the same customers."""

    demand: Float[
        Array, " N"
    ]  # two-sided uniform of `jaxsim.sampling`, pushed through the inverse CDF
    shock: Float[Array, " N"]  # standard normal behind the lognormal shock
    stall: Float[Array, " N"]  # uniform in [0, 1)
    market: Float[Array, ""]  # standard normal innovation
    spill: Float[Array, ""]  # uniform in [0, 1): the shift of systematic sampling


@struct.dataclass
class Flows:
    """The ledger of one period, by product: everything that moved and every money term.

    Rewards, KPIs, conservation laws and reports read it; nothing else computes money.
    """

    ordered: Float[Array, " N"]  # units
    received: Float[Array, " N"]
    asked: Float[Array, " N"]  # first choices
    served: Float[Array, " N"]  # first choices met from stock
    substituted: Float[Array, " N"]  # sold to customers turned away elsewhere
    backlog_served: Float[Array, " N"]
    sold: Float[Array, " N"]  # served + substituted + backlog_served
    waiting: Float[Array, " N"]  # first choices that now wait
    lost: Float[Array, " N"]  # first choices that left, by the product that turned them away
    left: Float[Array, " N"]  # on hand after the day's sales
    backlog: Float[Array, " N"]  # waiting after the day's sales
    attention: Float[Array, " N"]  # attention per product, averaged over arriving customers
    shown_sold: Float[Array, " N"]  # expected part of `served` whose customers were shown it
    revenue: Float[Array, " N"]  # money
    purchase: Float[Array, " N"]
    order_cost: Float[Array, " N"]
    holding: Float[Array, " N"]
    penalty: Float[Array, " N"]
    overflow: Float[Array, " N"]  # by product in proportion to the room it takes
    profit: Float[Array, " N"]
