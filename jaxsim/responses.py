"""How a policy responds: to a shock, period by period, and to one more unit of stock.

Works for every `jaxsim.Policy`. A store is lived twice, shocked and unshocked, with the same
customers, so that a response is a paired difference. Source: this project.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from jaxsim import choice
from jaxsim.params import Params
from jaxsim.records import Action, Chance, State
from jaxsim.rollouts import Keys, Policy, Stores, Trajectory, keyed, play, started

SURGE = -0.01
"""Demand of one day in a hundred, as a uniform of `jaxsim.sampling`: the upper tail is 1 %. Where
customers come in batches, of the days with that day's mean."""
NO_DELIVERY = -1.0
"""A draw below every probability of a stall."""


class Shock(struct.PyTreeNode):
    """What happens once, by product; all 0 is an ordinary day."""

    surge: Float[Array, " N"]  # 1: first-choice demand as on one day in a hundred
    delay: Float[Array, " N"]  # 1: the supplier moves nothing this period
    overstock: Float[Array, " N"]  # units that appear on hand before the decision


class Answer(struct.PyTreeNode):
    """Mean over stores, and its standard error."""

    mean: Array
    error: Array


class Impulse(struct.PyTreeNode):
    """Shocked less unshocked, by lag (0 is the period of the shock) and product."""

    attention: Answer  # (lags, N), mean over customers
    ordered: Answer  # (lags, N), units
    on_hand: Answer  # (lags, N), units, when deciding
    sold: Answer  # (lags, N), units


class CrossResponse(struct.PyTreeNode):
    """What one more unit of stock of product i (row) does to product j (column)."""

    attention: Answer  # (N, N), mean over customers
    order: Answer  # (N, N), units


def shock_of(params: Params, kind: str, product: int, units: float = 1.0) -> Shock:
    """A `surge`, a `delay` or an `overstock` (of `units`) of one product, by its index."""
    none = jnp.zeros(params.products)
    return Shock(none, none, none).replace(**{kind: none.at[product].set(units)})


@partial(jax.jit, static_argnames=("lags", "stores", "burn_in"))
def impulse_response(
    key: PRNGKeyArray,
    policy: Policy,
    params: Params,
    shock: Shock,
    lags: int,
    stores: int = 4096,
    burn_in: int = 60,
) -> Impulse:
    """The response over lags 0 to `lags` to a shock after `burn_in` periods.

    A delay shows from lag 1 on; a surge in sales at lag 0, and in decisions from lag 1; an
    overstock in everything at lag 0.
    """
    # Shocked lives, then the unshocked ones of the same stores: the policy is compiled once.
    keys = jnp.tile(jax.random.split(key, stores), 2)
    shocks = jax.tree.map(
        lambda leaf: jnp.repeat(jnp.stack([leaf, jnp.zeros_like(leaf)]), stores, 0), shock
    )
    played = play(
        started(keys, policy, params), _keys(keys), policy, params,
        periods=lags + 1, burn_in=burn_in,
        event=partial(_struck, shocks, burn_in), keep=partial(_difference, params),
    )  # fmt: skip
    return played.kept


@partial(jax.jit, static_argnames=("stores", "burn_in"))
def cross_response(
    key: PRNGKeyArray, policy: Policy, params: Params, stores: int = 4096, burn_in: int = 60
) -> CrossResponse:
    """Finite differences over the states that `stores` are in after `burn_in` periods."""
    reached = warmed(key, policy, params, stores, burn_in)
    one_more = jnp.concatenate([jnp.zeros((1, params.products)), jnp.eye(params.products)])

    def decide(units: Float[Array, " N"]) -> dict[str, Float[Array, "B N"]]:
        fuller = reached.state.replace(on_hand=reached.state.on_hand + units[None])
        action = decisions(key, policy, params, Stores(fuller, reached.memory), burn_in)
        attention = jax.vmap(choice.mean_attention, (0, None))(action.slate, params)
        return {"attention": attention, "order": jnp.round(action.order)}

    decided = jax.vmap(decide, out_axes=1)(one_more)
    answers = jax.tree.map(lambda leaf: _answer(leaf[:, 1:] - leaf[:, :1]), decided)
    return CrossResponse(**answers)


def warmed(key: PRNGKeyArray, policy: Policy, params: Params, stores: int, burn_in: int) -> Stores:
    """Stores, and the policy's memory of them, after `burn_in` ordinary periods."""
    keys = jax.random.split(key, stores)
    return play(
        started(keys, policy, params), _keys(keys), policy, params, periods=burn_in
    ).stores  # fmt: skip


def decisions(
    key: PRNGKeyArray, policy: Policy, params: Params, stores: Stores, period: int
) -> Action:
    """What a policy decides in that period of stores made by `warmed` with the same key."""
    _, keys = _keys(jax.random.split(key, len(stores.state.period)))(jnp.int32(period))
    return jax.vmap(policy.act, (0, 0, 0, None))(keys, stores.memory, stores.state, params)[0]


def _keys(stores: Key[Array, " B"]) -> Keys:
    """Keys of every period, by those that the stores were started with."""
    decisions, customers = (
        jax.vmap(jax.random.fold_in, (0, None))(stores, purpose) for purpose in (1, 2)
    )
    return keyed(customers, decisions)


def _struck(
    shock: Shock, when: int, period: Int[Array, ""], state: State, chance: Chance
) -> tuple[State, Chance]:
    """The shock, if its time is now. All have a leading axis of stores."""
    now = period == when
    overstocked = state.on_hand + jnp.where(now, shock.overstock, 0.0)
    chance = chance.replace(
        demand=jnp.where(now & (shock.surge > 0), SURGE, chance.demand),
        stall=jnp.where(now & (shock.delay > 0), NO_DELIVERY, chance.stall),
    )
    return state.replace(on_hand=overstocked), chance


def _difference(params: Params, happened: Trajectory) -> Impulse:
    """One period of the shocked lives less that of the unshocked ones."""
    lived = dict(
        attention=jax.vmap(choice.mean_attention, (0, None))(happened.action.slate, params),
        ordered=happened.flows.ordered,
        on_hand=happened.state.on_hand,
        sold=happened.flows.sold,
    )
    # Without it newer compilers round both lives differently: no response would be 1e-8, not 0.
    lived = jax.lax.optimization_barrier(lived)
    halves = {name: jnp.split(leaf, 2) for name, leaf in lived.items()}
    return Impulse(**{name: _answer(shocked - plain) for name, (shocked, plain) in halves.items()})


def _answer(values: Float[Array, "stores ..."]) -> Answer:
    return Answer(values.mean(0), values.std(0) / jnp.sqrt(values.shape[0]))
