"""The recommendation department: what it sees, how it decides, and its network.

It stands alone: weights, the tuned recommender that it corrects, and a network that reads its own
view. Neither the critic nor the other department is needed to decide.
"""

from functools import partial
from typing import Any, Protocol

import flax.linen as nn
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int, PRNGKeyArray

from agents.policies import slates
from agents.policies.encoder import Carried, MemoryKind, Trunk, empty_memory, encoded, zero_start
from agents.policies.heuristics import HeuristicParams, recommendation_prior
from agents.policies.replenishment import Sight
from jaxsim import views
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.views import View


class SlateNetwork(Protocol):
    """Any network of slates: `RecommendationActor`, or a module of your own."""

    memory: MemoryKind  # "gru": a memory that is learned and replayed in the update

    def init(
        self, key: PRNGKeyArray, view: View, prior: Float[Array, "K N"], memory: Carried
    ) -> Any: ...

    def apply(
        self, weights: Any, view: View, prior: Float[Array, "K N"], memory: Carried
    ) -> tuple[Float[Array, "K N"], Carried]:
        """Scores of every product for every segment (logits of a Plackett–Luce slate), and the
        memory. `prior`: the tuned recommender's scores."""
        ...

    def start(self, news: int, products: int) -> Carried:
        """The memory of a store not yet seen; `news` columns of news per product."""
        ...


class RecommendationActor(nn.Module):
    """Scores of every product for every segment, as a correction to the heuristic prior."""

    width: int
    memory: MemoryKind
    start_sharpness: float = 4.0
    trunk: Trunk | None = None  # shared with another head

    @nn.compact
    def __call__(
        self, view: View, prior: Float[Array, "K N"], carried: Carried
    ) -> tuple[Float[Array, "K N"], Carried]:
        """See `SlateNetwork.apply`."""
        hidden, context, carried = (self.trunk or partial(encoded, self))(view, carried)
        everybody = nn.Dense(1, kernel_init=zero_start)(hidden)[:, 0]
        product = nn.Dense(self.width // 2, kernel_init=zero_start)(hidden)
        crowd = jnp.broadcast_to(context, (view.segment.shape[0], context.shape[0]))
        segment = nn.tanh(nn.Dense(self.width // 2)(jnp.concatenate([view.segment, crowd], -1)))
        pairs = jnp.concatenate([view.pair, prior[..., None]], -1)
        personal = nn.Dense(1, kernel_init=zero_start)(pairs)[..., 0]
        log_sharpness = self.param(
            "log_sharpness", nn.initializers.constant(jnp.log(self.start_sharpness)), ()
        )
        return jnp.exp(log_sharpness) * prior + everybody + segment @ product.T + personal, carried

    def start(self, news: int, products: int) -> Carried:
        """See `SlateNetwork.start`."""
        return empty_memory(self.memory, self.width, news, products)


@struct.dataclass
class SlateRecord:
    """One decision on slates, with all that is needed to assess it again."""

    view: View
    memory: Carried  # as it was before the decision
    prior: Float[Array, "K N"]
    slate: Int[Array, "K S"]
    log_probability: Float[Array, " K"]
    mask: Float[Array, " K"]  # always 1: slates are chosen in every period


@struct.dataclass
class Recommendation:
    """Plackett–Luce slates over the tuned recommender's scores, corrected by the network."""

    weights: Any
    heuristic: HeuristicParams
    network: SlateNetwork = struct.field(pytree_node=False)
    sight: Sight = struct.field(pytree_node=False, default="department")

    def start(self, params: Params) -> Carried:
        """The memory of a store not yet seen."""
        both = self.sight == "everything"
        news = views.REPLENISHMENT_NEWS if both else views.RECOMMENDATION_NEWS
        return self.network.start(news, params.products)

    def weights_for(self, key: PRNGKeyArray, state: State, params: Params) -> Any:
        """Fresh weights, shaped by any store."""
        view = self._view(state, params)
        return self.network.init(key, view, self._prior(state, params), self.start(params))

    def slate(
        self, memory: Carried, state: State, params: Params
    ) -> tuple[Int[Array, "K S"], Carried]:
        """The products with the highest scores, and the memory after it."""
        view = self._view(state, params)
        logits, memory = self.network.apply(self.weights, view, self._prior(state, params), memory)
        return slates.top_slate(logits, params.slots), memory

    def explore(
        self, key: PRNGKeyArray, memory: Carried, state: State, params: Params
    ) -> tuple[Int[Array, "K S"], SlateRecord, Carried]:
        """A drawn slate for each segment; the record of the draw; the memory after it."""
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
            mask=jnp.ones(params.segments),
        )
        return slate, record, after

    def assess(
        self, weights: Any, record: SlateRecord, memory: Carried
    ) -> tuple[Float[Array, " K"], Float[Array, " K"], Carried]:
        """Log-probability of a recorded decision under other weights, entropy of the first slot,
        memory after."""
        logits, memory = self.network.apply(weights, record.view, record.prior, memory)
        log_probability, entropy = slates.log_probability(logits, record.slate)
        return log_probability, entropy, memory

    def _view(self, state: State, params: Params) -> View:
        if self.sight == "everything":  # the slates come first: they are not known yet
            undecided = jnp.zeros(params.products)
            return views.with_todays_slates(views.joint_view(state, params), undecided)
        return views.recommendation_view(state, params, sees_stock=self.sight == "department")

    def _prior(self, state: State, params: Params) -> Float[Array, "K N"]:
        return recommendation_prior(state, self.heuristic, params)
