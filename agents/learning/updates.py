"""Updates on three clocks: minibatches, gradients over all shards, steps that are skipped where a
number is not finite."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Float, PRNGKeyArray

from agents.learning import critic, health, ppo, timescales
from agents.learning.critic import CriticBatch
from agents.learning.regimes import Department
from agents.learning.settings import StaticConfig
from agents.learning.train_state import TrainState
from agents.learning.trainer import Trainer
from agents.policies.recommendation import SlateRecord
from agents.policies.replenishment import OrderRecord

Losses = dict[str, Array]


class Batch(struct.PyTreeNode):
    """What the departments learn from: decisions with their advantages."""

    orders: OrderRecord
    slates: SlateRecord
    order_advantage: Float[Array, "T B N"]
    slate_advantage: Float[Array, "T B K"]


def update_critics(
    trainer: Trainer, train_state: TrainState, batches: tuple[CriticBatch, ...]
) -> tuple[TrainState, Float[Array, ""]]:
    """`critic_epochs` passes over the new experience, and the mean loss."""
    static = trainer.static
    key, shuffle_key = jax.random.split(train_state.key)

    def one_pass(train_state: TrainState, key: PRNGKeyArray) -> tuple[TrainState, Array]:
        minibatches = dealt(static, key, batches, static.minibatches)
        return jax.lax.scan(partial(_critic_update, trainer), train_state, minibatches)

    passes = jax.random.split(shuffle_key, static.critic_epochs)
    train_state, losses = jax.lax.scan(one_pass, train_state.replace(key=key), passes)
    return train_state, losses.mean()


def update_departments(
    trainer: Trainer, train_state: TrainState, batch: Batch
) -> tuple[TrainState, Losses]:
    """`policy_epochs` passes: `fast_per_slow` fast updates, then a slow one, and so on."""
    static = trainer.static
    key, shuffle_key = jax.random.split(train_state.key)

    def one_pass(train_state: TrainState, key: PRNGKeyArray) -> tuple[TrainState, Losses]:
        cycles = static.minibatches // static.fast_per_slow
        minibatches = dealt(static, key, batch, cycles, static.fast_per_slow)
        return jax.lax.scan(partial(_slow_cycle, trainer), train_state, minibatches)

    passes = jax.random.split(shuffle_key, static.policy_epochs)
    train_state, losses = jax.lax.scan(one_pass, train_state.replace(key=key), passes)
    return train_state, jax.tree.map(jnp.mean, losses)


def dealt(static: StaticConfig, key: PRNGKeyArray, batch: Any, *parts: int) -> Any:
    """A shard's stores in random order, cut into parts: (…parts, periods, stores of a part, …).

    No store goes from one device to another: a part of the whole is a part of every shard.
    """
    stores = static.own_stores
    order = jax.random.permutation(static.shards.own_key(key), stores)
    cut = (*parts, stores // math.prod(parts))

    def deal(leaf: Array) -> Array:
        shuffled = leaf[:, order].reshape(leaf.shape[0], *cut, *leaf.shape[2:])
        return jnp.moveaxis(shuffled, 0, len(parts))

    return jax.tree.map(deal, batch)


def stepped(
    trainer: Trainer,
    train_state: TrainState,
    clock: str,
    part: str,
    loss: Float[Array, ""],
    gradient: Any,
) -> TrainState:
    """One step of a clock's optimizer on a part of the state, unless a number is not finite."""
    names = (part, f"{clock}_optimizer", f"{clock}_updates")
    weights, state, count = before = tuple(getattr(train_state, name) for name in names)
    step, state = trainer.optimizer(clock).update(gradient, state, weights)
    after = (optax.apply_updates(weights, step), state, count + 1)
    sound, now = health.checked(train_state.health[clock], loss, gradient, train_state.iteration)
    changed = dict(zip(names, health.chosen(sound, after, before), strict=True))
    return train_state.replace(**changed, health=train_state.health | {clock: now})


def metrics_of(trainer: Trainer, train_state: TrainState, happened: Any) -> dict[str, Array]:
    """Metrics that an iteration of either learner has. `happened`: its periods, with the fields
    profit (money), served and asked (units), each (periods, stores)."""
    clocks, shards = trainer.hyperparams.clocks, trainer.static.shards
    served, asked = (shards.total(each.sum()) for each in (happened.served, happened.asked))
    return {
        "profit": shards.mean(happened.profit.mean()),
        "fill_rate": served / jnp.maximum(asked, 1.0),
        "critic_rate": timescales.critic_rate(clocks, train_state.critic_updates),
        "fast_rate": timescales.fast_rate(clocks, train_state.fast_updates),
        "slow_rate": timescales.slow_rate(clocks, train_state.slow_updates),
        "critic_updates": train_state.critic_updates,
        "fast_updates": train_state.fast_updates,
        "slow_updates": train_state.slow_updates,
        "skipped_updates": health.skipped_updates(train_state.health),
    }


def _critic_update(
    trainer: Trainer, train_state: TrainState, minibatches: tuple[CriticBatch, ...]
) -> tuple[TrainState, Float[Array, ""]]:
    def loss_of(critics: tuple[Any, ...]) -> tuple[Float[Array, ""], Losses]:
        pairs = zip(critics, minibatches, strict=True)
        losses = (critic.value_loss(trainer.static.networks.critic, *pair) for pair in pairs)
        return sum(losses, jnp.zeros(())), {}

    loss, _, gradient = descent(trainer, loss_of, train_state.critics)
    return stepped(trainer, train_state, "critic", "critics", loss, gradient), loss


def _slow_cycle(
    trainer: Trainer, train_state: TrainState, minibatches: Batch
) -> tuple[TrainState, Losses]:
    """Fast updates, a minibatch each, then one slow update on all of them."""
    fast, slow = trainer.fast, trainer.slow
    train_state, fast_losses = jax.lax.scan(
        partial(_improved, trainer, "fast", fast), train_state, minibatches
    )
    fast_losses = jax.tree.map(jnp.mean, fast_losses)
    if trainer.static.regime.one_network:  # nothing is left to update
        return train_state.replace(slow_updates=train_state.fast_updates), fast_losses
    together = jax.tree.map(_joined, minibatches)
    train_state, slow_losses = _improved(trainer, "slow", slow, train_state, together)
    return train_state, fast_losses | slow_losses


def _improved(
    trainer: Trainer, clock: str, department: Department, train_state: TrainState, minibatch: Batch
) -> tuple[TrainState, Losses]:
    """The state after one step of a department on its clock, and the losses."""
    loss_of = partial(_loss, trainer, department, minibatch)
    loss, losses, gradient = descent(trainer, loss_of, getattr(train_state, department))
    return stepped(trainer, train_state, clock, department, loss, gradient), losses


def descent(trainer: Trainer, loss_of: Callable, weights: Any) -> tuple[Float[Array, ""], Any, Any]:
    """Loss, its parts and its gradient over the stores of all shards."""
    shards = trainer.static.shards
    (loss, parts), gradient = jax.value_and_grad(loss_of, has_aux=True)(shards.apart(weights))
    return shards.mean((loss, parts, gradient))


def _loss(
    trainer: Trainer, department: Department, minibatch: Batch, weights: Any
) -> tuple[Float[Array, ""], Losses]:
    """A department's loss, or the sum of both where one network decides both."""
    if not trainer.static.regime.one_network:
        return _actor_loss(trainer, department, minibatch, weights)
    orders, order_losses = _actor_loss(trainer, "replenishment", minibatch, weights)
    slates, slate_losses = _actor_loss(trainer, "recommendation", minibatch, weights)
    return orders + slates, order_losses | slate_losses


def _actor_loss(
    trainer: Trainer, name: Department, minibatch: Batch, weights: Any
) -> tuple[Float[Array, ""], Losses]:
    """PPO's clipped surrogate, a ratio for each product's order or each segment's slate."""
    hyperparams = trainer.hyperparams
    if name == "replenishment":
        department, record = trainer.replenishment(weights), minibatch.orders
        advantage, bonus = minibatch.order_advantage, 0.0
    else:
        department, record = trainer.recommendation(weights), minibatch.slates
        advantage, bonus = minibatch.slate_advantage, hyperparams.entropy_coef
    mean = partial(trainer.static.shards.weighted_mean, weights=record.mask)
    loss, parts = ppo.loss(department, record, advantage, hyperparams.clip_eps, bonus, mean)
    return loss, {f"{name}_{part}": value for part, value in parts.items()}


def _joined(leaf: Array) -> Array:
    """(fast updates, periods, stores, …) to (periods, all their stores, …)."""
    joined = jnp.moveaxis(leaf, 0, 1)
    periods, updates, stores = joined.shape[:3]
    return joined.reshape(periods, updates * stores, *joined.shape[3:])
