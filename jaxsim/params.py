"""What a store is made of: every number of the model, as one pytree of arrays."""

from flax import struct
from jaxtyping import Array, Bool, Float, Int

UNLIMITED = 1e9
"""Stands for "no limit" in `max_order` and `capacity` (scenario files hold finite numbers only)."""


@struct.dataclass
class Params:
    """One store. Everything but the last two fields is traced, so stores can differ under `vmap`.

    N products, K customer segments, S slate slots, C periods in a season (7 for a week).
    Money is in the scenario's currency, stock in whole units, time in periods.
    Source: this project's model, after the idea of Jiang, Han, Peng and Zhang (2025).
    """

    # Products
    price: Float[Array, " N"]  # money per unit sold
    cost: Float[Array, " N"]  # money per unit ordered
    holding: Float[Array, " N"]  # money per unit left over, per period
    penalty: Float[Array, " N"]  # money per unit lost, or waiting, per period
    order_cost: Float[Array, " N"]  # money per order placed
    lead_time: Int[Array, " N"]  # receipts until an order is on hand; 0: before today's demand
    review: Int[Array, " N"]  # orders are placed when period mod review == 0
    max_order: Float[Array, " N"]  # units per order
    backlogged: Bool[Array, " N"]  # unmet customers wait (else they substitute or leave)
    stall: Float[Array, " N"]  # probability that the supplier moves nothing this period
    volume: Float[Array, " N"]  # room taken per unit left over
    demand_noise: Float[Array, " N"]  # σ of the mean-one lognormal shock on a product's demand

    # Customers
    arrivals: Float[Array, " K"]  # mean customers per period
    utility: Float[Array, "K N"]  # base utility
    no_purchase: Float[Array, " K"]  # weight of buying nothing; 0: everybody buys
    lift: Float[Array, " K"]  # utility added by a full slot of attention
    slot_weight: Float[Array, " S"]  # attention of each slot, first 1, decreasing
    season: Float[Array, "K C"]  # multiplies arrivals in period t by season[:, t mod C]
    substitution: Float[Array, ""]  # probability that a turned-away customer chooses once more
    hide_stockouts: Bool[Array, ""]  # sold-out products cannot be chosen

    # Slow forces
    market_persistence: Float[Array, ""]  # ρ of the hidden log market state
    market_noise: Float[Array, ""]  # σ of its innovations
    goodwill_rate: Float[Array, ""]  # η
    goodwill_target: Float[Array, ""]  # fill rate at which goodwill stands still
    goodwill_floor: Float[Array, ""]
    goodwill_ceiling: Float[Array, ""]
    fatigue_weight: Float[Array, " K"]  # φ, utility lost per unit of past attention
    fatigue_memory: Float[Array, ""]  # δ

    # The warehouse
    capacity: Float[Array, ""]  # room before overflow is charged
    overflow: Float[Array, ""]  # money per unit of room beyond capacity, per period

    # What both departments remember
    forecast_memory: Float[Array, ""]  # weight of the past in the running demand estimate

    family: str = struct.field(pytree_node=False, default="poisson")
    max_lead_time: int = struct.field(pytree_node=False, default=1)  # rows of the pipeline

    @property
    def products(self) -> int:
        return self.price.shape[-1]

    @property
    def segments(self) -> int:
        return self.arrivals.shape[-1]

    @property
    def slots(self) -> int:
        return self.slot_weight.shape[-1]

    @property
    def season_length(self) -> int:
        return self.season.shape[-1]
