"""Multi-timescale multi-agent learning: one iteration, compiled.

Roll out → the critic learns the values of what was seen → differential advantages by product →
nested scans: several updates of the fast department to each update of the slow one. PPO's clipped
surrogate with Adam.
Idea: Jiang et al. (2025).
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Float, PRNGKeyArray

from agents.learning import critic, health, ppo, timescales
from agents.learning.critic import Experience
from agents.learning.parts import Parts
from agents.learning.rewards import (
    money_scale,
    profit_on_sale,
    recommendation_kpi,
    replenishment_kpi,
)
from agents.learning.train_state import Learner
from agents.policies.departments import OrderRecord, SlateRecord
from jaxsim import choice, store
from jaxsim.params import Params
from jaxsim.records import Action, Flows, State


@struct.dataclass
class Rollout:
    """A batch of experience, leading axes (periods, stores)."""

    orders: OrderRecord
    slates: SlateRecord
    seen: tuple[Experience, ...]  # by critic; rewards in units of `money_scale`
    profit: Float[Array, "T B"]  # money
    asked: Float[Array, "T B"]
    served: Float[Array, "T B"]


@struct.dataclass
class Lesson:
    """What the departments learn from: decisions with their advantages."""

    orders: OrderRecord
    slates: SlateRecord
    order_advantage: Float[Array, "T B N"]
    slate_advantage: Float[Array, "T B K"]


@struct.dataclass
class Trainer(Parts):
    """The algorithm as a frozen pytree: networks and sizes static, rates and knobs traced."""

    def init(self, key: PRNGKeyArray, params: Params) -> Learner:
        """A learner at the start: departments that decide as the tuned heuristics do."""
        keys = jax.random.split(key, 5)
        states = jax.vmap(store.reset, (0, None))(
            jax.random.split(keys[0], self.shape.stores), params
        )
        one = jax.tree.map(lambda leaf: leaf[0], states)
        orders, slates = self._replenishment(None), self._recommendation(None)
        nothing = jnp.zeros((params.products, critic.DECISION_COLUMNS))
        critics = tuple(
            self._critic.init(critic_key, view, nothing)
            for critic_key, view in zip(
                jax.random.split(keys[1], 2), self._critic_views(one, params), strict=False
            )
        )
        empty = (orders.start(params), slates.start(params))
        learner = Learner(
            replenishment={}
            if self.shape.regime.one_network
            else orders.weights_for(keys[2], one, params),
            recommendation=slates.weights_for(keys[3], one, params),
            critics=critics,
            average=tuple(jnp.zeros(params.products) for _ in critics),
            critic_optimizer=self._optimizer("critic").init(critics),
            fast_optimizer=None,
            slow_optimizer=None,
            states=states,
            memories=jax.tree.map(
                lambda leaf: jnp.broadcast_to(leaf, (self.shape.stores, *leaf.shape)), empty
            ),
            key=keys[4],
            iteration=jnp.zeros((), jnp.int32),
            critic_updates=jnp.zeros((), jnp.int32),
            fast_updates=jnp.zeros((), jnp.int32),
            slow_updates=jnp.zeros((), jnp.int32),
            health=health.well(),
        )
        return learner.replace(
            fast_optimizer=self._optimizer("fast").init(getattr(learner, self._fast_name)),
            slow_optimizer=self._optimizer("slow").init(getattr(learner, self._slow_name)),
        )

    def iterate(self, learner: Learner, params: Params) -> tuple[Learner, dict[str, Array]]:
        """One iteration: experience, values, advantages, updates on all clocks; its metrics."""
        learner, rollout = self.roll_out(learner, params)
        learner, critic_loss = self.learn_values(learner, rollout, params)
        learner, lesson = self.advantages(learner, rollout, params)
        learner, losses = self.update(learner, lesson)
        clocks, shards = self.rates.clocks, self.shape.shards
        served, asked = (shards.total(each.sum()) for each in (rollout.served, rollout.asked))
        metrics = {
            "profit": shards.mean(rollout.profit.mean()),
            "fill_rate": served / jnp.maximum(asked, 1.0),
            "critic_rate": timescales.critic_rate(clocks, learner.critic_updates),
            "fast_rate": timescales.fast_rate(clocks, learner.fast_updates),
            "slow_rate": timescales.slow_rate(clocks, learner.slow_updates),
            "critic_updates": learner.critic_updates,
            "fast_updates": learner.fast_updates,
            "slow_updates": learner.slow_updates,
            "skipped_updates": health.skipped_updates(learner.health),
            "critic_loss": critic_loss,
        }
        return learner.replace(iteration=learner.iteration + 1), metrics | losses

    # -- experience --------------------------------------------------------------------------

    def roll_out(self, learner: Learner, params: Params) -> tuple[Learner, Rollout]:
        """Every store goes on for `horizon` periods under the exploring departments."""
        key, rollout_key = jax.random.split(learner.key)
        shards = self.shape.shards

        def one_period(carry: tuple, period_key: PRNGKeyArray) -> tuple[tuple, Rollout]:
            customers, decisions = jax.random.split(period_key)
            groups = shards.own_keys(customers, self.shape.stores // self.shape.twins)
            keys = (
                jnp.repeat(groups, self.shape.twins),
                shards.own_keys(decisions, self.shape.stores),
            )
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
        self, learner: Learner, keys: tuple, state: State, memory: tuple, params: Params
    ) -> tuple[State, tuple, Rollout]:
        replenishment, recommendation = self.departments(learner)
        order_key, slate_key = jax.random.split(keys[1])
        slate, slate_record, memory_1 = recommendation.explore(slate_key, memory[1], state, params)
        attention = choice.mean_attention(slate, params)
        order, order_record, memory_0 = replenishment.explore(
            order_key, memory[0], state, params, attention
        )
        chance = store.draw(keys[0], params)
        after, flows = store.advance(chance, state, Action(order=order, slate=slate), params)
        seen = tuple(
            Experience(
                view=view,
                decision=critic.decision_columns(flows, params),
                chance=critic.chance_columns(chance),
                reward=reward,
            )
            for view, reward in zip(
                self._critic_views(state, params), self._rewards(flows, params), strict=True
            )
        )
        rollout = Rollout(
            orders=order_record,
            slates=slate_record,
            seen=seen,
            profit=flows.profit.sum(),
            asked=flows.asked.sum(),
            served=flows.served.sum(),
        )
        return after, (memory_0, memory_1), rollout

    def _rewards(self, flows: Flows, params: Params) -> tuple[Float[Array, " N"], ...]:
        """What each critic's department is paid for, by product, in units of `money_scale`."""
        scale, profit = money_scale(params), profit_on_sale(flows, params)
        if not self.shape.regime.own_kpi:
            return (self._valued(profit / scale),)
        mix = self.rates.kpi_mix
        own = (replenishment_kpi(flows, params), recommendation_kpi(flows, params))
        return tuple(self._valued((mix * kpi + (1 - mix) * profit) / scale) for kpi in own)

    def _valued(self, reward: Float[Array, " N"]) -> Float[Array, " N"]:
        """What the critic is to explain: each product's reward, or an even share of the store's."""
        return reward if self.shape.by_product else jnp.full_like(reward, reward.mean())

    # -- values and advantages ---------------------------------------------------------------

    def learn_values(
        self, learner: Learner, rollout: Rollout, params: Params
    ) -> tuple[Learner, Float[Array, ""]]:
        """The critic's clock: passes over the new experience before anybody acts on its values."""
        _, lessons, _ = self._estimates(learner, rollout, params)
        key, shuffle_key = jax.random.split(learner.key)

        def one_pass(learner: Learner, key: PRNGKeyArray) -> tuple[Learner, Array]:
            parts = self._dealt(key, lessons, self.shape.minibatches)
            return jax.lax.scan(self._critic_update, learner, parts)

        passes = jax.random.split(shuffle_key, self.shape.critic_passes)
        learner, losses = jax.lax.scan(one_pass, learner.replace(key=key), passes)
        return learner, losses.mean()

    def advantages(
        self, learner: Learner, rollout: Rollout, params: Params
    ) -> tuple[Learner, Lesson]:
        """Each department's credit, and the average profit seen."""
        by_product, _, off = self._estimates(learner, rollout, params)
        mean = self.shape.shards.mean
        # One central critic serves both departments; else the first is replenishment's.
        orders, slates = by_product[0], by_product[-1]
        others = orders.sum(-1, keepdims=True) - orders
        slate_advantage = slates.sum(-1, keepdims=True)
        lesson = Lesson(
            orders=rollout.orders,
            slates=rollout.slates,
            order_advantage=critic.standardised(orders + self.rates.others * others, mean),
            slate_advantage=jnp.broadcast_to(
                critic.standardised(slate_advantage, mean), rollout.slates.log_probability.shape
            ),
        )
        rate = self.rates.average_rate
        average = tuple(
            jnp.where(jnp.isfinite(each), rho + rate * each, rho)
            for rho, each in zip(learner.average, mean(off), strict=True)
        )
        return learner.replace(average=average), lesson

    def _estimates(self, learner: Learner, rollout: Rollout, params: Params) -> tuple:
        """Of every critic: advantages, what it can learn, and how far its ρ is off."""
        last_views = jax.vmap(self._critic_views, (0, None))(learner.states, params)
        critics = zip(learner.critics, learner.average, rollout.seen, last_views, strict=True)
        parts = [
            critic.advantages_of(self._critic, *each, self.rates.trace, self.shape.twins)
            for each in critics
        ]
        return tuple(zip(*parts, strict=True))

    # -- updates -----------------------------------------------------------------------------

    def update(self, learner: Learner, lesson: Lesson) -> tuple[Learner, dict[str, Array]]:
        """Epochs of minibatches of whole stores: `fast_per_slow` fast updates, then a slow one."""
        key, shuffle_key = jax.random.split(learner.key)
        learner = learner.replace(key=key)
        fast = self.shape.fast_per_slow

        def epoch(learner: Learner, epoch_key: PRNGKeyArray) -> tuple[Learner, dict]:
            cycles = self._dealt(epoch_key, lesson, self.shape.minibatches // fast, fast)
            return jax.lax.scan(self._slow_cycle, learner, cycles)

        learner, losses = jax.lax.scan(
            epoch, learner, jax.random.split(shuffle_key, self.shape.epochs)
        )
        return learner, jax.tree.map(jnp.mean, losses)

    def _dealt(self, key: PRNGKeyArray, lesson: Any, *parts: int) -> Any:
        """A shard's stores in random order, cut into parts: (…parts, periods, stores of a part, …).

        No store goes from one device to another: a part of the whole is a part of every shard.
        """
        stores = self.shape.own_stores
        order = jax.random.permutation(self.shape.shards.own_key(key), stores)
        cut = (*parts, stores // math.prod(parts))

        def deal(leaf: Array) -> Array:
            dealt = leaf[:, order].reshape(leaf.shape[0], *cut, *leaf.shape[2:])
            return jnp.moveaxis(dealt, 0, len(parts))

        return jax.tree.map(deal, lesson)

    def _slow_cycle(self, learner: Learner, lessons: Lesson) -> tuple[Learner, dict[str, Array]]:
        """Fast updates, a minibatch each, then one slow update on all of them."""
        learner, fast_losses = jax.lax.scan(self._fast_update, learner, lessons)
        fast_losses = jax.tree.map(jnp.mean, fast_losses)
        if self.shape.regime.one_network:  # nothing is left to update
            return learner.replace(slow_updates=learner.fast_updates), fast_losses
        together = jax.tree.map(_join_minibatches, lessons)
        learner, slow_losses = self._slow_update(learner, together)
        return learner, fast_losses | slow_losses

    def _critic_update(
        self, learner: Learner, lessons: tuple[critic.ValueLesson, ...]
    ) -> tuple[Learner, Float[Array, ""]]:
        def loss_of(critics: tuple[Any, ...]) -> tuple[Float[Array, ""], dict]:
            pairs = zip(critics, lessons, strict=True)
            losses = (critic.value_loss(self._critic, *pair) for pair in pairs)
            return sum(losses, jnp.zeros(())), {}

        loss, _, gradient = self._descent(loss_of, learner.critics)
        return self._stepped(learner, "critic", "critics", loss, gradient), loss

    def _fast_update(self, learner: Learner, lesson: Lesson) -> tuple[Learner, dict[str, Array]]:
        """The fast department: one step of the fast optimizer."""
        return self._improved(learner, "fast", self._fast_name, lesson)

    def _slow_update(self, learner: Learner, lesson: Lesson) -> tuple[Learner, dict[str, Array]]:
        """The slow department: one step of the slow optimizer."""
        return self._improved(learner, "slow", self._slow_name, lesson)

    def _improved(
        self, learner: Learner, clock: str, department: str, lesson: Lesson
    ) -> tuple[Learner, dict[str, Array]]:
        """The learner after one step of a department on its clock, and the losses."""
        loss_of = lambda weights: self._loss(weights, department, lesson)  # noqa: E731
        loss, losses, gradient = self._descent(loss_of, getattr(learner, department))
        return self._stepped(learner, clock, department, loss, gradient), losses

    def _descent(self, loss_of: Callable, weights: Any) -> tuple[Float[Array, ""], dict, Any]:
        """Loss, its parts and its gradient over the stores of all shards."""
        shards = self.shape.shards
        (loss, parts), gradient = jax.value_and_grad(loss_of, has_aux=True)(shards.apart(weights))
        return shards.mean((loss, parts, gradient))

    def _stepped(
        self, learner: Learner, clock: str, part: str, loss: Float[Array, ""], gradient: Any
    ) -> Learner:
        """One step of a clock's optimizer on a part of the learner, unless a number went wrong."""
        names = (part, f"{clock}_optimizer", f"{clock}_updates")
        weights, state, count = before = tuple(getattr(learner, name) for name in names)
        step, state = self._optimizer(clock).update(gradient, state, weights)
        after = (optax.apply_updates(weights, step), state, count + 1)
        sound, now = health.checked(learner.health[clock], loss, gradient, learner.iteration)
        changed = dict(zip(names, health.chosen(sound, after, before), strict=True))
        return learner.replace(**changed, health=learner.health | {clock: now})

    # -- losses ------------------------------------------------------------------------------

    def _loss(self, weights: Any, name: str, lesson: Lesson) -> tuple[Array, dict[str, Array]]:
        """A department's loss, or the sum of both where one network decides both."""
        if not self.shape.regime.one_network:
            return self._actor_loss(weights, name, lesson)
        orders, order_losses = self._actor_loss(weights, "replenishment", lesson)
        slates, slate_losses = self._actor_loss(weights, "recommendation", lesson)
        return orders + slates, order_losses | slate_losses

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
        mean = partial(self.shape.shards.weighted_mean, weights=record.heard)
        loss, parts = ppo.loss(department, record, advantage, self.rates.clip, bonus, mean)
        return loss, {f"{name}_{part}": value for part, value in parts.items()}


def _join_minibatches(leaf: Array) -> Array:
    """(fast updates, periods, stores, …) to (periods, all their stores, …)."""
    joined = jnp.moveaxis(leaf, 0, 1)
    periods, updates, stores = joined.shape[:3]
    return joined.reshape(periods, updates * stores, *joined.shape[3:])
