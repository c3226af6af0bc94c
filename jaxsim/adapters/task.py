"""What a learner of another library decides, sees and earns: one definition for all adapters."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxsim import choice, ranking, scenarios, store, views
from jaxsim.adapters.checks import AdapterError
from jaxsim.adapters.partners import NEUTRAL, Partner
from jaxsim.params import Params
from jaxsim.records import Action, Flows, State
from jaxsim.views import FEATURE_LIMIT, View

DEPARTMENTS = ("replenishment", "recommendation")


class Episode(struct.PyTreeNode):
    """One store between two periods of an episode."""

    store: State
    memory: Any  # of the partner
    time: Int[Array, ""]  # periods played


@dataclass(frozen=True)
class Task:
    """Who decides, and in which numbers.

    An action is one flat vector [A]: units to order [N], then scores [K·N], segment by segment; the
    S best scores of a segment are its slate. A task of one department has its own part only. A
    number that is NaN or infinite counts as the lowest allowed: nothing ordered, shown last.
    Raises `AdapterError` for an unknown department, and for a partner where both are decided.
    """

    decides: str = "both"  # or one of DEPARTMENTS
    partner: Partner | None = None  # decides for the other department; by default a neutral rule
    normalised: bool = False  # orders, too, are in [−1, 1], from none to `largest_order`

    def __post_init__(self) -> None:
        if self.decides not in ("both", *DEPARTMENTS):
            raise AdapterError(
                f"decides: {self.decides!r}; allowed: both, {', '.join(DEPARTMENTS)}"
            )
        if self.decides == "both" and self.partner is not None:
            raise AdapterError("partner: given, but both departments are decided; allowed: None")

    @property
    def departments(self) -> tuple[str, ...]:
        """Whose decisions the action holds, in its order."""
        return DEPARTMENTS if self.decides == "both" else (self.decides,)

    def bounds(self, params: Params) -> tuple[Float[Array, " A"], Float[Array, " A"]]:
        """Lowest and highest value of each number of an action. Others are clipped to them."""
        low, high = zip(
            *(action_bounds(each, params, self.normalised) for each in self.departments),
            strict=True,
        )
        return jnp.float32(jnp.concatenate(low)), jnp.float32(jnp.concatenate(high))

    def observe(self, state: State, params: Params) -> Float[Array, " D"]:
        """The views of the deciding departments, flat; float32 also where JAX has 64 bits."""
        seen = [observation(each, state, params) for each in self.departments]
        return jnp.concatenate(seen).astype(jnp.float32)

    @partial(jax.jit, static_argnums=0)
    def begin(self, key: PRNGKeyArray, params: Params) -> tuple[Float[Array, " D"], Episode]:
        """The observation and the state of a new store (`jaxsim.store.reset`)."""
        state = store.reset(key, params)
        memory = () if self.decides == "both" else self._partner.start(params)
        return self.observe(state, params), Episode(state, memory, jnp.zeros((), jnp.int32))

    @partial(jax.jit, static_argnums=0)
    def advance(
        self, key: PRNGKeyArray, episode: Episode, action: Float[Array, " A"], params: Params
    ) -> tuple[Float[Array, " D"], Episode, Flows]:
        """One period: the next observation and state, and the ledger. The reward is its profit."""
        decision, memory = self._decision(action, episode, params)
        state, flows = store.step(key, episode.store, decision, params)
        after = Episode(state, memory, episode.time + 1)
        return self.observe(state, params), after, flows

    @property
    def _partner(self) -> Partner:
        (other,) = set(DEPARTMENTS) - set(self.departments)
        return self.partner or NEUTRAL[other]

    def _decision(self, action: Array, episode: Episode, params: Params) -> tuple[Action, Any]:
        low, high = self.bounds(params)
        if action.shape != low.shape:
            raise AdapterError(f"action: has shape {action.shape}; allowed: {low.shape}")
        action = jnp.clip(jnp.where(jnp.isfinite(action), action, low), low, high)
        n, memory = params.products, episode.memory
        if self.decides == "both":
            return Action(self._order(action[:n], params), slates(action[n:], params)), memory
        if self.decides == "replenishment":
            slate, memory = self._partner.decide(memory, episode.store, params)
            return Action(order=self._order(action, params), slate=slate), memory
        slate = slates(action, params)
        attention = choice.mean_attention(slate, params)
        order, memory = self._partner.decide(memory, episode.store, params, attention)
        return Action(order=order, slate=slate), memory

    def _order(self, numbers: Float[Array, " N"], params: Params) -> Float[Array, " N"]:
        return (numbers + 1) / 2 * largest_order(params) if self.normalised else numbers


JOINT = Task()
"""Both departments as one agent, orders in units."""


def action_bounds(
    department: str, params: Params, normalised: bool
) -> tuple[Float[Array, " A"], Float[Array, " A"]]:
    """Lowest and highest value of each number of one department's action."""
    if department == "recommendation":
        ones = jnp.ones(params.segments * params.products)
        return -ones, ones
    ones = jnp.ones(params.products)
    return (-ones, ones) if normalised else (0 * ones, largest_order(params))


def largest_order(params: Params) -> Float[Array, " N"]:
    """The most that can be ordered, in units: m + 3 sqrt(v m), rounded up, at most `order_cap`. v
    is the dispersion, m mean demand over lead time and review interval in the high season, for a
    product that is first on everybody's slate."""
    weights = jnp.exp(params.utility)
    shown = weights * jnp.exp(jnp.maximum(params.lift, 0.0))[:, None]
    total = params.needs.total(weights) - weights + shown
    day = (params.arrivals * params.season.mean(-1)) @ (shown / total) * params.batch
    demand = day * views.protected_season(params).max(0)
    return jnp.minimum(
        jnp.ceil(demand + 3 * jnp.sqrt(params.dispersion * demand)), params.order_cap
    )


def slates(scores: Float[Array, " KN"], params: Params) -> Int[Array, "K S"]:
    """The products with the S best scores of each segment, best first; of equal scores the lower
    index."""
    return ranking.top_slate(scores.reshape(params.segments, params.products), params.slots)


def observation(department: str, state: State, params: Params) -> Float[Array, " D"]:
    """One department's view (`jaxsim.views`), flat and within ± FEATURE_LIMIT: products, segments,
    pairs, store, each row by row."""
    see: dict[str, Callable[[State, Params], View]] = {
        "replenishment": views.replenishment_view,
        "recommendation": views.recommendation_view,
    }
    view = see[department](state, params)
    parts = (view.product, view.segment, view.pair, view.store)
    flat = jnp.concatenate([part.ravel() for part in parts])
    return jnp.clip(flat, -FEATURE_LIMIT, FEATURE_LIMIT)


def observation_size(task: Task, params: Params) -> int:
    """D, from shapes alone."""
    begin = partial(Task.begin, task)
    return jax.eval_shape(begin, jax.random.key(0), params)[0].shape[0]


def params_of(store: str | Params) -> Params:
    """The `Params` of a scenario by name or file, or those given. Raises `ScenarioError`."""
    return scenarios.get(store).params() if isinstance(store, str) else store


def not_finite(action: Float[Array, " A"]) -> Int[Array, ""]:
    """How many numbers of an action are NaN or infinite, and so replaced by the lowest allowed."""
    return (~jnp.isfinite(action)).sum(dtype=jnp.int32)
