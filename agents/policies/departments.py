"""The two learned departments: what each sees, how it decides, and how likely a decision was.

A department is a pytree that stands alone: weights, the tuned heuristic it starts from, and the
network that reads its own view. The critic and the other department are not needed to decide.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax.scipy.special import log_ndtr
from jaxtyping import Array, Float, Int, PRNGKeyArray

from agents.policies import slates
from agents.policies.heuristics import (
    Knobs,
    levels_ordering,
    order_quantity,
    order_up_to,
    recommendation_prior,
    safety_factor,
)
from agents.policies.networks import Carried, Head, Memory, RecommendationActor, ReplenishmentActor
from jaxsim import choice, views
from jaxsim.params import Params
from jaxsim.records import Action, State
from jaxsim.views import View

FARTHEST = 30.0
"""Standard deviations beyond which a Gaussian's tails are not told apart."""


@struct.dataclass
class OrderRecord:
    """One decision on orders, with all that is needed to assess it again."""

    view: View
    memory: Carried  # as it was before the decision
    lower: Float[Array, " N"]  # corrections of the safety factor from here
    upper: Float[Array, " N"]  # to here order the same units
    log_probability: Float[Array, " N"]
    heard: Float[Array, " N"]  # 1 in review periods


@struct.dataclass
class SlateRecord:
    """One decision on slates, with all that is needed to assess it again."""

    view: View
    memory: Carried
    prior: Float[Array, "K N"]
    slate: Int[Array, "K S"]
    log_probability: Float[Array, " K"]
    heard: Float[Array, " K"]


@struct.dataclass
class Replenishment:
    """Order-up-to y = m + (z0 + correction) sqrt(m): the network corrects the tuned factor z0.

    It orders once the day's slates are known: `attention` is what they give each product.
    """

    weights: Any
    knobs: Knobs
    network: ReplenishmentActor | Head = struct.field(pytree_node=False)
    sees_attention: bool = struct.field(pytree_node=False, default=True)

    def start(self, params: Params) -> Carried:
        """The memory of a store not yet seen."""
        return _empty_memory(self.network, views.REPLENISHMENT_NEWS, params)

    def weights_for(self, key: PRNGKeyArray, state: State, params: Params) -> Any:
        """Fresh weights, shaped by any store."""
        view = self._view(state, params, jnp.zeros(params.products))
        return self.network.init(key, view, self.start(params))

    def order(
        self, memory: Carried, state: State, params: Params, attention: Float[Array, " N"]
    ) -> tuple[Float[Array, " N"], Carried]:
        """Units to order, without exploration."""
        view = self._view(state, params, attention)
        mean, _, memory = self.network.apply(self.weights, view, memory)
        return self._units(mean, state, params), memory

    def explore(
        self,
        key: PRNGKeyArray,
        memory: Carried,
        state: State,
        params: Params,
        attention: Float[Array, " N"],
    ) -> tuple[Float[Array, " N"], OrderRecord, Carried]:
        """Units to order, drawn, and the record of the draw."""
        view = self._view(state, params, attention)
        mean, log_std, after = self.network.apply(self.weights, view, memory)
        order = self._units(
            mean + jnp.exp(log_std) * jax.random.normal(key, mean.shape), state, params
        )
        lower, upper = self._corrections_ordering(order, state, params)
        record = OrderRecord(
            view=view,
            memory=memory,
            lower=lower,
            upper=upper,
            log_probability=log_probability_between(lower, upper, mean, log_std),
            heard=(state.period % params.review == 0).astype(jnp.float32),
        )
        return order, record, after

    def assess(
        self, weights: Any, record: OrderRecord, memory: Carried
    ) -> tuple[Float[Array, " N"], Float[Array, " N"], Carried]:
        """Log-probability of a recorded decision under other weights, entropy, memory after."""
        mean, log_std, memory = self.network.apply(weights, record.view, memory)
        entropy = jnp.broadcast_to(log_std, mean.shape)
        log_probability = log_probability_between(record.lower, record.upper, mean, log_std)
        return log_probability, entropy, memory

    def _view(self, state: State, params: Params, attention: Float[Array, " N"]) -> View:
        if isinstance(self.network, Head):
            return views.with_todays_slates(views.joint_view(state, params), attention)
        view = views.replenishment_view(state, params, self.sees_attention)
        return views.with_todays_slates(view, attention * self.sees_attention)

    def _units(self, correction: Array, state: State, params: Params) -> Float[Array, " N"]:
        stock = views.stock_of(state, params)
        z = safety_factor(stock, self.knobs, params) + correction
        return order_quantity(order_up_to(stock, z), stock, state, self.knobs, params)

    def _corrections_ordering(
        self, order: Float[Array, " N"], state: State, params: Params
    ) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
        """Between which corrections these units are ordered."""
        stock = views.stock_of(state, params)
        lower, upper = levels_ordering(order, stock, state, self.knobs, params)
        z = safety_factor(stock, self.knobs, params)
        root = jnp.sqrt(stock.protected) + 1e-6
        return (lower - stock.protected) / root - z, (upper - stock.protected) / root - z


@struct.dataclass
class Recommendation:
    """Plackett–Luce slates over the tuned recommender's scores, corrected by the network."""

    weights: Any
    knobs: Knobs
    network: RecommendationActor | Head = struct.field(pytree_node=False)
    sees_stock: bool = struct.field(pytree_node=False, default=True)

    def start(self, params: Params) -> Carried:
        """The memory of a store not yet seen."""
        both = isinstance(self.network, Head)
        news = views.REPLENISHMENT_NEWS if both else views.RECOMMENDATION_NEWS
        return _empty_memory(self.network, news, params)

    def weights_for(self, key: PRNGKeyArray, state: State, params: Params) -> Any:
        """Fresh weights, shaped by any store."""
        view = self._view(state, params)
        return self.network.init(key, view, self._prior(state, params), self.start(params))

    def slate(
        self, memory: Carried, state: State, params: Params
    ) -> tuple[Int[Array, "K S"], Carried]:
        """The highest scores, without exploration."""
        view = self._view(state, params)
        logits, memory = self.network.apply(self.weights, view, self._prior(state, params), memory)
        return slates.top_slate(logits, params.slots), memory

    def explore(
        self, key: PRNGKeyArray, memory: Carried, state: State, params: Params
    ) -> tuple[Int[Array, "K S"], SlateRecord, Carried]:
        """A drawn slate for each segment, and the record of the draw."""
        view = self._view(state, params)
        prior = self._prior(state, params)
        logits, after = self.network.apply(self.weights, view, prior, memory)
        slate = slates.draw_slate(key, logits, params.slots)
        record = SlateRecord(
            view=view,
            memory=memory,
            prior=prior,
            slate=slate,
            log_probability=slates.log_probability(logits, slate)[0],
            heard=jnp.ones(params.segments),
        )
        return slate, record, after

    def assess(
        self, weights: Any, record: SlateRecord, memory: Carried
    ) -> tuple[Float[Array, " K"], Float[Array, " K"], Carried]:
        """Log-probability of a recorded decision under other weights, entropy, memory after."""
        logits, memory = self.network.apply(weights, record.view, record.prior, memory)
        log_probability, entropy = slates.log_probability(logits, record.slate)
        return log_probability, entropy, memory

    def _view(self, state: State, params: Params) -> View:
        if isinstance(self.network, Head):  # the slates come first: they are not known yet
            undecided = jnp.zeros(params.products)
            return views.with_todays_slates(views.joint_view(state, params), undecided)
        return views.recommendation_view(state, params, self.sees_stock)

    def _prior(self, state: State, params: Params) -> Float[Array, "K N"]:
        return recommendation_prior(state, self.knobs, params)


@struct.dataclass
class Departments:
    """Both departments deciding on the same state, as they do in use: greedy, no critic."""

    replenishment: Replenishment
    recommendation: Recommendation

    @property
    def weights(self) -> dict[str, Any]:
        """What was learned, by department."""
        return {
            "replenishment": self.replenishment.weights,
            "recommendation": self.recommendation.weights,
        }

    def with_weights(self, weights: dict[str, Any]) -> "Departments":
        """The same departments after other lessons."""
        return Departments(
            replenishment=self.replenishment.replace(weights=weights["replenishment"]),
            recommendation=self.recommendation.replace(weights=weights["recommendation"]),
        )

    def start(self, params: Params) -> tuple[Carried, Carried]:
        return self.replenishment.start(params), self.recommendation.start(params)

    def act(
        self, key: PRNGKeyArray, memory: tuple[Carried, Carried], state: State, params: Params
    ) -> tuple[Action, tuple[Carried, Carried]]:
        """Orders and slates of one store; `key` is not needed."""
        slate, slates_memory = self.recommendation.slate(memory[1], state, params)
        attention = choice.mean_attention(slate, params)
        order, orders_memory = self.replenishment.order(memory[0], state, params, attention)
        return Action(order=order, slate=slate), (orders_memory, slates_memory)


def _empty_memory(network: Any, news: int, params: Params) -> Carried:
    """Zeros; none without a memory: an array without numbers that crosses `jax.shard_map` crashes
    the compiler of jax 0.11."""
    size = Memory(network.memory, network.width).size(news)
    return jnp.zeros((params.products, size)) if size else None


def log_probability_between(lower: Array, upper: Array, mean: Array, log_std: Array) -> Array:
    """ln P(lower < x < upper) of a Gaussian; its density times the width where that is narrow.

    The likelihood of an order is that of all corrections that round to it, not of the one drawn:
    a draw within a unit's width is noise that no department can learn from (this project).
    """
    std = jnp.exp(log_std)
    low = jnp.clip((lower - mean) / std, -FARTHEST, FARTHEST)
    high = jnp.clip((upper - mean) / std, -FARTHEST, FARTHEST)
    width, middle = high - low, (high + low) / 2
    narrow = width < 0.02
    density = -0.5 * middle**2 - 0.5 * jnp.log(2 * jnp.pi) + jnp.log(jnp.maximum(width, 1e-30))
    # Both ends on the left, where the distribution function is small and exact.
    right = low > 0
    near, far = jnp.where(right, -low, high), jnp.where(right, -high, low)
    below, under = jnp.asarray(log_ndtr(near)), jnp.asarray(log_ndtr(far))
    apart = jnp.where(narrow, 1.0, below - under)
    return jnp.where(narrow, density, below + jnp.log(-jnp.expm1(-apart)))
