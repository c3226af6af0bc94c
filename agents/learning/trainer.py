"""What is trained: both departments, their critic and their optimizers, as a frozen pytree.

The algorithm itself is in `agents.learning.iteration`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import PRNGKeyArray

from agents.learning import critic, health, timescales
from agents.learning.regimes import Department
from agents.learning.settings import Hyperparams, StaticConfig
from agents.learning.train_state import TrainState
from agents.policies.departments import Departments
from agents.policies.heuristics import HeuristicParams
from agents.policies.recommendation import Recommendation
from agents.policies.replenishment import Replenishment, Sight
from jaxsim import store, views
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.views import View


class Trainer(struct.PyTreeNode):
    """Who learns what, with which network, on which clock. Networks and sizes are static, rates
    and the tuned heuristic traced."""

    hyperparams: Hyperparams
    heuristic: HeuristicParams  # the tuned pair that the departments correct
    static: StaticConfig = struct.field(pytree_node=False)

    def init(self, key: PRNGKeyArray, params: Params) -> TrainState:
        """A training at its start: departments that decide as the tuned heuristics do."""
        keys = jax.random.split(key, 5)
        states = jax.vmap(store.reset, (0, None))(
            jax.random.split(keys[0], self.static.stores), params
        )
        one = jax.tree.map(lambda leaf: leaf[0], states)
        orders, slates = self.replenishment(None), self.recommendation(None)
        weights = {
            "replenishment": {}
            if self.static.regime.one_network
            else orders.weights_for(keys[2], one, params),
            "recommendation": slates.weights_for(keys[3], one, params),
        }
        critics = self._critics(keys[1], one, params)
        by_path = self.static.learner == "path"
        empty = (orders.start(params), slates.start(params))
        none = jnp.zeros((), jnp.int32)
        return TrainState(
            **weights,
            critics=critics,
            average=tuple(jnp.zeros(() if by_path else params.products) for _ in critics),
            averaged={name: each for name, each in weights.items() if each},
            targets=critics if by_path else (),
            explained=tuple(jnp.zeros(()) for _ in critics) if by_path else (),
            prices=jnp.copy(params.cost) if self.static.regime.charged else (),
            critic_optimizer=self.optimizer("critic").init(critics),
            fast_optimizer=self.optimizer("fast").init(weights[self.fast]),
            slow_optimizer=self.optimizer("slow").init(weights[self.slow]),
            states=states,
            memories=jax.tree.map(
                lambda leaf: jnp.broadcast_to(leaf, (self.static.stores, *leaf.shape)), empty
            ),
            key=keys[4],
            iteration=none,
            critic_updates=none,
            fast_updates=none,
            slow_updates=none,
            health=health.well(),
        )

    def departments(self, train_state: TrainState) -> Departments:
        """Both departments as they now are, ready to decide."""
        return self.departments_with(train_state.averaged)

    def departments_with(self, weights: dict[str, Any]) -> Departments:
        """Both departments with these weights, by department."""
        slates = weights["recommendation"]
        orders = slates if self.static.regime.one_network else weights["replenishment"]
        return Departments(self.replenishment(orders), self.recommendation(slates))

    def exploring(self, train_state: TrainState) -> Departments:
        """Both departments with the weights that are being learned."""
        return self.departments_with(
            {name: getattr(train_state, name) for name in train_state.averaged}
        )

    def replenishment(self, weights: Any) -> Replenishment:
        """The replenishment department with these weights."""
        return Replenishment(weights, self.heuristic, self.static.networks.orders, self._sight)

    def recommendation(self, weights: Any) -> Recommendation:
        """The recommendation department with these weights."""
        return Recommendation(weights, self.heuristic, self.static.networks.slates, self._sight)

    @property
    def fast(self) -> Department:
        """The department on the fast clock."""
        return "recommendation" if self.static.regime.one_network else self.static.fast

    @property
    def slow(self) -> Department:
        """The department on the slow clock."""
        return "recommendation" if self.fast == "replenishment" else "replenishment"

    @property
    def learners(self) -> dict[str, str]:
        """Who learns on each clock."""
        return {"critic": "critic", "fast": self.fast, "slow": self.slow}

    def optimizer(self, clock: str) -> optax.GradientTransformation:
        """Adam on the clock "critic", "fast" or "slow"."""
        short = self.static.learner == "path"  # memory, as gradients change with the temperature
        second_moment = 0.99 if short else 0.999
        return timescales.optimizer(
            self.hyperparams.clocks, clock, self.static.max_norm, second_moment
        )

    def critic_views(self, state: State, params: Params) -> tuple[View, ...]:
        """What each critic sees: everything, or one department's own view each. Where
        recommendation is charged for stock, it has one beside that of the store."""
        regime = self.static.regime
        if regime.charged:
            return (views.critic_view(state, params), views.recommendation_view(state, params))
        if not regime.own_kpi:
            return (views.critic_view(state, params),)
        shared = regime.shared_view
        return (
            views.replenishment_view(state, params, shared),
            views.recommendation_view(state, params, shared),
        )

    def _critics(self, key: PRNGKeyArray, one: State, params: Params) -> tuple[Any, ...]:
        if self.static.learner == "path":
            network, given = self.static.networks.value, jnp.ones(params.segments)
        else:
            network = self.static.networks.critic
            given = jnp.zeros((params.products, critic.DECISION_COLUMNS))
        keys = jax.random.split(key, 2)
        return tuple(
            network.init(each, view, given)
            for each, view in zip(keys, self.critic_views(one, params), strict=False)
        )

    @property
    def _sight(self) -> Sight:
        if self.static.regime.one_network:
            return "everything"
        return "department" if self.static.regime.shared_view else "own half"
