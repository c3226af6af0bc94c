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
from agents.policies.heuristics import HeuristicParams, slate_problem
from agents.policies.replenishment import Sight
from agents.policies.slates import SlateProblem
from jaxsim import views
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.views import View


class SlateNetwork(Protocol):
    """Any network of slates: `RecommendationActor`, or a module of your own."""

    memory: MemoryKind  # "gru": a memory that is learned and replayed in the update

    def init(self, key: PRNGKeyArray, view: View, memory: Carried) -> Any: ...

    def apply(
        self, weights: Any, view: View, memory: Carried
    ) -> tuple[Float[Array, "K N"], Carried]:
        """Corrections of what a sale of each product to each segment is worth, in units of what is
        at stake with it (margin, holding and penalty), and the memory."""
        ...

    def start(self, news: int, products: int) -> Carried:
        """The memory of a store not yet seen; `news` columns of news per product."""
        ...


class RecommendationActor(nn.Module):
    """A correction for every product, one for every segment and product, and one in between."""

    width: int
    memory: MemoryKind
    trunk: Trunk | None = None  # shared with another head

    @nn.compact
    def __call__(self, view: View, carried: Carried) -> tuple[Float[Array, "K N"], Carried]:
        """See `SlateNetwork.apply`."""
        hidden, context, carried = (self.trunk or partial(encoded, self))(view, carried)
        everybody = nn.Dense(1, kernel_init=zero_start)(hidden)[:, 0]
        product = nn.Dense(self.width // 2, kernel_init=zero_start)(hidden)
        crowd = jnp.broadcast_to(context, (view.segment.shape[0], context.shape[0]))
        segment = nn.tanh(nn.Dense(self.width // 2)(jnp.concatenate([view.segment, crowd], -1)))
        personal = nn.Dense(1, kernel_init=zero_start)(view.pair)[..., 0]
        return everybody[None] + segment @ product.T + personal, carried

    def start(self, news: int, products: int) -> Carried:
        """See `SlateNetwork.start`."""
        return empty_memory(self.memory, self.width, news, products)


class SlateRecord(struct.PyTreeNode):
    """One decision on slates, with all that is needed to assess it again."""

    view: View
    memory: Carried  # as it was before the decision
    problem: SlateProblem  # the tuned recommender's, not corrected
    slate: Int[Array, "K S"]
    temperature: Float[Array, ""]
    log_probability: Float[Array, " K"]
    mask: Float[Array, " K"]  # always 1: slates are chosen in every period


class Recommendation(struct.PyTreeNode):
    """Slates filled by what a place is worth: the tuned recommender's worth of a sale, corrected by
    the network. Source: this project.
    """

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
        return self.network.init(key, self._view(state, params), self.start(params))

    def slate(
        self, memory: Carried, state: State, params: Params
    ) -> tuple[Int[Array, "K S"], Carried]:
        """The slates of highest worth, and the memory after it."""
        problem, memory = self._corrected(memory, state, params)
        return slates.fill(problem)[0], memory

    def draw(
        self,
        key: PRNGKeyArray,
        temperature: Float[Array, ""],
        memory: Carried,
        state: State,
        params: Params,
    ) -> tuple[Int[Array, "K S"], Float[Array, "S K N"], Carried]:
        """A drawn slate for each segment; the chances of each slot's draw; the memory after it."""
        problem, memory = self._corrected(memory, state, params)
        slate, chances = slates.fill(problem, key, temperature)
        assert chances is not None
        return slate, chances, memory

    def explore(
        self,
        key: PRNGKeyArray,
        temperature: Float[Array, ""],
        memory: Carried,
        state: State,
        params: Params,
    ) -> tuple[Int[Array, "K S"], SlateRecord, Carried]:
        """A drawn slate for each segment; the record of the draw; the memory after it."""
        view, problem = self._view(state, params), self._problem(state, params)
        correction, after = self.network.apply(self.weights, view, memory)
        corrected = problem.corrected(correction)
        slate, _ = slates.fill(corrected, key, temperature)
        record = SlateRecord(
            view=view,
            memory=memory,
            problem=problem,
            slate=slate,
            temperature=temperature,
            log_probability=slates.log_probability(corrected, slate, temperature)[0],
            mask=jnp.ones(params.segments),
        )
        return slate, record, after

    def assess(
        self, weights: Any, record: SlateRecord, memory: Carried
    ) -> tuple[Float[Array, " K"], Float[Array, " K"], Carried]:
        """Log-probability of a recorded decision under other weights, entropy of the first slot,
        memory after."""
        correction, memory = self.network.apply(weights, record.view, memory)
        problem = record.problem.corrected(correction)
        return *slates.log_probability(problem, record.slate, record.temperature), memory

    def _view(self, state: State, params: Params) -> View:
        if self.sight == "everything":  # the slates come first: they are not known yet
            undecided = jnp.zeros(params.products)
            return views.with_todays_slates(views.joint_view(state, params), undecided)
        return views.recommendation_view(state, params, sees_stock=self.sight == "department")

    def _corrected(
        self, memory: Carried, state: State, params: Params
    ) -> tuple[SlateProblem, Carried]:
        """The tuned recommender's problem with the network's correction, and the memory after."""
        correction, memory = self.network.apply(self.weights, self._view(state, params), memory)
        return self._problem(state, params).corrected(correction), memory

    def _problem(self, state: State, params: Params) -> SlateProblem:
        return slate_problem(state, self.heuristic, params)
