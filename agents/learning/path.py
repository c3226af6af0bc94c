"""Learning from the ledger's slope: one backward pass through simulated periods teaches everybody.

Every store goes on for a short path under departments that draw their slates; the derivative of its
profit, stock carried at cost, flows back through sales, substitution, pipelines and goodwill into
the orders, and through the chances of every slot's draw into the slates. What lies beyond the path
is worth what the critic says of its end (short-horizon actor-critic, Xu et al. 2022; orders alone
by such slopes: Alvo et al. 2023). Slates in the path: this project.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax.lax import stop_gradient
from jaxtyping import Array, Float, PRNGKeyArray

from agents.learning import values
from agents.learning.rewards import (
    charged_margin,
    money_scale,
    recommendation_kpi,
    replenishment_kpi,
)
from agents.learning.settings import Hyperparams
from agents.learning.train_state import TrainState
from agents.learning.trainer import Trainer
from agents.learning.updates import metrics_of, stepped
from agents.policies.departments import Departments
from agents.policies.encoder import Carried
from jaxsim import choice, redraw, store
from jaxsim.params import Params
from jaxsim.records import Action, Flows, State

LEAST_GOODWILL, MOST_GOODWILL = 0.7, 1.5
"""Where goodwill that is given anew lies, within the store's own bounds."""
PRICE_RATE = 0.05
"""Step size of the running mean of stock's shadow prices."""

Memories = tuple[Carried, Carried]
Weights = dict[str, Any]  # by department


class Period(struct.PyTreeNode):
    """What is kept of one period, without slopes; leading axes (periods, stores) in a path."""

    state: State  # that was decided on
    reward: Float[Array, " C"]  # of each critic, in units of `money_scale`
    profit: Float[Array, ""]  # money
    asked: Float[Array, ""]  # units of first-choice demand, also for what was hidden
    served: Float[Array, ""]  # units of it that were met from stock


class Path(struct.PyTreeNode):
    """A path of every store: what happened, and where the stores are at its end."""

    periods: Period
    states: State
    memories: Memories


def iterate(
    trainer: Trainer, train_state: TrainState, params: Params
) -> tuple[TrainState, dict[str, Array]]:
    """One path of every store, one step of each department on its clock, and the critic's steps;
    the state after, and its metrics."""
    key, stir_key, path_key, critic_key = jax.random.split(train_state.key, 4)
    fast, slow = trainer.fast, trainer.slow
    train_state = train_state.replace(
        states=_stirred(trainer, stir_key, train_state.states, params), key=key
    )
    worth, gradients, of_stock, path = _slopes(trainer, train_state, path_key, params)
    for clock, department in (("fast", fast), ("slow", slow)):
        if clock == "slow" and trainer.static.regime.one_network:
            train_state = train_state.replace(slow_updates=train_state.fast_updates)
            continue
        train_state = stepped(
            trainer, train_state, clock, department, -worth, gradients[department]
        )
    train_state, critic_loss = values.learn(
        trainer,
        train_state,
        critic_key,
        path.periods.state,
        path.periods.reward,
        path.states,
        params,
    )
    train_state = train_state.replace(
        states=path.states,
        memories=path.memories,
        averaged=_averaged(trainer.hyperparams, train_state),
        prices=_prices(trainer, train_state, of_stock, params),
        iteration=train_state.iteration + 1,
    )
    return train_state, metrics_of(trainer, train_state, path.periods) | {
        "critic_loss": critic_loss,
        "temperature": temperature(trainer, train_state),
        "explained": jnp.stack(train_state.explained).mean(),
        **{f"{name}_slope": _norm(each) for name, each in gradients.items()},
    }


def temperature(trainer: Trainer, train_state: TrainState) -> Float[Array, ""]:
    """Of the draws of slates, in units of what a place is worth: falls geometrically."""
    start, end = trainer.hyperparams.temperature, trainer.hyperparams.temperature_end
    done = jnp.minimum(train_state.iteration / trainer.hyperparams.iterations, 1.0)
    return start * (end / start) ** done


def _slopes(
    trainer: Trainer, train_state: TrainState, key: PRNGKeyArray, params: Params
) -> tuple[Float[Array, ""], Weights, Float[Array, "T N"], Path]:
    """What a period of the path is worth, its descent in each department's weights, its slope in
    every store's stock on hand in each period, and the path.

    Where departments follow aims of their own, each follows the slope of its own alone.
    """
    shards = trainer.static.shards
    weights = {
        "replenishment": train_state.replenishment,
        "recommendation": train_state.recommendation,
    }
    walk = partial(_walk, trainer, train_state, key, params)
    nothing = jnp.zeros((trainer.static.horizon, params.products))
    worths, pull_back, path = jax.vjp(walk, *shards.apart((weights, nothing)), has_aux=True)
    one, none = shards.apart((jnp.ones(()), jnp.zeros(())))
    if len(worths) == 1:
        gradients, of_stock = pull_back((one,))
    else:
        of_orders, of_stock = pull_back((one, none))
        of_slates, _ = pull_back((none, one))
        gradients = {
            "replenishment": of_orders["replenishment"],
            "recommendation": of_slates["recommendation"],
        }
    descent = jax.tree.map(jnp.negative, gradients)
    worth = sum(worths, jnp.zeros(())) / len(worths)
    worth, descent, of_stock = shards.mean((worth, descent, of_stock))
    return worth, descent, of_stock, path


def _walk(
    trainer: Trainer,
    train_state: TrainState,
    key: PRNGKeyArray,
    params: Params,
    weights: Weights,
    more_stock: Float[Array, "T N"],
) -> tuple[tuple[Float[Array, ""], ...], Path]:
    """The mean worth per period of a path to each critic's department, and the path; with so many
    more units on hand in every store at the start of each period."""
    static = trainer.static
    live = static.horizon - static.tail
    now = temperature(trainer, train_state)

    def one_period(carry: tuple[State, Any], x: tuple) -> tuple[tuple[State, Any], Any]:
        period, period_key, more = x
        states = carry[0].replace(on_hand=carry[0].on_hand + more[None])
        learned = jax.tree.map(
            lambda leaf: jnp.where(period < live, leaf, stop_gradient(leaf)), weights
        )
        departments = trainer.departments_with(learned)
        customers, decisions = jax.random.split(period_key)
        own_keys = partial(static.shards.own_keys, whole=static.stores)
        keys = own_keys(customers), own_keys(decisions)
        states, memories, rewards, happened = jax.vmap(
            _one_store, (None, None, None, 0, None, 0, 0, None)
        )(trainer, departments, train_state.prices, keys, now, states, carry[1], params)
        return (states, memories), (rewards.mean(0), happened)

    step = jax.checkpoint(one_period) if static.rematerialise else one_period
    (states, memories), (rewards, periods) = jax.lax.scan(
        step,
        (train_state.states, train_state.memories),
        (jnp.arange(static.horizon), jax.random.split(key, static.horizon), more_stock),
    )
    beyond = values.at_the_end(trainer, train_state, states, params)
    worths = tuple((total + end) / live for total, end in zip(rewards.sum(0), beyond, strict=True))
    return worths, jax.tree.map(stop_gradient, Path(periods, states, memories))


def _one_store(
    trainer: Trainer,
    departments: Departments,
    prices: Any,
    keys: tuple[PRNGKeyArray, PRNGKeyArray],
    temperature: Float[Array, ""],
    state: State,
    memories: Memories,
    params: Params,
) -> tuple[State, Memories, Float[Array, " C"], Period]:
    """One period of one store; `keys` of its customers and of its decisions.

    Slates do not pass on the slope of the stock that they look at: how tomorrow's slates answer to
    today's order is left out, a bias that costs less than its noise.
    """
    seen = jax.tree.map(stop_gradient, state)
    slate, chances, slates_memory = departments.recommendation.draw(
        keys[1], temperature, memories[1], seen, params
    )
    action = Action(order=jnp.zeros(params.products), slate=slate, draws=chances)
    drawn_anew = jnp.asarray(redraw.attention(action, params))
    attention = choice.mean_attention(slate, params) + choice.mean_over_customers(
        drawn_anew, params
    )
    order, orders_memory = departments.replenishment.order(memories[0], state, params, attention)
    chance = store.draw(keys[0], params)
    after, flows = store.advance(chance, state, action.replace(order=order), params)
    rewards = _rewards(trainer, flows, prices, params)
    happened = Period(seen, rewards, flows.profit.sum(), flows.wanted.sum(), flows.served.sum())
    return after, (orders_memory, slates_memory), rewards, happened


def _rewards(trainer: Trainer, flows: Flows, prices: Any, params: Params) -> Float[Array, " C"]:
    """What each critic's department is rewarded with, in units of `money_scale`."""
    profit = store.profit_on_sale(flows, params)
    if trainer.static.regime.charged:
        margin = charged_margin(flows, prices, params)
        return jnp.stack([profit.sum(), margin.sum()]) / money_scale(params)
    if not trainer.static.regime.own_kpi:
        return profit.sum()[None] / money_scale(params)
    mix = trainer.hyperparams.kpi_mix
    own = jnp.stack([replenishment_kpi(flows, params), recommendation_kpi(flows, params)])
    return (mix * own + (1 - mix) * profit[None]).sum(-1) / money_scale(params)


def _stirred(trainer: Trainer, key: PRNGKeyArray, states: State, params: Params) -> State:
    """Stores of which a share gets goodwill anew, anywhere between its bounds, so that the critic
    knows more than the neighbourhood of where stores settle. Stock and pipelines stay."""
    static = trainer.static
    keys = static.shards.own_keys(key, static.stores)
    low, high = params.goodwill_floor, params.goodwill_ceiling
    lowest, highest = jnp.maximum(low, LEAST_GOODWILL), jnp.minimum(high, MOST_GOODWILL)

    def one(key: PRNGKeyArray, goodwill: Float[Array, " K"]) -> Float[Array, " K"]:
        chance, where = jax.random.split(key)
        anew = (params.goodwill_rate > 0) & (
            jax.random.uniform(chance) < trainer.hyperparams.fresh_share
        )
        anywhere = lowest + (highest - lowest) * jax.random.uniform(where, goodwill.shape)
        return jnp.where(anew, anywhere, goodwill)

    return states.replace(goodwill=jax.vmap(one)(keys, states.goodwill))


def _prices(
    trainer: Trainer, train_state: TrainState, of_stock: Float[Array, "T N"], params: Params
) -> Any:
    """Running means of what one more unit on hand is worth in the periods of the path that are
    learned from, money; its cost, at which stock is carried, included."""
    if not trainer.static.regime.charged:
        return train_state.prices
    live = trainer.static.horizon - trainer.static.tail
    news = params.cost + of_stock[:live].sum(0) * money_scale(params)
    news = jnp.where(jnp.isfinite(news), news, train_state.prices)
    return train_state.prices + PRICE_RATE * (news - train_state.prices)


def _averaged(hyperparams: Hyperparams, train_state: TrainState) -> Weights:
    """Running averages of both departments' weights, which are less noisy than the weights."""
    rate = jnp.maximum(hyperparams.averaging, 1.0 / (train_state.iteration + 1.0))
    return {
        name: jax.tree.map(
            lambda mean, new: mean + rate * (new - mean), mean, getattr(train_state, name)
        )
        for name, mean in train_state.averaged.items()
    }


def _norm(tree: Any) -> Float[Array, ""]:
    squares = [(leaf**2).sum() for leaf in jax.tree.leaves(tree)]
    return jnp.sqrt(sum(squares, jnp.zeros(())))
