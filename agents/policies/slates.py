"""Slates filled slot by slot under multinomial logit: greedily, or drawn with known chances.

N products, K segments, S slots. Source: this project; greedy filling after the multinomial-logit
assortment literature (Talluri and van Ryzin 2004).
"""

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxsim import choice
from jaxsim.needs import Needs
from jaxsim.params import Params
from jaxsim.ranking import TAKEN, first_best


class SlateProblem(struct.PyTreeNode):
    """What a recommender believes when it fills the slates of one period."""

    weights: Float[Array, "K N"]  # MNL weights with nothing shown; 0: believed absent
    worth: Float[Array, "#K N"]  # money that a sale is worth
    plain: Float[Array, "#K N"]  # money; the score of a recommender that ignores logit
    is_plain: Bool[Array, ""]  # whether products are ranked by `plain` alone
    boost: Float[Array, "S K"]  # what the weight of a product shown there is multiplied by
    needs: Needs  # categories, and the weight of buying nothing in each
    at_stake: Float[Array, " N"]  # money; the unit of a network's corrections
    place: Float[Array, ""]  # money that a place on the slate is worth when stock is ignored

    def corrected(self, correction: Float[Array, "K N"]) -> "SlateProblem":
        """With the worth of a sale corrected, in units of `at_stake`."""
        money = self.at_stake[None] * correction
        return self.replace(worth=self.worth + money, plain=self.plain + money)


def fill(
    problem: SlateProblem,
    key: PRNGKeyArray | None = None,
    temperature: Float[Array, ""] | float = 0.0,
) -> tuple[Int[Array, "K S"], Float[Array, "S K N"] | None]:
    """The slate of each segment, best slot first, and with a key the chances of each slot's draw
    given the slots before it.

    Without a key each slot takes the product of highest value, the first of equal ones. With one,
    slots are drawn by a softmax of the values over `temperature` × the worth of a place (Gumbel
    noise): its smallest values, 0.01 and below, are nearly greedy.
    """
    weights = problem.weights
    free, chosen, chances = jnp.ones_like(weights, bool), [], []
    for slot in range(problem.boost.shape[0]):
        value = _values(problem, weights, slot)
        if key is None:
            score = value
        else:
            logits = _logits(value, free, temperature * problem.place)
            chances.append(jax.nn.softmax(logits, -1))
            noise = jax.random.gumbel(jax.random.fold_in(key, slot), weights.shape)
            score = jax.lax.stop_gradient(logits) + noise
        best = first_best(jnp.where(free, jax.lax.stop_gradient(score), TAKEN))
        weights, free = _shown(problem, weights, free, best, slot)
        chosen.append(best)
    return jnp.stack(chosen, -1), jnp.stack(chances) if chances else None


def log_probability(
    problem: SlateProblem, slate: Int[Array, "K S"], temperature: Float[Array, ""] | float
) -> tuple[Float[Array, " K"], Float[Array, " K"]]:
    """Log-probability of each segment's slate under `fill`'s draw, and the entropy of its first
    slot (nats)."""
    weights = problem.weights
    free, total = jnp.ones_like(weights, bool), jnp.zeros(weights.shape[:-1])
    entropy = total
    for slot in range(slate.shape[-1]):
        logits = _logits(_values(problem, weights, slot), free, temperature * problem.place)
        normal = jax.nn.log_softmax(logits, -1)
        if slot == 0:
            entropy = -(jnp.exp(normal) * normal).sum(-1)
        picked = jnp.arange(weights.shape[-1])[None] == slate[:, slot, None]
        total = total + jnp.where(picked, normal, 0.0).sum(-1)
        weights, free = _shown(problem, weights, free, slate[:, slot], slot)
    return total, entropy


def value_of_showing(
    weights: Float[Array, "K N"],
    boost: Float[Array, " K"],
    worth: Float[Array, "#K N"],
    needs: Needs,
) -> Float[Array, "K N"]:
    """Expected worth of one customer if product i, and only it, has its weight times `boost` more.

    MNL: (Σ_j worth_j v_j + worth_i Δ_i) / (v0 + Σ_j v_j + Δ_i), Δ_i = v_i (boost − 1), over the
    products of i's category; what the other categories are worth stays as it is.
    """
    extra = weights * (boost - 1.0)[:, None]
    before, sums = needs.total(weights), needs.sums(weights * worth)
    total = before + extra
    value = (sums + extra * worth) / jnp.where(total > 0, total, 1.0)
    if needs.categories == 1:
        return value
    at_rest = jnp.where(before > 0, before, 1.0)
    others = (weights * worth / at_rest).sum(-1, keepdims=True) - sums / at_rest
    return others + value


def place_worth(params: Params) -> Float[Array, ""]:
    """What the first place of a slate adds to a customer's margin where stock is ignored: root mean
    square over segments and products, money."""
    at_rest, boost = jnp.exp(params.utility), jnp.exp(params.lift)
    margin = (params.batch * (params.price - params.cost))[None]
    shown, unshown = (
        value_of_showing(at_rest, each, margin, params.needs)
        for each in (boost, jnp.ones_like(boost))
    )
    return jnp.sqrt(((shown - unshown) ** 2).mean()) + 1e-9


def boosts(params: Params) -> Float[Array, "S K"]:
    """What showing a product in each slot multiplies its MNL weight by, for each segment."""
    return jnp.exp(params.slot_weight[:, None] * params.lift[None])


def market_weights(fatigue: Float[Array, "K N"], params: Params) -> Float[Array, "K N"]:
    """MNL weights of a period in which nothing is shown."""
    return choice.weights_of(jnp.zeros_like(fatigue), fatigue, params)


def _values(problem: SlateProblem, weights: Array, slot: int) -> Array:
    """What each product is worth in this slot, given the slots before it: money, (K, N)."""
    by_worth = value_of_showing(weights, problem.boost[slot], problem.worth, problem.needs)
    return jnp.where(problem.is_plain, jnp.broadcast_to(problem.plain, by_worth.shape), by_worth)


def _logits(value: Array, free: Array, scale: Array) -> Array:
    top = jax.lax.stop_gradient(jnp.where(free, value, -jnp.inf).max(-1, keepdims=True))
    return jnp.where(free, (value - top) / scale, TAKEN)


def _shown(
    problem: SlateProblem, weights: Array, free: Array, product: Array, slot: int
) -> tuple[Array, Array]:
    """Weights and free products once this slot is filled."""
    picked = jnp.arange(weights.shape[-1])[None] == product[:, None]
    return jnp.where(picked, weights * problem.boost[slot][:, None], weights), free & ~picked
