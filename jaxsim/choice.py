"""How customers choose: attention from slates, then a multinomial logit (MNL) among products.

N products, K segments, S slots of a slate. Source: this project's model (docs/model.md).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxsim.needs import Needs
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


@jax.custom_jvp
def choice_shares(
    weights: Float[Array, "K N"], available: Float[Array, " N"], needs: Needs
) -> Float[Array, "K N"]:
    """P_ki = v_ki / (v0_kc + Σ_j v_kj) over the products of i's category c that are available (1,
    else 0): the share of segment k's customers who buy i for this need.

    0 for all products where none is available and nobody buys nothing. Slope in availability: the
    difference that one product more or less on offer makes.
    """
    return _shares(weights, available, needs)


@choice_shares.defjvp
def _choice_shares(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    weights, available, needs = primals
    d_weights, d_available, d_needs = tangents
    shares, change = jax.jvp(
        lambda v, v0: _shares(v, available, needs.replace(no_purchase=v0)),
        (weights, needs.no_purchase),
        (d_weights, d_needs.no_purchase),
    )
    entering = entering_share(weights, available, needs) * d_available[None]
    return shares, change + entering - shares * needs.sums(entering)


def entering_share(
    weights: Float[Array, "K N"], available: Float[Array, " N"], needs: Needs
) -> Float[Array, "K N"]:
    """v_ki over all else on offer in i's category: the share that an absent product would have, and
    what those who choose a present one are to all others."""
    total = needs.total(weights * available[None])
    others = jnp.where(available > 0, total - weights, total + weights)
    return jnp.where(others > 1e-6, weights / jnp.maximum(others, 1e-6), 0.0)


def turned_away(
    weights: Float[Array, "K N"],
    available: Float[Array, " N"],
    shares: Float[Array, "K N"],
    needs: Needs,
) -> Float[Array, "K N"]:
    """Share of a segment that would choose i if all products were on offer, and buys nothing as i
    is not. `shares`: `choice_shares` of what is available.

    By the logit, those who want an absent product spread over the rest of its category like
    everybody else.
    """
    everything = needs.total(weights)
    leave = jnp.maximum(1.0 - needs.sums(shares), 0.0)
    return leave / jnp.where(everything > 0, everything, 1.0) * weights * (1.0 - available[None])


def _shares(weights: Array, available: Array, needs: Needs) -> Array:
    offered = weights * available[None]
    total = needs.total(offered)
    return offered / jnp.where(total > 0, total, 1.0)


def market_factor(market: Float[Array, ""], goodwill: Float[Array, " K"]) -> Float[Array, " K"]:
    """Factor on each segment's arrivals from the hidden market state and goodwill: e^m g_k."""
    return jnp.exp(market) * goodwill


def season_now(period: Int[Array, ""], params: Params) -> Float[Array, " K"]:
    """Factor on each segment's arrivals from the season in this period."""
    return params.season[:, period % params.season_length]


def mean_over_customers(per_segment: Float[Array, "K N"], params: Params) -> Float[Array, " N"]:
    """Average over segments, weighted by their mean arrivals."""
    return params.arrivals @ per_segment / jnp.maximum(params.arrivals.sum(), 1e-9)
