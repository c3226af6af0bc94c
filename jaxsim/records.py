"""What a period of a store is made of: its state, the decision, the chance it meets, the ledger.

N products, K segments, S slots of a slate, L rows of the pipeline, A periods that goods keep at
most.
"""

from flax import struct
from jaxtyping import Array, Float, Int


class State(struct.PyTreeNode):
    """A store after the morning's receipts and before its decisions: what policies decide on."""

    on_hand: Float[Array, " N"]  # units
    pipeline: Float[Array, "L N"]  # units on order; row l arrives l + 1 receipts from now
    backlog: Float[Array, " N"]  # units owed to waiting customers
    market: Float[Array, ""]  # hidden: log multiplier of all arrivals
    goodwill: Float[Array, " K"]  # multiplies arrivals
    fatigue: Float[Array, "K N"]  # running average of past attention
    forecast: Float[Array, " N"]  # running estimate of first-choice demand per period, deseasoned
    sold: Float[Array, " N"]  # units of the last period, but those that had been waiting
    lost: Float[Array, " N"]  # units of the last period
    period: Int[Array, ""]
    # Units on hand by the periods after this one in which they can still be sold: row 0 is wasted
    # tonight if not sold. Goods that keep are in no row. None where nothing ages.
    expiring: Float[Array, "A N"] | None = None


class Action(struct.PyTreeNode):
    """What both departments decide on one state."""

    order: Float[Array, " N"]  # units; rounded to packs, within [0, order_cap], 0 between reviews
    slate: Int[Array, "K S"]  # distinct products by index, best slot first
    # Chances with which each slot was drawn, given the slots before it. They change no value:
    # through them the ledger has a slope in slates (`jaxsim.redraw`).
    draws: Float[Array, "S K N"] | None = None


class Chance(struct.PyTreeNode):
    """All that is random in a period, drawn from a key alone: the same chance under two policies
    is the same customers (common random numbers)."""

    demand: Float[Array, " N"]  # signed uniform (`jaxsim.sampling`), for the inverse CDF of demand
    shock: Float[Array, " N"]  # standard normal behind the lognormal shock on demand
    stall: Float[Array, " N"]  # uniform in [0, 1)
    market: Float[Array, ""]  # standard normal innovation
    spill: Float[Array, ""]  # uniform in [0, 1): the shift of systematic sampling
    # Uniform in [0, 1): rounds how many buyers take the freshest. None where nothing ages.
    fresh: Float[Array, " N"] | None = None
    # Signed uniforms, for how much customers take. None where each takes one unit.
    batches: Float[Array, "2 N"] | None = None
    # Customers more than the model brings, in the mean of first-choice demand: what one is worth.
    more: Float[Array, " N"] | None = None


class Flows(struct.PyTreeNode):
    """The ledger of one period, by product: everything that moved, in units, and every money term.

    Rewards, KPIs, conservation laws and reports read it; nothing else computes money. The short
    names mean, here and everywhere:

    - `asked`: first-choice demand, the units that customers want before they see whether there is
      stock;
    - `served`: the part of it that is sold from stock at once. The rest, asked − served, is unmet
      demand: it waits (`waiting`), or buys another product (`substituted` there), or is `lost`;
    - `missed`: customers that absence cost, whether they saw it (`lost`) or bought nothing because
      a product with nothing on hand was hidden from them. The latter are an expectation, so this is
      no whole number;
    - `wasted`: units that are too old to be sold after this period, thrown away in its evening;
    - `left`: ending on-hand, after the period's sales and waste and before the next morning's
      receipts.
    """

    ordered: Float[Array, " N"]
    received: Float[Array, " N"]  # with this period's order (lead time 0), and the next morning
    offered: Float[Array, " N"]  # 1 where there was stock when customers came, else 0
    asked: Float[Array, " N"]  # first-choice demand
    served: Float[Array, " N"]  # first-choice demand sold from stock
    substituted: Float[Array, " N"]  # sold to customers whose first choice was another product
    backlog_served: Float[Array, " N"]  # sold to customers who had been waiting
    sold: Float[Array, " N"]  # served + substituted + backlog_served
    waiting: Float[Array, " N"]  # unmet demand that joins the backlog
    lost: Float[Array, " N"]  # unmet demand that bought nothing, by first choice
    missed: Float[Array, " N"]  # lost, and those who would have bought it had it not been hidden
    wasted: Float[Array, " N"]  # too old after the period's sales
    left: Float[Array, " N"]  # ending on-hand
    backlog: Float[Array, " N"]  # waiting after the period's sales
    attention: Float[Array, " N"]  # given by the slates, mean over arriving customers
    shown_sold: Float[Array, " N"]  # expected part of `served` that was shown the product
    revenue: Float[Array, " N"]  # money, as all below
    purchase: Float[Array, " N"]
    order_cost: Float[Array, " N"]
    holding: Float[Array, " N"]
    penalty: Float[Array, " N"]
    overflow: Float[Array, " N"]  # shared among products by the room they take
    disposal: Float[Array, " N"]  # of what is wasted; its cost was paid with the order
    profit: Float[Array, " N"]  # revenue less all other money terms

    @property
    def wanted(self) -> Float[Array, "*batch N"]:
        """First choices, with those who left as theirs was hidden: `asked` and the rest of
        `missed`."""
        return self.asked + self.missed - self.lost
