"""How customers choose: attention from slates, then a multinomial logit (MNL) among products.

N products, K segments, S slots of a slate. Source: this project's model (docs/model.md).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxsim.params import Params


def attention_of(slate: Int[Array, "K S"], params: Params) -> Float[Array, "K N"]:
    """Attention each segment gives each product: the weight of the slot that shows it, else 0.

    The products of a slate should be distinct: one that is named twice counts twice.
    """
    # One scatter per slot touches K entries; comparing with all products would touch K × N.
    segment = jnp.arange(slate.shape[0])
    attention = jnp.zeros((slate.shape[0], params.products))
    for slot in range(params.slots):
        attention = attention.at[segment, slate[:, slot]].add(params.slot_weight[slot])
    return attention


def mean_attention(slate: Int[Array, "K S"], params: Params) -> Float[Array, " N"]:
    """Attention each product gets from the slates, mean over customers."""
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
    """P_ki = v_ki / (v0_k + Σ_j v_kj) over the products that are available (1, else 0).

    0 for all products where none is available and nobody buys nothing.
    """
    offered = weights * available
    total = no_purchase + offered.sum(-1)
    return offered / jnp.where(total > 0, total, 1.0)[:, None]


def market_factor(market: Float[Array, ""], goodwill: Float[Array, " K"]) -> Float[Array, " K"]:
    """Factor on each segment's arrivals from the hidden market state and goodwill: e^m g_k."""
    return jnp.exp(market) * goodwill


def season_now(period: Int[Array, ""], params: Params) -> Float[Array, " K"]:
    """Factor on each segment's arrivals from the season in this period."""
    return params.season[:, period % params.season_length]


def mean_over_customers(per_segment: Float[Array, "K N"], params: Params) -> Float[Array, " N"]:
    """Average over segments, weighted by their mean arrivals."""
    return params.arrivals @ per_segment / jnp.maximum(params.arrivals.sum(), 1e-9)
