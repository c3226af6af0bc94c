"""Policies on days that happened: the same traffic, day by day, with customers drawn anew."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxsim import store
from jaxsim.params import Params
from jaxsim.records import Chance, State
from jaxsim.rollouts import Policy, Trajectory, numbered, play


class Lived(struct.PyTreeNode):
    """Ledgers of days, by store."""

    profit: Float[Array, "D B"]  # money, stock carried at cost: days that are few end with stock
    wanted: Float[Array, "D B"]  # first choices, those of hidden products who left counted
    bought: Float[Array, "D B"]  # by customers of the day, second choices included
    available: Float[Array, "D B"]  # share of products that began the day with stock


@partial(jax.jit, static_argnames=("stores", "burn_in"))
def live(
    key: PRNGKeyArray,
    policy: Policy,
    params: Params,
    market: Float[Array, " D"],
    first: Int[Array, ""],
    stores: int,
    burn_in: int,
) -> Lived:
    """The days of `market`, which takes the place of the market state, after `burn_in` days of the
    store's own. `first` is the place of the first day in the season (of a week, Monday is 0).

    Departments do not see the market, only what it does to sales. The customers depend on `key`
    alone: the same key under two policies is the same customers.
    """
    seasons = -(-burn_in // params.season_length) * params.season_length

    def event(period: Int[Array, ""], state: State, chance: Chance) -> tuple[State, Chance]:
        day = period - burn_in
        today = jnp.where(day >= 0, market[jnp.maximum(day, 0)], state.market)
        number = jnp.full_like(state.period, first + seasons + day)
        return state.replace(market=today, period=number), chance

    def kept(happened: Trajectory) -> Lived:
        flows = happened.flows
        return Lived(
            profit=store.profit_on_sale(flows, params).sum(-1),
            wanted=flows.wanted.sum(-1),
            bought=(flows.served + flows.substituted).sum(-1),
            available=flows.offered.mean(-1),
        )

    start, keys = numbered(key, policy, params, jnp.arange(stores))
    return play(
        start, keys, policy, params,
        periods=len(market), burn_in=burn_in, event=event, keep=kept,
    ).kept  # fmt: skip
