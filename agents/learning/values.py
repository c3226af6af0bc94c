"""What lies beyond the end of a path: differential values of a store, learned along the path.

V estimates the profit of all later periods over the average one (money over `money_scale`,
discounted by γ close to 1), from returns along the path to its end (λ = 1). It counts at the end of
a path only as far as it explains more than half of the variance of these returns (`weight`). So
where nothing that decisions change outlives a path, it costs nothing. Source: this project, after
Xu et al. (2022).
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from agents.learning.train_state import TrainState
from agents.learning.trainer import Trainer
from agents.learning.updates import descent, stepped
from jaxsim.params import Params
from jaxsim.records import State

PERIODS = 10.0
"""The unit of values: so many periods' average reward."""
EXPLAINED_RATE = 0.05
"""Step size of the running share of variance that a critic explains."""
AVERAGE_RATE = 0.02
"""Step size of the average reward."""


def at_the_end(
    trainer: Trainer, train_state: TrainState, states: State, params: Params
) -> list[Float[Array, ""]]:
    """Mean over stores of what each critic says of these states, as far as it explains returns."""
    discount = trainer.hyperparams.discount
    return [
        discount * weight(explained) * _unit(average) * value.mean()
        for value, explained, average in zip(
            _values(trainer, train_state.targets, states, params),
            train_state.explained,
            train_state.average,
            strict=True,
        )
    ]


def weight(explained: Float[Array, ""]) -> Float[Array, ""]:
    """How much a critic counts that explains this share of the variance of returns: 0 up to one
    half, from there linearly to 1."""
    return jnp.clip(2.0 * explained - 1.0, 0.0, 1.0)


def learn(
    trainer: Trainer,
    train_state: TrainState,
    key: PRNGKeyArray,
    states: State,
    rewards: Float[Array, "T B C"],
    ends: State,
    params: Params,
) -> tuple[TrainState, Float[Array, ""]]:
    """`critic_epochs` steps of all critics on the path, each on its own part of the periods."""
    shards = trainer.static.shards
    mean = shards.mean(rewards.mean((0, 1)))
    first = train_state.iteration == 0
    average = tuple(
        jnp.where(first, each, rho + AVERAGE_RATE * (each - rho))
        for rho, each in zip(train_state.average, mean, strict=True)
    )
    train_state = train_state.replace(average=average)
    unit = jnp.stack([_unit(each) for each in average])[None]
    last = jnp.stack(_values(trainer, train_state.targets, ends, params), -1) * unit
    returns = _returns(trainer, rewards - jnp.stack(average)[None, None], last) / unit[None]
    centre = shards.mean(returns.mean((0, 1)))[None, None]
    variance = shards.mean(((returns - centre) ** 2).mean((0, 1)))
    parts = _dealt(trainer, key, (states, returns))

    def step(train_state: TrainState, part: tuple) -> tuple[TrainState, Float[Array, " C"]]:
        seen, wanted = part

        def loss_of(critics: tuple[Any, ...]) -> tuple[Float[Array, ""], Float[Array, " C"]]:
            errors = jnp.stack(_values(trainer, critics, seen, params), -1) - wanted
            losses = (errors**2).mean(0)
            return losses.sum(), losses

        loss, losses, gradient = descent(trainer, loss_of, train_state.critics)
        return stepped(trainer, train_state, "critic", "critics", loss, gradient), losses

    train_state, losses = jax.lax.scan(step, train_state, parts)
    news = 1.0 - losses.mean(0) / jnp.maximum(variance, 1e-9)
    explained = tuple(
        old + EXPLAINED_RATE * jnp.nan_to_num(new - old, posinf=0.0, neginf=0.0)
        for old, new in zip(train_state.explained, news, strict=True)
    )
    rate = trainer.hyperparams.target_rate
    targets = jax.tree.map(
        lambda slow, fast: slow + rate * (fast - slow), train_state.targets, train_state.critics
    )
    return train_state.replace(explained=explained, targets=targets), losses.mean()


def _values(
    trainer: Trainer, critics: tuple[Any, ...], states: State, params: Params
) -> list[Float[Array, " B"]]:
    """What each critic says of each state, in its unit."""
    share = params.arrivals / jnp.maximum(params.arrivals.mean(), 1e-9)
    views = jax.vmap(trainer.critic_views, (0, None))(states, params)
    network = trainer.static.networks.value
    return [
        jax.vmap(network.apply, (None, 0, None))(weights, view, share)
        for weights, view in zip(critics, views, strict=True)
    ]


def _unit(average: Float[Array, ""]) -> Float[Array, ""]:
    return PERIODS * jnp.abs(average) + 1e-6


def _returns(
    trainer: Trainer, over_average: Float[Array, "T B C"], last: Float[Array, "B C"]
) -> Float[Array, "T B C"]:
    """Σ_l γ^l (r(t + l) − ρ) to the end of the path, and what the end is worth."""
    discount = trainer.hyperparams.discount

    def backwards(later: Array, now: Array) -> tuple[Array, Array]:
        total = now + discount * later
        return total, total

    return jax.lax.scan(backwards, last, over_average, reverse=True)[1]


def _dealt(trainer: Trainer, key: PRNGKeyArray, tree: Any) -> Any:
    """Half of the periods in random order, cut into as many parts as steps, at least one each; with
    all stores, so that the parts are the same however many devices share them."""
    static = trainer.static
    part = max(1, static.horizon // 2 // static.critic_epochs)
    order = jax.random.permutation(key, static.horizon)
    chosen = order[jnp.arange(part * static.critic_epochs) % static.horizon]

    def deal(leaf: Array) -> Array:
        return leaf[chosen].reshape(static.critic_epochs, -1, *leaf.shape[2:])

    return jax.tree.map(deal, tree)
