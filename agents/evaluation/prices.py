"""Shadow prices: what one more unit of stock, and one more customer, is worth to a store today.

Both are slopes of the profit of the periods that follow, under the policy as it is, from one
backward pass through the simulated ledger (`jaxsim.slopes`). Source: this project.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int, PRNGKeyArray

from agents.evaluation.simulation import interval
from agents.evaluation.sizes import check_sizes
from agents.evaluation.trajectories import one_store
from jaxsim import store
from jaxsim.params import Params
from jaxsim.records import Chance, State
from jaxsim.responses import warmed
from jaxsim.rollouts import Keys, Policy, Stores, Trajectory, keyed, play

AHEAD = 32
"""Periods over which what one more unit does is followed."""


class Prices(struct.PyTreeNode):
    """What one more is worth, in money, by store and product."""

    stock: Float[Array, "B N"]  # unit on hand before the day's customers come
    demand: Float[Array, "B N"]  # customer, in the mean, whose first choice is the product


def shadow_prices(
    key: PRNGKeyArray,
    policy: Policy,
    params: Params,
    *,
    stores: int = 1024,
    burn_in: int = 60,
    ahead: int = AHEAD,
) -> Prices:
    """Prices on the day after `burn_in`, followed over `ahead` periods with that day.

    One store's numbers are estimates from one future each; their mean over stores is the price in
    the states that the policy visits. Units left at the end are worth what they cost. How slates
    answer to one more unit is left out, as slates have no slope. Raises `ConfigError`.
    """
    check_sizes(stores, ahead, burn_in)
    return _prices(key, policy, params, stores, burn_in, ahead)


@partial(jax.jit, static_argnames=("periods", "burn_in", "ahead"))
def stock_prices_along(
    key: PRNGKeyArray,
    policy: Policy,
    params: Params,
    periods: int,
    burn_in: int,
    ahead: int = AHEAD,
) -> Float[Array, "T N"]:
    """What one more unit on hand in the morning of each period earned in the end, money: one store,
    in hindsight, to `ahead` periods after the last. The store of `trajectories.record` with the
    same key; estimated as in `shadow_prices`, from the one future that came."""
    start, keys = one_store(key, policy, params)

    def worth(more: Float[Array, "T N"]) -> Float[Array, ""]:
        def event(period: Int[Array, ""], state: State, chance: Chance) -> tuple[State, Chance]:
            day = period - burn_in
            counts = (day >= 0) & (day < periods)
            today = jnp.where(counts, more[jnp.clip(day, 0, periods - 1)], 0.0)
            return state.replace(on_hand=state.on_hand + today[None]), chance

        def earned(happened: Trajectory) -> Float[Array, " B"]:
            return store.profit_on_sale(happened.flows, params).sum(-1)

        followed = burn_in + periods + ahead
        return play(
            start, keys, policy, params, periods=followed, event=event, add=earned
        ).sums.sum()

    return params.cost[None] + jax.grad(worth)(jnp.zeros((periods, params.products)))


def price_table(prices: Prices) -> dict[str, list[dict[str, float]]]:
    """Mean over stores with its 95 % t-interval, of each product."""
    table = {}
    for name in ("stock", "demand"):
        of_products = np.asarray(getattr(prices, name), np.float64).T
        table[name] = [{"mean": mean, "ci95": ci95} for mean, ci95 in map(interval, of_products)]
    return table


@partial(jax.jit, static_argnames=("stores", "burn_in", "ahead"))
def _prices(
    key: PRNGKeyArray, policy: Policy, params: Params, stores: int, burn_in: int, ahead: int
) -> Prices:
    warm_up, customers, decisions = jax.random.split(key, 3)
    start = warmed(warm_up, policy, params, stores, burn_in)
    keys = keyed(*(jax.random.split(each, stores) for each in (customers, decisions)))
    nothing = jnp.zeros((stores, params.products))
    of_more = jax.grad(partial(_worth, keys, policy, params, start, ahead))
    slopes = of_more(Prices(nothing, nothing))
    return slopes.replace(stock=slopes.stock + params.cost[None])


def _worth(
    keys: Keys,
    policy: Policy,
    params: Params,
    start: Stores,
    ahead: int,
    more: Prices,
) -> Float[Array, ""]:
    """Profit of all stores with this much more on the first day, their stock carried at cost."""

    def event(period: Int[Array, ""], state: State, chance: Chance) -> tuple[State, Chance]:
        today = jnp.where(period == 0, 1.0, 0.0)
        state = state.replace(on_hand=state.on_hand + today * more.stock)
        return state, chance.replace(more=today * more.demand)

    def earned(happened: Trajectory) -> Float[Array, " B"]:
        return store.profit_on_sale(happened.flows, params).sum(-1)

    return play(start, keys, policy, params, periods=ahead, event=event, add=earned).sums.sum()
