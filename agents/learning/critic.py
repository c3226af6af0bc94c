"""Differential values by product, the advantages they give, and what the critic learns from.

Average-reward advantages: Zhang and Ross (2021). The control variate on the period's chance follows
from inverse-CDF sampling and is this project's own.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from agents.learning.networks import Critic
from agents.learning.rewards import demand_spread
from agents.learning.settings import Hyperparams, StaticConfig
from jaxsim import sampling
from jaxsim.params import Params
from jaxsim.records import Chance, Flows
from jaxsim.views import View

DECISION_COLUMNS = 2
"""Columns of `decision_columns`."""


class Experience(struct.PyTreeNode):
    """What one critic has seen, leading axes (periods, stores)."""

    view: View
    decision: Float[Array, "T B N D"]  # `decision_columns`
    chance: Float[Array, "T B N E"]  # `chance_columns`
    reward: Float[Array, "T B N"]


class CriticBatch(struct.PyTreeNode):
    """What one critic learns from, leading axes (periods, stores)."""

    seen: Experience
    target: Float[Array, "T B N"]
    td_error: Float[Array, "T B N"]  # temporal differences


def chance_columns(chance: Chance) -> Float[Array, "N E"]:
    """Functions of the period's chance, each of mean zero: the first four Hermite polynomials of
    the customers' normal score, two of all other products' together and their product with the
    product's own, the demand shock, the market's innovation and the shift of the second choices."""
    x = sampling.standard_normal(chance.demand)
    second = (x**2 - 1) / jnp.sqrt(2.0)
    store_wide = jnp.stack([chance.market, jnp.sqrt(12.0) * (chance.spill - 0.5)])
    columns = (
        x,
        second,
        (x**3 - 3 * x) / jnp.sqrt(6.0),
        (x**4 - 6 * x**2 + 3) / jnp.sqrt(24.0),
        _others(x),
        _others(second),
        x * _others(x),
        chance.shock,
        *jnp.broadcast_to(store_wide[:, None], (2, *x.shape)),
    )
    return jnp.stack(columns, -1)


def decision_columns(flows: Flows, params: Params) -> Float[Array, "N D"]:
    """What was decided, by product: attention, and the order in units of mean demand's spread."""
    return jnp.stack([flows.attention, flows.ordered / demand_spread(params)], -1)


def _others(scores: Float[Array, " N"]) -> Float[Array, " N"]:
    """The scores of all other products, as one score of spread 1 (0 where there is no other)."""
    return (scores.sum() - scores) / jnp.sqrt(max(scores.shape[0] - 1, 1))


def advantages_of(
    static: StaticConfig,
    hyperparams: Hyperparams,
    weights: Any,
    average: Float[Array, " N"],
    seen: Experience,
    last: View,
) -> tuple[Float[Array, "T B N"], CriticBatch, Float[Array, " N"]]:
    """Differential GAE by product: advantages, what the critic can learn, and the mean residual,
    by which the average profit is off. `last`: the views after the experience.

    Two kinds of luck are taken out of the temporal difference δ = r − ρ + V' − V. What the critic
    predicts from the period's chance has mean zero whatever was decided. What the other stores of
    the group met, with the same customers, was not this store's doing. So the advantage keeps its
    mean and loses most of its noise.
    """
    critic, gae_lambda = static.networks.critic, hyperparams.gae_lambda
    values, response = over_experience(critic, weights, seen)
    last_values, _ = jax.vmap(critic.apply, (None, 0, 0))(weights, last, seen.decision[-1])
    following = jnp.concatenate([values[1:], last_values[None]])
    td_error = seen.reward - average[None, None] + following - values
    residual = td_error - hyperparams.control_variate * (response * seen.chance).sum(-1)
    batch = CriticBatch(seen, values + _summed(residual, gae_lambda), td_error)
    advantage = _summed(residual - _group_mean(residual, static.crn_group), gae_lambda)
    return advantage, batch, residual.mean((0, 1))


def value_loss(critic: Critic, weights: Any, batch: CriticBatch) -> Float[Array, ""]:
    """Squared errors of the values, and of the responses to chance."""
    values, response = over_experience(critic, weights, batch.seen)
    predicted = (response * batch.seen.chance).sum(-1)
    value_error = ((values - batch.target) ** 2).mean()
    return 0.5 * (value_error + ((predicted - batch.td_error) ** 2).mean())


def over_experience(
    critic: Critic, weights: Any, seen: Experience
) -> tuple[Float[Array, "T B N"], Float[Array, "T B N E"]]:
    """Values and responses of every period and store."""
    over_stores = jax.vmap(critic.apply, (None, 0, 0))
    values, response = jax.vmap(over_stores, (None, 0, 0))(weights, seen.view, seen.decision)
    return values, response  # pyright: ignore[reportReturnType]  what flax applies is not known


def standardised(advantage: Array, mean: Callable[[Array], Array]) -> Array:
    """Mean zero, spread one over the batch; `mean` takes the means of shards together."""
    centred = advantage - mean(advantage.mean())
    return centred / (jnp.sqrt(mean((centred**2).mean())) + 1e-6)


def _summed(differences: Float[Array, "T B N"], gae_lambda: Array) -> Float[Array, "T B N"]:
    """Σ_l λ^l δ(t + l), cut off at the end of the experience."""

    def backwards(later: Array, now: Array) -> tuple[Array, Array]:
        total = now + gae_lambda * later
        return total, total

    return jax.lax.scan(backwards, jnp.zeros_like(differences[0]), differences, reverse=True)[1]


def _group_mean(differences: Float[Array, "T B N"], crn_group: int) -> Float[Array, "T B N"]:
    """The mean over the other stores of a store's group (0 where there are none).

    They met the same customers and decided for themselves: what they have in common is luck.
    """
    together = differences.reshape(differences.shape[0], -1, crn_group, differences.shape[-1])
    others = together.sum(2, keepdims=True) - together
    return (others / max(crn_group - 1, 1)).reshape(differences.shape)
