"""The settings of one training, static and traced told apart, and everything it carries along."""

from dataclasses import dataclass, fields
from typing import Any

from flax import struct
from jaxtyping import Array, Float, Int, PRNGKeyArray

from agents.devices import EVERYWHERE, ONE, SPREAD, Shards
from agents.learning.health import Health
from agents.learning.regimes import Regime
from agents.learning.timescales import Clocks
from agents.policies.networks import Carried
from jaxsim.records import State


@dataclass(frozen=True)
class Shape:
    """Static settings: each different value is another compiled program."""

    regime: Regime
    fast: str = "recommendation"  # the fast department; the other is slow
    stores: int = 256
    twins: int = 4  # stores that meet the same customers
    horizon: int = 32  # periods per iteration
    epochs: int = 1  # passes of the departments over an iteration's experience
    critic_passes: int = 4  # of the critic, before them
    minibatches: int = 4  # of whole stores
    fast_per_slow: int = 4  # fast updates to one slow update
    by_product: bool = True  # values of products (else: of the store)
    width: int = 32
    replenishment_memory: str = "ewma"
    recommendation_memory: str = "none"
    max_norm: float = 0.5
    shards: Shards = ONE  # devices that the stores are spread over

    @property
    def own_stores(self) -> int:
        """Stores of one shard."""
        return self.stores // self.shards.count


@struct.dataclass
class Rates:
    """Traced settings: runs under `vmap` can differ in them."""

    clocks: Clocks
    average_rate: Float[Array, ""]  # step size of the average profit ρ
    trace: Float[Array, ""]  # λ of generalised advantages
    clip: Float[Array, ""]  # PPO's ε
    entropy: Float[Array, ""]  # bonus on slates
    others: Float[Array, ""]  # weight of the other products' advantages in an order's credit
    kpi_mix: Float[Array, ""]  # 1: own KPI, 0: the store's profit


@struct.dataclass
class Learner:
    """Everything a training needs to go on: saved whole, resumed whole."""

    replenishment: Any  # weights
    recommendation: Any
    critics: tuple[Any, ...]  # one central critic, or one for each department
    average: tuple[Float[Array, " N"], ...]  # ρ by product, for each critic
    critic_optimizer: Any
    fast_optimizer: Any
    slow_optimizer: Any
    states: State  # leading axis: stores
    memories: tuple[Carried, Carried]
    key: PRNGKeyArray
    iteration: Int[Array, ""]
    critic_updates: Int[Array, ""]
    fast_updates: Int[Array, ""]
    slow_updates: Int[Array, ""]
    health: dict[str, Health]  # by clock


def learner_specs() -> Learner:
    """Where each part of a learner lies: its stores are spread, all else is everywhere."""
    spread = ("states", "memories")
    names = [field.name for field in fields(Learner)]
    return Learner(**{name: SPREAD if name in spread else EVERYWHERE for name in names})
