"""Acting: every store goes on for some periods under the exploring departments."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, PRNGKeyArray

from agents.learning import critic
from agents.learning.critic import Experience
from agents.learning.rewards import (
    money_scale,
    recommendation_kpi,
    replenishment_kpi,
)
from agents.learning.train_state import TrainState
from agents.learning.trainer import Trainer
from agents.policies.departments import Departments
from agents.policies.encoder import Carried
from agents.policies.recommendation import SlateRecord
from agents.policies.replenishment import OrderRecord
from jaxsim import choice, store
from jaxsim.params import Params
from jaxsim.records import Action, Flows, State

Memories = tuple[Carried, Carried]


class Trajectory(struct.PyTreeNode):
    """A batch of experience, leading axes (periods, stores)."""

    orders: OrderRecord
    slates: SlateRecord
    seen: tuple[Experience, ...]  # by critic; rewards in units of `money_scale`
    profit: Float[Array, "T B"]  # money
    asked: Float[Array, "T B"]  # units of first-choice demand
    served: Float[Array, "T B"]  # units of it that were met from stock


def collect(
    trainer: Trainer, train_state: TrainState, params: Params
) -> tuple[TrainState, Trajectory]:
    """`horizon` periods of every store under the exploring departments.

    The stores of a `crn_group` meet the same customers, and decide for themselves.
    """
    key, trajectory_key = jax.random.split(train_state.key)
    static, departments = trainer.static, trainer.exploring(train_state)
    shards = static.shards

    def one_period(carry: tuple[State, Any], period_key: PRNGKeyArray) -> tuple:
        customers, decisions = jax.random.split(period_key)
        groups = shards.own_keys(customers, static.stores // static.crn_group)
        keys = (
            jnp.repeat(groups, static.crn_group),
            shards.own_keys(decisions, static.stores),
        )
        states, memories, seen = jax.vmap(_one_store, (None, None, 0, 0, 0, None))(
            trainer, departments, keys, *carry, params
        )
        return (states, memories), seen

    (states, memories), trajectory = jax.lax.scan(
        one_period,
        (train_state.states, train_state.memories),
        jax.random.split(trajectory_key, static.horizon),
    )
    return train_state.replace(states=states, memories=memories, key=key), trajectory


def _one_store(
    trainer: Trainer,
    departments: Departments,
    keys: tuple[PRNGKeyArray, PRNGKeyArray],
    state: State,
    memories: Memories,
    params: Params,
) -> tuple[State, Memories, Trajectory]:
    """One period of one store; `keys` of its customers and of its decisions."""
    order_key, slate_key = jax.random.split(keys[1])
    slate, slate_record, slates_memory = departments.recommendation.explore(
        slate_key, trainer.hyperparams.temperature, memories[1], state, params
    )
    attention = choice.mean_attention(slate, params)
    order, order_record, orders_memory = departments.replenishment.explore(
        order_key, memories[0], state, params, attention
    )
    chance = store.draw(keys[0], params)
    after, flows = store.advance(chance, state, Action(order=order, slate=slate), params)
    seen = tuple(
        Experience(
            view=view,
            decision=critic.decision_columns(flows, params),
            chance=critic.chance_columns(chance),
            reward=reward,
        )
        for view, reward in zip(
            trainer.critic_views(state, params), _rewards(trainer, flows, params), strict=True
        )
    )
    trajectory = Trajectory(
        orders=order_record,
        slates=slate_record,
        seen=seen,
        profit=flows.profit.sum(),
        asked=flows.asked.sum(),
        served=flows.served.sum(),
    )
    return after, (orders_memory, slates_memory), trajectory


def _rewards(trainer: Trainer, flows: Flows, params: Params) -> tuple[Float[Array, " N"], ...]:
    """What each critic's department is rewarded with, by product, in units of `money_scale`."""
    scale, profit = money_scale(params), store.profit_on_sale(flows, params)
    if not trainer.static.regime.own_kpi:
        return (_valued(trainer, profit / scale),)
    mix = trainer.hyperparams.kpi_mix
    own = (replenishment_kpi(flows, params), recommendation_kpi(flows, params))
    return tuple(_valued(trainer, (mix * kpi + (1 - mix) * profit) / scale) for kpi in own)


def _valued(trainer: Trainer, reward: Float[Array, " N"]) -> Float[Array, " N"]:
    """What the critic is to explain: each product's reward, or an even share of the store's."""
    return reward if trainer.static.by_product else jnp.full_like(reward, reward.mean())
