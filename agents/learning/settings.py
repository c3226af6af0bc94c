"""The settings of one training: static ones, and traced ones that runs can differ in."""

from dataclasses import dataclass

from flax import struct
from jaxtyping import Array, Float

from agents.devices import ONE, Shards
from agents.learning.networks import Networks
from agents.learning.regimes import Department, Learner, Regime
from agents.learning.timescales import Clocks


@dataclass(frozen=True)
class StaticConfig:
    """Static settings: each different value is another compiled program."""

    regime: Regime
    networks: Networks
    learner: Learner = "path"
    fast: Department = "recommendation"  # the fast department; the other is slow
    stores: int = 256
    crn_group: int = 4  # stores that meet the same customers (common random numbers)
    horizon: int = 32  # periods per iteration
    tail: int = 3  # of them, the last, whose decisions are not learned from (path)
    rematerialise: bool = False  # periods are computed again going back, to save memory (path)
    policy_epochs: int = 1  # passes of the departments over an iteration's experience
    critic_epochs: int = 4  # passes of the critic over it, before them
    minibatches: int = 4  # of whole stores
    fast_per_slow: int = 1  # fast updates to one slow update
    by_product: bool = True  # values of products (else: of the store)
    critic_first: bool = True  # the critic learns from experience before the departments (score)
    max_norm: float = 0.5  # a gradient's norm is clipped to it
    shards: Shards = ONE  # devices that the stores are spread over

    @property
    def own_stores(self) -> int:
        """Stores of one shard."""
        return self.stores // self.shards.count


class Hyperparams(struct.PyTreeNode):
    """Traced settings: runs under `vmap` can differ in them."""

    clocks: Clocks
    average_reward_rate: Float[Array, ""]  # step size of the average profit ρ
    gae_lambda: Float[Array, ""]  # λ of generalised advantages
    clip_eps: Float[Array, ""]  # PPO's ε
    entropy_coef: Float[Array, ""]  # bonus on the entropy of slates
    cross_product_credit: Float[Array, ""]  # weight of other products' advantages in an order's
    control_variate: Float[Array, ""]  # share of explained luck taken out of advantages
    kpi_mix: Float[Array, ""]  # 1: own KPI, 0: the store's profit
    temperature: Float[Array, ""]  # of the draws of slates, in units of what a place is worth
    temperature_end: Float[Array, ""]  # after `iterations`
    iterations: Float[Array, ""]  # of the training
    averaging: Float[Array, ""]  # step size of the averaged weights (path)
    discount: Float[Array, ""]  # γ of values beyond the path (path)
    target_rate: Float[Array, ""]  # at which target critics follow (path)
    fresh_share: Float[Array, ""]  # of stores whose goodwill is set anew (path)
