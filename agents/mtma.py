"""Multi-timescale multi-agent learning: one iteration, compiled.

Roll out → differential advantages by product → nested scans: several updates of the fast group
(critic and fast department) to each update of the slow one. PPO's clipped surrogate with Adam.
Idea: Jiang et al. (2025); average-reward advantages: Zhang and Ross (2021); the control variate on
the period's chance follows from inverse-CDF sampling and is this project's own.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Float, PRNGKeyArray

from agents import timescales
from agents.departments import OrderRecord, Recommendation, Replenishment, SlateRecord
from agents.heuristics import Knobs
from agents.learning import Learner, Rates, Shape
from agents.networks import Critic, RecommendationActor, ReplenishmentActor
from agents.rewards import money_scale, profit_on_sale, recommendation_kpi, replenishment_kpi
from jaxsim import sampling, store, views
from jaxsim.params import Params
from jaxsim.records import Action, Chance, Flows, State

CHANCE_COLUMNS = 4


@struct.dataclass
class Rollout:
    """A batch of experience, leading axes (periods, stores)."""

    orders: OrderRecord
    slates: SlateRecord
    critic_views: tuple[views.View, ...]
    rewards: tuple[Float[Array, "T B N"], ...]  # by critic, scaled
    chance: Float[Array, "T B N E"]
    profit: Float[Array, "T B"]  # money
    asked: Float[Array, "T B"]
    served: Float[Array, "T B"]


@struct.dataclass
class Lesson:
    """What the updates learn from: decisions with their advantages, views with their targets."""

    orders: OrderRecord
    slates: SlateRecord
    order_advantage: Float[Array, "T B N"]
    slate_advantage: Float[Array, "T B K"]
    critic_views: tuple[views.View, ...]
    targets: tuple[Float[Array, "T B N"], ...]
    surprises: tuple[Float[Array, "T B N"], ...]  # temporal differences
    chance: Float[Array, "T B N E"]


@struct.dataclass
class Trainer:
    """The algorithm as a frozen pytree: networks and sizes static, rates and knobs traced."""

    rates: Rates
    knobs: Knobs
    shape: Shape = struct.field(pytree_node=False)

    # -- the parts ---------------------------------------------------------------------------

    def departments(self, learner: Learner) -> tuple[Replenishment, Recommendation]:
        """Both departments as they now are, ready to decide."""
        return self._replenishment(learner.replenishment), self._recommendation(
            learner.recommendation
        )

    def init(self, key: PRNGKeyArray, params: Params) -> Learner:
        """A learner at the start: departments that decide as the tuned heuristics do."""
        keys = jax.random.split(key, 5)
        states = jax.vmap(store.reset, (0, None))(
            jax.random.split(keys[0], self.shape.stores), params
        )
        one = jax.tree.map(lambda leaf: leaf[0], states)
        orders, slates = self._replenishment(None), self._recommendation(None)
        critics = tuple(
            self._critic.init(critic_key, view)
            for critic_key, view in zip(
                jax.random.split(keys[1], 2), self._critic_views(one, params), strict=False
            )
        )
        empty = (orders.start(params), slates.start(params))
        learner = Learner(
            replenishment=orders.weights_for(keys[2], one, params),
            recommendation=slates.weights_for(keys[3], one, params),
            critics=critics,
            average=tuple(jnp.zeros(params.products) for _ in critics),
            fast_optimizer=None,
            slow_optimizer=None,
            states=states,
            memories=jax.tree.map(
                lambda leaf: jnp.broadcast_to(leaf, (self.shape.stores, *leaf.shape)), empty
            ),
            key=keys[4],
            iteration=jnp.zeros((), jnp.int32),
            fast_updates=jnp.zeros((), jnp.int32),
            slow_updates=jnp.zeros((), jnp.int32),
        )
        return learner.replace(
            fast_optimizer=self._fast_optimizer.init(self._fast_group(learner)),
            slow_optimizer=self._slow_optimizer.init(self._slow_group(learner)),
        )

    def iterate(self, learner: Learner, params: Params) -> tuple[Learner, dict[str, Array]]:
        """One iteration: experience, advantages, updates on both clocks, and its metrics."""
        learner, rollout = self.roll_out(learner, params)
        learner, lesson = self.advantages(learner, rollout, params)
        learner, losses = self.update(learner, lesson)
        clocks = self.rates.clocks
        metrics = {
            "profit": rollout.profit.mean(),
            "fill_rate": rollout.served.sum() / jnp.maximum(rollout.asked.sum(), 1.0),
            "critic_rate": timescales.critic_rate(clocks, learner.fast_updates),
            "fast_rate": timescales.fast_rate(clocks, learner.fast_updates),
            "slow_rate": timescales.slow_rate(clocks, learner.slow_updates),
            "fast_updates": learner.fast_updates,
            "slow_updates": learner.slow_updates,
        }
        return learner.replace(iteration=learner.iteration + 1), metrics | losses

    # -- experience --------------------------------------------------------------------------

    def roll_out(self, learner: Learner, params: Params) -> tuple[Learner, Rollout]:
        """Every store goes on for `horizon` periods under the exploring departments."""
        key, rollout_key = jax.random.split(learner.key)

        def one_period(carry: tuple, period_key: PRNGKeyArray) -> tuple[tuple, Rollout]:
            keys = jax.random.split(period_key, self.shape.stores)
            states, memories, news = jax.vmap(self._one_store, (None, 0, 0, 0, None))(
                learner, keys, carry[0], carry[1], params
            )
            return (states, memories), news

        (states, memories), rollout = jax.lax.scan(
            one_period,
            (learner.states, learner.memories),
            jax.random.split(rollout_key, self.shape.horizon),
        )
        return learner.replace(states=states, memories=memories, key=key), rollout

    def _one_store(
        self, learner: Learner, key: PRNGKeyArray, state: State, memory: tuple, params: Params
    ) -> tuple[State, tuple, Rollout]:
        replenishment, recommendation = self.departments(learner)
        chance_key, order_key, slate_key = jax.random.split(key, 3)
        order, order_record, memory_0 = replenishment.explore(order_key, memory[0], state, params)
        slate, slate_record, memory_1 = recommendation.explore(slate_key, memory[1], state, params)
        chance = store.draw(chance_key, params)
        after, flows = store.advance(chance, state, Action(order=order, slate=slate), params)
        rollout = Rollout(
            orders=order_record,
            slates=slate_record,
            critic_views=self._critic_views(state, params),
            rewards=self._rewards(flows, params),
            chance=chance_columns(chance),
            profit=flows.profit.sum(),
            asked=flows.asked.sum(),
            served=flows.served.sum(),
        )
        return after, (memory_0, memory_1), rollout

    def _rewards(self, flows: Flows, params: Params) -> tuple[Float[Array, " N"], ...]:
        """What each critic's department is paid for, by product, in units of `money_scale`."""
        scale, profit = money_scale(params), profit_on_sale(flows, params)
        if not self.shape.regime.own_kpi:
            return (profit / scale,)
        mix = self.rates.kpi_mix
        own = (replenishment_kpi(flows, params), recommendation_kpi(flows, params))
        return tuple((mix * kpi + (1 - mix) * profit) / scale for kpi in own)

    # -- advantages --------------------------------------------------------------------------

    def advantages(
        self, learner: Learner, rollout: Rollout, params: Params
    ) -> tuple[Learner, Lesson]:
        """Differential GAE by product for each critic, and each department's credit."""
        last_views = jax.vmap(self._critic_views, (0, None))(learner.states, params)
        parts = [
            self._advantages_of(*each, rollout.chance)
            for each in zip(
                learner.critics, learner.average, rollout.critic_views, last_views,
                rollout.rewards, strict=True,
            )
        ]  # fmt: skip
        by_product, targets, surprises, averages = zip(*parts, strict=True)
        # One central critic serves both departments; else the first is replenishment's.
        orders, slates = by_product[0], by_product[-1]
        others = orders.sum(-1, keepdims=True) - orders
        slate_advantage = slates.sum(-1, keepdims=True)
        lesson = Lesson(
            orders=rollout.orders,
            slates=rollout.slates,
            order_advantage=standardised(orders + self.rates.others * others),
            slate_advantage=jnp.broadcast_to(
                standardised(slate_advantage), rollout.slates.log_probability.shape
            ),
            critic_views=rollout.critic_views,
            targets=targets,
            surprises=surprises,
            chance=rollout.chance,
        )
        return learner.replace(average=averages), lesson

    def _advantages_of(
        self,
        weights: Any,
        average: Float[Array, " N"],
        seen: views.View,
        last: views.View,
        rewards: Float[Array, "T B N"],
        chance: Float[Array, "T B N E"],
    ) -> tuple[Array, Array, Array, Array]:
        """Advantages, value targets, temporal differences δ = r − ρ + V' − V, and the next ρ.

        The part of δ that the critic predicts from the period's chance has mean zero whatever was
        decided, so taking it out leaves the advantage unbiased and much less noisy.
        """
        values, response = _over_stores(_over_stores(self._critic.apply))(weights, seen)
        last_values, _ = _over_stores(self._critic.apply)(weights, last)
        following = jnp.concatenate([values[1:], last_values[None]])
        surprises = rewards - average + following - values
        explained = surprises - (response * chance).sum(-1)

        def backwards(later: Array, now: Array) -> tuple[Array, Array]:
            advantage = now + self.rates.trace * later
            return advantage, advantage

        _, advantage = jax.lax.scan(backwards, jnp.zeros_like(last_values), explained, reverse=True)
        average = average + self.rates.average_rate * explained.mean((0, 1))
        return advantage, values + advantage, surprises, average

    # -- updates -----------------------------------------------------------------------------

    def update(self, learner: Learner, lesson: Lesson) -> tuple[Learner, dict[str, Array]]:
        """Epochs of minibatches of whole stores: `fast_per_slow` fast updates, then a slow one."""
        key, shuffle_key = jax.random.split(learner.key)
        learner = learner.replace(key=key)

        def epoch(learner: Learner, epoch_key: PRNGKeyArray) -> tuple[Learner, dict]:
            return jax.lax.scan(self._slow_cycle, learner, self._shuffled(epoch_key, lesson))

        learner, losses = jax.lax.scan(
            epoch, learner, jax.random.split(shuffle_key, self.shape.epochs)
        )
        return learner, jax.tree.map(jnp.mean, losses)

    def _shuffled(self, key: PRNGKeyArray, lesson: Lesson) -> Lesson:
        """Stores in random order, cut into (slow cycles, fast updates, periods, stores, …)."""
        order = jax.random.permutation(key, self.shape.stores)
        fast = self.shape.fast_per_slow
        cut = (self.shape.minibatches // fast, fast, self.shape.stores // self.shape.minibatches)

        def deal(leaf: Array) -> Array:
            dealt = leaf[:, order].reshape(leaf.shape[0], *cut, *leaf.shape[2:])
            return jnp.moveaxis(dealt, 0, 2)

        return jax.tree.map(deal, lesson)

    def _slow_cycle(self, learner: Learner, lessons: Lesson) -> tuple[Learner, dict[str, Array]]:
        """Fast updates, a minibatch each, then one slow update on all of them."""
        learner, fast_losses = jax.lax.scan(self._fast_update, learner, lessons)
        together = jax.tree.map(_join_minibatches, lessons)
        learner, slow_losses = self._slow_update(learner, together)
        return learner, jax.tree.map(jnp.mean, fast_losses) | slow_losses

    def _fast_update(self, learner: Learner, lesson: Lesson) -> tuple[Learner, dict[str, Array]]:
        """The critic and the fast department: one step of the fast optimizer."""
        group = self._fast_group(learner)
        (_, losses), gradient = jax.value_and_grad(self._fast_loss, has_aux=True)(group, lesson)
        step, optimizer = self._fast_optimizer.update(gradient, learner.fast_optimizer, group)
        group = optax.apply_updates(group, step)
        learner = self._with_actor(learner, self._fast_name, group["actor"])
        return learner.replace(
            critics=group["critic"],
            fast_optimizer=optimizer,
            fast_updates=learner.fast_updates + 1,
        ), losses

    def _slow_update(self, learner: Learner, lesson: Lesson) -> tuple[Learner, dict[str, Array]]:
        """The slow department: one step of the slow optimizer."""
        group = self._slow_group(learner)
        (_, losses), gradient = jax.value_and_grad(self._actor_loss, has_aux=True)(
            group, self._slow_name, lesson
        )
        step, optimizer = self._slow_optimizer.update(gradient, learner.slow_optimizer, group)
        learner = self._with_actor(learner, self._slow_name, optax.apply_updates(group, step))
        return learner.replace(
            slow_optimizer=optimizer, slow_updates=learner.slow_updates + 1
        ), losses

    # -- losses ------------------------------------------------------------------------------

    def _fast_loss(self, group: dict, lesson: Lesson) -> tuple[Array, dict[str, Array]]:
        critic_loss = self._critic_loss(group["critic"], lesson)
        actor_loss, losses = self._actor_loss(group["actor"], self._fast_name, lesson)
        return critic_loss + actor_loss, losses | {"critic_loss": critic_loss}

    def _critic_loss(self, critics: tuple[Any, ...], lesson: Lesson) -> Array:
        """Squared errors of the values, and of the responses to chance."""
        total = jnp.zeros(())
        for weights, view, target, surprise in zip(
            critics, lesson.critic_views, lesson.targets, lesson.surprises, strict=True
        ):
            values, response = _over_stores(_over_stores(self._critic.apply))(weights, view)
            predicted = (response * lesson.chance).sum(-1)
            total += 0.5 * ((values - target) ** 2).mean()
            total += 0.5 * ((predicted - surprise) ** 2).mean()
        return total

    def _actor_loss(
        self, weights: Any, name: str, lesson: Lesson
    ) -> tuple[Array, dict[str, Array]]:
        """PPO's clipped surrogate, a ratio for each product's order or each segment's slate."""
        if name == "replenishment":
            department, record = self._replenishment(weights), lesson.orders
            advantage, bonus = lesson.order_advantage, 0.0
        else:
            department, record = self._recommendation(weights), lesson.slates
            advantage, bonus = lesson.slate_advantage, self.rates.entropy
        log_probability, entropy = _assess(department, weights, record)
        ratio = jnp.exp(log_probability - record.log_probability)
        clipped = jnp.clip(ratio, 1 - self.rates.clip, 1 + self.rates.clip)
        gain = jnp.minimum(ratio * advantage, clipped * advantage) + bonus * entropy
        heard = record.heard
        mean = lambda each: (each * heard).sum() / jnp.maximum(heard.sum(), 1.0)  # noqa: E731
        return -mean(gain), {
            f"{name}_loss": -mean(gain),
            f"{name}_entropy": mean(entropy),
            f"{name}_change": mean(ratio - 1 - jnp.log(ratio)),
        }

    # -- who is who --------------------------------------------------------------------------

    @property
    def _critic(self) -> Critic:
        return Critic(self.shape.width, CHANCE_COLUMNS)

    @property
    def _fast_name(self) -> str:
        return self.shape.fast

    @property
    def _slow_name(self) -> str:
        return "recommendation" if self.shape.fast == "replenishment" else "replenishment"

    @property
    def _fast_optimizer(self) -> optax.GradientTransformation:
        return timescales.fast_optimizer(self.rates.clocks, self.shape.max_norm)

    @property
    def _slow_optimizer(self) -> optax.GradientTransformation:
        return timescales.slow_optimizer(self.rates.clocks, self.shape.max_norm)

    def _fast_group(self, learner: Learner) -> dict:
        return {"critic": learner.critics, "actor": getattr(learner, self._fast_name)}

    def _slow_group(self, learner: Learner) -> Any:
        return getattr(learner, self._slow_name)

    def _with_actor(self, learner: Learner, name: str, weights: Any) -> Learner:
        return learner.replace(**{name: weights})

    def _replenishment(self, weights: Any) -> Replenishment:
        network = ReplenishmentActor(self.shape.width, self.shape.replenishment_memory)
        return Replenishment(weights, self.knobs, network, self.shape.regime.shared_view)

    def _recommendation(self, weights: Any) -> Recommendation:
        network = RecommendationActor(self.shape.width, self.shape.recommendation_memory)
        return Recommendation(weights, self.knobs, network, self.shape.regime.shared_view)

    def _critic_views(self, state: State, params: Params) -> tuple[views.View, ...]:
        """One sight of everything, or each department's own."""
        if not self.shape.regime.own_kpi:
            return (views.critic_view(state, params),)
        shared = self.shape.regime.shared_view
        return (
            views.replenishment_view(state, params, shared),
            views.recommendation_view(state, params, shared),
        )


def chance_columns(chance: Chance) -> Float[Array, "N E"]:
    """Functions of the period's chance, each of mean zero: the customers' normal score, its second
    Hermite polynomial, the demand shock and the market's innovation."""
    score = sampling.standard_normal(chance.demand)
    market = jnp.broadcast_to(chance.market, score.shape)
    return jnp.stack([score, (score**2 - 1) / jnp.sqrt(2.0), chance.shock, market], -1)


def standardised(advantage: Array) -> Array:
    """Mean zero, spread one over the batch."""
    return (advantage - advantage.mean()) / (advantage.std() + 1e-6)


def _assess(department: Any, weights: Any, record: Any) -> tuple[Array, Array]:
    """Log-probability and entropy of every recorded decision, leading axes (periods, stores).

    A learned memory is replayed from the rollout's first; any other is as recorded.
    """
    assess = jax.vmap(department.assess, (None, 0, 0))
    if department.network.memory != "gru":
        log_probability, entropy, _ = jax.vmap(assess, (None, 0, 0))(weights, record, record.memory)
        return log_probability, entropy

    def one_period(memory: Array, now: Any) -> tuple[Array, tuple[Array, Array]]:
        log_probability, entropy, memory = assess(weights, now, memory)
        return memory, (log_probability, entropy)

    _, assessed = jax.lax.scan(one_period, record.memory[0], record)
    return assessed


def _over_stores(function: Any) -> Any:
    return jax.vmap(function, (None, 0))


def _join_minibatches(leaf: Array) -> Array:
    """(fast updates, periods, stores, …) to (periods, all their stores, …)."""
    joined = jnp.moveaxis(leaf, 0, 1)
    periods, updates, stores = joined.shape[:3]
    return joined.reshape(periods, updates * stores, *joined.shape[3:])
