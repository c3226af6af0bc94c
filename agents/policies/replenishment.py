"""The replenishment department: what it sees, how it decides, and its network.

It stands alone: weights, the tuned order rule that it corrects, and a network that reads its own
view. Neither the critic nor the other department is needed to decide.
"""

from functools import partial
from typing import Any, Literal, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jax.scipy.special import log_ndtr
from jaxtyping import Array, Float, PRNGKeyArray

from agents.policies.encoder import Carried, MemoryKind, Trunk, empty_memory, encoded, zero_start
from agents.policies.heuristics import (
    HeuristicParams,
    levels_ordering,
    order_quantity,
    order_stock,
    order_up_to,
    safety_factor,
)
from jaxsim import views
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.views import View

Sight = Literal["own half", "department", "everything"]
"""What a department is shown: nothing of the other's side (a silo), its department's view, or what
both departments see together (one network for both)."""

TAIL_LIMIT = 30.0
"""Standard deviations at which a Gaussian's tails are cut off before they are compared."""


class OrderNetwork(Protocol):
    """Any network of orders: `ReplenishmentActor`, or a module of your own."""

    memory: MemoryKind  # "gru": a memory that is learned and replayed in the update

    def init(self, key: PRNGKeyArray, view: View, memory: Carried) -> Any: ...

    def apply(
        self, weights: Any, view: View, memory: Carried
    ) -> tuple[Float[Array, " N"], Float[Array, ""], Carried]:
        """Mean and log standard deviation of the safety factor's correction, and the memory."""
        ...

    def start(self, news: int, products: int) -> Carried:
        """The memory of a store not yet seen; `news` columns of news per product."""
        ...


class ReplenishmentActor(nn.Module):
    """Gaussian over each product's safety factor, as a correction to the heuristic one.

    The spread has a floor: a narrower one never crosses from one whole unit to the next where
    demand is small, and then nothing more is learned.
    """

    width: int
    memory: MemoryKind
    start_log_std: float = -1.0
    least_log_std: float = -1.5
    trunk: Trunk | None = None  # shared with another head

    @nn.compact
    def __call__(
        self, view: View, carried: Carried
    ) -> tuple[Float[Array, " N"], Float[Array, ""], Carried]:
        """See `OrderNetwork.apply`."""
        hidden, _, carried = (self.trunk or partial(encoded, self))(view, carried)
        mean = nn.Dense(1, kernel_init=zero_start)(hidden)[:, 0]
        log_std = self.param("log_std", nn.initializers.constant(self.start_log_std), ())
        return mean, jnp.maximum(log_std, self.least_log_std), carried

    def start(self, news: int, products: int) -> Carried:
        """See `OrderNetwork.start`."""
        return empty_memory(self.memory, self.width, news, products)


class OrderRecord(struct.PyTreeNode):
    """One decision on orders, with all that is needed to assess it again."""

    view: View
    memory: Carried  # as it was before the decision
    lower: Float[Array, " N"]  # corrections of the safety factor from here
    upper: Float[Array, " N"]  # to here order the same units
    log_probability: Float[Array, " N"]
    mask: Float[Array, " N"]  # 1 in review periods, where an order is placed


class Replenishment(struct.PyTreeNode):
    """Order-up-to y = m + (z0 + correction) sqrt(m), m the demand forecast over lead time and
    review interval: the network corrects the tuned safety factor z0. Source: this project.

    It orders once the day's slates are known: `attention` is what they give each product.
    """

    weights: Any
    heuristic: HeuristicParams
    network: OrderNetwork = struct.field(pytree_node=False)
    sight: Sight = struct.field(pytree_node=False, default="department")

    def start(self, params: Params) -> Carried:
        """The memory of a store not yet seen."""
        return self.network.start(views.REPLENISHMENT_NEWS, params.products)

    def weights_for(self, key: PRNGKeyArray, state: State, params: Params) -> Any:
        """Fresh weights, shaped by any store."""
        view = self._view(state, params, jnp.zeros(params.products))
        return self.network.init(key, view, self.start(params))

    def order(
        self, memory: Carried, state: State, params: Params, attention: Float[Array, " N"]
    ) -> tuple[Float[Array, " N"], Carried]:
        """Units to order, without exploration, and the memory after it."""
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
        """Units to order, drawn; the record of the draw; the memory after it."""
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
            mask=(state.period % params.review == 0).astype(jnp.float32),
        )
        return order, record, after

    def assess(
        self, weights: Any, record: OrderRecord, memory: Carried
    ) -> tuple[Float[Array, " N"], Float[Array, " N"], Carried]:
        """Log-probability of a recorded decision under other weights, entropy (up to a constant),
        memory after."""
        mean, log_std, memory = self.network.apply(weights, record.view, memory)
        entropy = jnp.broadcast_to(log_std, mean.shape)
        log_probability = log_probability_between(record.lower, record.upper, mean, log_std)
        return log_probability, entropy, memory

    def _view(self, state: State, params: Params, attention: Float[Array, " N"]) -> View:
        if self.sight == "everything":
            return views.with_todays_slates(views.joint_view(state, params), attention)
        sees_attention = self.sight == "department"
        view = views.replenishment_view(state, params, sees_attention)
        return views.with_todays_slates(view, attention * sees_attention)

    def _units(self, correction: Array, state: State, params: Params) -> Float[Array, " N"]:
        stock = order_stock(state, self.heuristic, params)
        z = safety_factor(stock, self.heuristic, params) + correction
        return order_quantity(order_up_to(stock, z), stock, state, self.heuristic, params)

    def _corrections_ordering(
        self, order: Float[Array, " N"], state: State, params: Params
    ) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
        """Lowest and highest correction that orders these units."""
        stock = order_stock(state, self.heuristic, params)
        lower, upper = levels_ordering(order, stock, state, self.heuristic, params)
        z = safety_factor(stock, self.heuristic, params)
        root = jnp.sqrt(stock.protected) + 1e-6
        return (lower - stock.protected) / root - z, (upper - stock.protected) / root - z


def log_probability_between(lower: Array, upper: Array, mean: Array, log_std: Array) -> Array:
    """ln P(lower < x < upper) of a Gaussian; its density times the width where that is narrow.

    The likelihood of an order is that of all corrections that round to it, not of the one drawn:
    where in a unit's width the draw fell is noise, which teaches nothing. Source: this project.
    """
    std = jnp.exp(log_std)
    low = jnp.clip((lower - mean) / std, -TAIL_LIMIT, TAIL_LIMIT)
    high = jnp.clip((upper - mean) / std, -TAIL_LIMIT, TAIL_LIMIT)
    width, middle = high - low, (high + low) / 2
    narrow = width < 0.02
    density = -0.5 * middle**2 - 0.5 * jnp.log(2 * jnp.pi) + jnp.log(jnp.maximum(width, 1e-30))
    # Both ends on the left, where the distribution function is small and exact.
    right = low > 0
    near, far = jnp.where(right, -low, high), jnp.where(right, -high, low)
    below, under = jnp.asarray(log_ndtr(near)), jnp.asarray(log_ndtr(far))
    apart = jnp.where(narrow, 1.0, below - under)
    return jnp.where(narrow, density, below + jnp.log(-jnp.expm1(-apart)))
