"""The slope of a day's demand in its slates: each slot's place drawn anew, all else the same.

A slate is drawn slot by slot with known chances. Expected demand over one slot's draw, the other
slots given, is a smooth function of these chances (Rao-Blackwell), and under multinomial logit the
expectation over all N candidates costs N, not N²: rates_j(i) = λ (w_j + 1{i=j} Δ_j) / (T + Δ_i)
within i's category; other categories' rates stay λ w_j / T.
The values here are zero; only their slope in `Action.draws` is used. Source: this project.
"""

import jax.numpy as jnp
from jax.lax import stop_gradient
from jaxtyping import Array, Float

from jaxsim.params import Params
from jaxsim.records import Action


def attention(action: Action, params: Params) -> Float[Array, "K N"] | float:
    """What drawing slots anew changes of the attention given."""
    if action.draws is None:
        return 0.0
    change = action.draws - stop_gradient(action.draws)
    return jnp.einsum("s,skn->kn", params.slot_weight, change)


def expected(
    action: Action,
    plain: Float[Array, "K N"],
    arrivals: Float[Array, " K"],
    spare: Float[Array, " N"],
    params: Params,
) -> tuple[Float[Array, "K N"] | float, Float[Array, " N"] | float]:
    """What drawing each slot anew changes of mean first choices by segment, and of the share of
    them that stock can serve, in units per period.

    plain: MNL weights with nothing shown, 0 where a product cannot be chosen. spare: stock less
    first choices, in units. A place brings several customers, and stock may not be enough for all
    of them: what is served changes by a secant over what is spare, not by one customer's slope.
    """
    if action.draws is None:
        return 0.0, 0.0
    plain, arrivals, spare = map(stop_gradient, (plain, arrivals, spare))
    products, spare = jnp.arange(params.products)[None], spare[None]
    shown = [products == action.slate[:, slot, None] for slot in range(params.slots)]
    rates, served = jnp.zeros_like(plain), jnp.zeros(params.products)
    batch = params.batch[None]
    for slot in range(params.slots):
        rest = [each * params.slot_weight[s] for s, each in enumerate(shown) if s != slot]
        given = sum(rest, jnp.zeros_like(plain))
        weights = plain * jnp.exp(params.lift[:, None] * given)
        extra = weights * (jnp.exp(params.lift * params.slot_weight[slot])[:, None] - 1.0)
        total = params.needs.total(weights)
        total = jnp.where(total > 0, total, 1.0)
        whole = total + extra
        # A product that another slot shows would change places with this one's: no change.
        chances = jnp.where(given > 0, 0.0, action.draws[slot])
        kept = jnp.where(given > 0, action.draws[slot], 0.0).sum(-1, keepdims=True)
        chances = chances + shown[slot] * kept
        change = arrivals[:, None] * (chances - stop_gradient(chances))
        # What one product gains from a place, the others of its category lose; no other category.
        others = batch * weights * params.needs.sums(change * (1.0 / whole - 1.0 / total))
        own = batch * change * extra / whole
        brings = jnp.maximum(batch * arrivals[:, None] * extra / whole, 1e-6)
        gained, spared = (jnp.clip(each / brings, 0.0, 1.0) for each in (spare, -spare))
        part = jnp.where(shown[slot], 1 - spared, gained)
        rates = rates + others + own
        served = served + (part * own + jnp.where(spare > 0, 1.0, 0.0) * others).sum(0)
    return rates, served
