"""Everything that a training carries along: saved whole, resumed whole."""

from dataclasses import fields
from typing import Any

from flax import struct
from jaxtyping import Array, Float, Int, PRNGKeyArray

from agents.devices import EVERYWHERE, SPREAD
from agents.learning.health import Health
from agents.policies.encoder import Carried
from jaxsim.records import State


class TrainState(struct.PyTreeNode):
    """Weights, optimizers, stores, keys and counts of one training."""

    replenishment: Any  # weights; empty where one network decides both
    recommendation: Any
    critics: tuple[Any, ...]  # one central critic, or one for each department
    average: tuple[Float[Array, "..."], ...]  # ρ of each critic: of the store, or by product
    averaged: dict[str, Any]  # running averages of both departments' weights, for use
    targets: tuple[Any, ...]  # slowly following critics; none where they are learned by score
    explained: tuple[Float[Array, ""], ...]  # share of the returns' variance, for each critic
    prices: Any  # of stock, money per unit [N]: what recommendation is charged; none elsewhere
    critic_optimizer: Any
    fast_optimizer: Any
    slow_optimizer: Any
    states: State  # leading axis: stores
    memories: tuple[Carried, Carried]  # of replenishment and recommendation, leading axis: stores
    key: PRNGKeyArray
    iteration: Int[Array, ""]
    critic_updates: Int[Array, ""]
    fast_updates: Int[Array, ""]
    slow_updates: Int[Array, ""]
    health: dict[str, Health]  # by clock


def train_state_specs() -> TrainState:
    """Where each part lies on a mesh of devices: stores are spread, all else is everywhere."""
    spread = ("states", "memories")
    names = [field.name for field in fields(TrainState)]
    specs: dict[str, Any] = {name: SPREAD if name in spread else EVERYWHERE for name in names}
    return TrainState(**specs)
