"""Learning by the score function: what departments without a simulator would use.

Act → the critic learns the values of what was seen → differential advantages by product → updates
of the fast and of the slow department. PPO's clipped surrogate with Adam.

The critic has seen the very experience whose advantages it then gives: a value that has begun to
fit a lucky period takes some of that luck out of the advantage, and some of the signal with it.
That is a small bias towards no change, for less noise; `critic_first=False` is free of it.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from agents.learning import critic
from agents.learning.critic import CriticBatch
from agents.learning.experience import Trajectory, collect
from agents.learning.train_state import TrainState
from agents.learning.trainer import Trainer
from agents.learning.updates import Batch, metrics_of, update_critics, update_departments
from jaxsim.params import Params


def iterate(
    trainer: Trainer, train_state: TrainState, params: Params
) -> tuple[TrainState, dict[str, Array]]:
    """Experience, values, advantages, updates on all clocks; the state after, and its metrics."""
    train_state, trajectory = collect(trainer, train_state, params)
    if trainer.static.critic_first:
        train_state, critic_loss = learn_values(trainer, train_state, trajectory, params)
        train_state, batch = advantages(trainer, train_state, trajectory, params)
    else:
        train_state, batch = advantages(trainer, train_state, trajectory, params)
        train_state, critic_loss = learn_values(trainer, train_state, trajectory, params)
    train_state, losses = update_departments(trainer, train_state, batch)
    metrics = metrics_of(trainer, train_state, trajectory) | {"critic_loss": critic_loss} | losses
    averaged = {name: getattr(train_state, name) for name in train_state.averaged}
    return train_state.replace(iteration=train_state.iteration + 1, averaged=averaged), metrics


def learn_values(
    trainer: Trainer, train_state: TrainState, trajectory: Trajectory, params: Params
) -> tuple[TrainState, Float[Array, ""]]:
    """The critic's clock: passes over the new experience."""
    _, batches, _ = _estimates(trainer, train_state, trajectory, params)
    return update_critics(trainer, train_state, batches)


def advantages(
    trainer: Trainer, train_state: TrainState, trajectory: Trajectory, params: Params
) -> tuple[TrainState, Batch]:
    """Each department's credit, and the average profit seen."""
    by_product, _, off = _estimates(trainer, train_state, trajectory, params)
    mean = trainer.static.shards.mean
    # One central critic serves both departments; else the first is replenishment's.
    orders, slates = by_product[0], by_product[-1]
    others = orders.sum(-1, keepdims=True) - orders
    credit = orders + trainer.hyperparams.cross_product_credit * others
    slate_advantage = critic.standardised(slates.sum(-1, keepdims=True), mean)
    batch = Batch(
        orders=trajectory.orders,
        slates=trajectory.slates,
        order_advantage=critic.standardised(credit, mean),
        slate_advantage=jnp.broadcast_to(slate_advantage, trajectory.slates.log_probability.shape),
    )
    rate = trainer.hyperparams.average_reward_rate
    average = tuple(
        jnp.where(jnp.isfinite(each), rho + rate * each, rho)
        for rho, each in zip(train_state.average, mean(off), strict=True)
    )
    return train_state.replace(average=average), batch


def _estimates(
    trainer: Trainer, train_state: TrainState, trajectory: Trajectory, params: Params
) -> tuple[
    tuple[Float[Array, "T B N"], ...], tuple[CriticBatch, ...], tuple[Float[Array, " N"], ...]
]:
    """Of every critic: advantages, what it can learn, and how far its ρ is off."""
    last_views = jax.vmap(trainer.critic_views, (0, None))(train_state.states, params)
    critics = zip(
        train_state.critics, train_state.average, trajectory.seen, last_views, strict=True
    )
    parts = [critic.advantages_of(trainer.static, trainer.hyperparams, *each) for each in critics]
    advantages, batches, off = zip(*parts, strict=True)
    return advantages, batches, off
