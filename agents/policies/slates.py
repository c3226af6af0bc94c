"""Slates: filled slot by slot, and Plackett–Luce draws with their exact log-probabilities."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxsim import choice
from jaxsim.params import Params
from jaxsim.ranking import TAKEN, first_best, top_slate


def value_of_showing(
    weights: Float[Array, "K N"],
    boost: Float[Array, " K"],
    worth: Float[Array, " N"],
    params: Params,
) -> Float[Array, "K N"]:
    """Expected worth of one customer if product i, and only it, has its weight times `boost` more.

    MNL: (Σ_j worth_j v_j + worth_i Δ_i) / (v0 + Σ_j v_j + Δ_i), Δ_i = v_i (boost − 1).
    """
    extra = weights * (boost - 1.0)[:, None]
    total = params.no_purchase[:, None] + weights.sum(-1, keepdims=True) + extra
    value = (weights * worth).sum(-1, keepdims=True) + extra * worth
    return value / jnp.where(total > 0, total, 1.0)


def greedy_slate(
    weights: Float[Array, "K N"], worth: Float[Array, " N"], params: Params
) -> Int[Array, "K S"]:
    """Fills each slot with the product that adds most expected worth, given the slots before it."""
    free = jnp.ones_like(weights, bool)
    chosen = []
    for slot in range(params.slots):
        boost = jnp.exp(params.lift * params.slot_weight[slot])
        value = value_of_showing(weights, boost, worth, params)
        best = first_best(jnp.where(free, value, TAKEN))
        picked = jnp.arange(params.products) == best[:, None]
        weights = jnp.where(picked, weights * boost[:, None], weights)
        free = free & ~picked
        chosen.append(best)
    return jnp.stack(chosen, -1)


def draw_slate(key: PRNGKeyArray, logits: Float[Array, "K N"], slots: int) -> Int[Array, "K S"]:
    """A Plackett–Luce draw without replacement: the top S of logits + Gumbel noise."""
    return top_slate(logits + jax.random.gumbel(key, logits.shape), slots)


def log_probability(
    logits: Float[Array, "K N"], slate: Int[Array, "K S"]
) -> tuple[Float[Array, " K"], Float[Array, " K"]]:
    """Exact Plackett–Luce log-probability of each segment's slate; entropy of its first slot."""
    products = jnp.arange(logits.shape[-1])
    total = jnp.zeros(logits.shape[0])
    entropy = total
    for slot in range(slate.shape[-1]):
        normal = jax.nn.log_softmax(logits, -1)
        picked = products == slate[:, slot, None]
        total = total + jnp.where(picked, normal, 0.0).sum(-1)
        if slot == 0:
            entropy = -(jnp.exp(normal) * normal).sum(-1)
        logits = jnp.where(picked, TAKEN, logits)
    return total, entropy


def market_weights(fatigue: Float[Array, "K N"], params: Params) -> Float[Array, "K N"]:
    """MNL weights of a day on which nothing is shown."""
    return choice.weights_of(jnp.zeros_like(fatigue), fatigue, params)
