"""How customers choose: attention from slates, multinomial logit, and one round of substitution."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxsim.params import Params


def attention_of(slate: Int[Array, "K S"], params: Params) -> Float[Array, "K N"]:
    """Attention each segment gives each product: the weight of the slot that shows it, else 0.

    A product named twice counts twice: the caller answers for distinct products.
    """
    # A scatter a slot: the machine touches the K shown products, not all K × N, in each.
    segment = jnp.arange(slate.shape[0])
    attention = jnp.zeros((slate.shape[0], params.products))
    for slot in range(params.slots):
        attention = attention.at[segment, slate[:, slot]].add(params.slot_weight[slot])
    return attention


def mean_attention(slate: Int[Array, "K S"], params: Params) -> Float[Array, " N"]:
    """What a day's slates give each product, mean over customers."""
    return mean_over_customers(attention_of(slate, params), params)


def weights_of(
    attention: Float[Array, "K N"], fatigue: Float[Array, "K N"], params: Params
) -> Float[Array, "K N"]:
    """MNL weights v_ki = exp(u_ki + β_k A_ki − φ_k z_ki)."""
    return jnp.exp(
        params.utility + params.lift[:, None] * attention - params.fatigue_weight[:, None] * fatigue
    )


def choice_shares(
    weights: Float[Array, "K N"], available: Float[Array, " N"], no_purchase: Float[Array, " K"]
) -> Float[Array, "K N"]:
    """P_ki = v_ki / (v0_k + Σ_j v_kj) over available products; zero where nothing is on offer."""
    offered = weights * available
    total = no_purchase + offered.sum(-1)
    return offered / jnp.where(total > 0, total, 1.0)[:, None]


def market_factor(market: Float[Array, ""], goodwill: Float[Array, " K"]) -> Float[Array, " K"]:
    """What the hidden market state and goodwill do to arrivals."""
    return jnp.exp(market) * goodwill


def season_now(period: Int[Array, ""], params: Params) -> Float[Array, " K"]:
    """Season multiplier of each segment's arrivals in this period."""
    return params.season[:, period % params.season_length]


def mean_over_customers(per_segment: Float[Array, "K N"], params: Params) -> Float[Array, " N"]:
    """Average over segments, weighted by their customers."""
    return params.arrivals @ per_segment / jnp.maximum(params.arrivals.sum(), 1e-9)
