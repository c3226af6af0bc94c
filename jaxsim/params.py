"""The numbers of a store: every parameter of the model, as one pytree of arrays."""

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from jaxsim.needs import Needs

UNLIMITED = 1e9
"""Stands for "no limit" in `max_order` and `capacity` (scenario files hold finite numbers only)."""


class Params(struct.PyTreeNode):
    """One store. All fields but the last three are traced arrays, so that stores can differ under
    `jax.vmap` and numbers can be differentiated.

    N products, K customer segments, C categories, S slate slots, W periods in a season (7 for a
    week).
    Money is in the scenario's currency, stock in whole units, time in periods. Not validated here:
    `jaxsim.scenarios` validates what comes from files.
    Source: this project's model, after the idea of Jiang, Han, Peng and Zhang (arXiv 2510.04272).
    """

    # Products
    price: Float[Array, " N"]  # money per unit sold
    cost: Float[Array, " N"]  # money per unit ordered
    holding: Float[Array, " N"]  # money per unit left over, per period
    penalty: Float[Array, " N"]  # money per unit lost, or waiting, per period
    order_cost: Float[Array, " N"]  # money per order placed
    lead_time: Int[Array, " N"]  # receipts until an order is on hand; 0: before this demand
    review: Int[Array, " N"]  # orders are placed when period mod review == 0
    max_order: Float[Array, " N"]  # units per order, rounded down where it is read: `order_cap`
    pack: Float[Array, " N"]  # orders are multiples of so many units, a case; 1: single units
    backlogged: Bool[Array, " N"]  # unmet demand waits (else it substitutes or is lost)
    stall: Float[Array, " N"]  # probability that the pipeline does not move this period
    volume: Float[Array, " N"]  # room taken per unit left over
    shelf_life: Int[Array, " N"]  # periods in which a fresh unit can be sold; 0: it keeps
    arrival_age: Int[Array, " N"]  # periods of its shelf life that are over when a unit arrives
    disposal: Float[Array, " N"]  # money per unit wasted, beside its cost
    batch: Float[Array, " N"]  # mean units that a customer takes, 1 or more
    # Variance over mean of demand in such batches, at least `batch`; 1 where a customer takes one.
    dispersion: Float[Array, " N"]
    demand_noise: Float[Array, " N"]  # σ of the mean-one lognormal shock on a product's demand
    category: Int[Array, " N"]  # 0 to C − 1: customers choose within each on its own

    # Customers
    arrivals: Float[Array, " K"]  # mean customers per period
    utility: Float[Array, "K N"]  # of each product when nothing is shown
    no_purchase: Float[Array, "K C"]  # MNL weight of buying nothing; 0: everybody buys
    lift: Float[Array, " K"]  # utility added by a full slot of attention
    slot_weight: Float[Array, " S"]  # attention of each slot, first 1, decreasing
    season: Float[Array, "K W"]  # season[:, t mod W] multiplies the arrivals of period t
    substitution: Float[Array, ""]  # probability that unmet demand that cannot wait chooses again
    hide_stockouts: Bool[Array, ""]  # products with nothing on hand cannot be chosen
    charge_missed: Bool[Array, ""]  # penalty and goodwill also know whom hidden products cost
    fresh_share: Float[Array, ""]  # of buyers who take the freshest unit; the others the oldest

    # What changes slowly
    market_persistence: Float[Array, ""]  # ρ of the hidden log market state
    market_noise: Float[Array, ""]  # σ of its innovations
    goodwill_rate: Float[Array, ""]  # η, change of goodwill per unit of fill rate and period
    goodwill_target: Float[Array, ""]  # fill rate at which goodwill stays as it is
    goodwill_floor: Float[Array, ""]
    goodwill_ceiling: Float[Array, ""]
    fatigue_weight: Float[Array, " K"]  # φ, utility lost per unit of past attention
    fatigue_memory: Float[Array, ""]  # δ, weight of the past in the average of attention

    # The warehouse
    capacity: Float[Array, ""]  # room before overflow is charged
    overflow: Float[Array, ""]  # money per unit of room beyond capacity, per period

    # The demand forecast in the state
    forecast_memory: Float[Array, ""]  # weight of the past in the running estimate

    # Static: a change compiles again
    family: str = struct.field(pytree_node=False, default="poisson")  # of `jaxsim.families`
    max_lead_time: int = struct.field(pytree_node=False, default=1)  # L, rows of the pipeline
    # A, rows of stock by age; 0: goods keep, and nothing of ageing is compiled.
    max_shelf_life: int = struct.field(pytree_node=False, default=0)

    @property
    def products(self) -> int:
        """N."""
        return self.price.shape[-1]

    @property
    def segments(self) -> int:
        """K."""
        return self.arrivals.shape[-1]

    @property
    def slots(self) -> int:
        """S."""
        return self.slot_weight.shape[-1]

    @property
    def slates_differ(self) -> bool:
        """Whether it matters what is shown: there are more products than places, or places that
        are seen unlike. Not of traced parameters."""
        return self.products > self.slots or bool((self.slot_weight != self.slot_weight[0]).any())

    @property
    def order_cap(self) -> Float[Array, "*stores N"]:
        """The most that one order may be, in units: `max_order` rounded down to whole packs, as
        half a pack cannot be ordered. Here and not where stores are made, since `replace` checks
        nothing."""
        return self.pack * jnp.floor(self.max_order / self.pack)

    @property
    def ages(self) -> bool:
        """Whether goods may age in this store."""
        return self.max_shelf_life > 0

    @property
    def season_length(self) -> int:
        """W, periods."""
        return self.season.shape[-1]

    @property
    def needs(self) -> Needs:
        """Categories, and the weight of buying nothing in each."""
        return Needs(self.category, self.no_purchase)
