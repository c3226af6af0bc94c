"""One period, exactly: its expected ledger and the distribution of the ending net stock, by the net
stock that demand meets and by joint slate.

Demand, substitution and money are computed by `jaxsim.store`, so that there is one model. Its
chance is replaced by sums over every demand, and over every outcome of the systematic sampling of
second choices. Source: this project.
"""

import itertools
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from jaxsim import choice, families, store
from jaxsim.exact.grid import Grid
from jaxsim.families import Family
from jaxsim.params import Params
from jaxsim.records import Action, Chance, Flows, State


class Day(struct.PyTreeNode):
    """The table of a period: for each of M joint slates that customers may remember (1 where
    fatigue has no weight), A joint slates shown, and Z net stocks that demand may meet. NumPy
    arrays of float64."""

    flows: Flows  # the expected ledger of a period without orders: leaves (M, A, Z, N)
    leaves: Float[Array | np.ndarray, "M A Z Z"]  # probability of each ending net stock


def joint_slates(params: Params) -> np.ndarray:
    """Every combination of one slate per segment: (A, K, S)."""
    slates = itertools.permutations(range(params.products), params.slots)
    return np.array(list(itertools.product(slates, repeat=params.segments)))


def day_of(slates: np.ndarray, params: Params, grid: Grid) -> Day:
    """The period table on the net stocks of `grid`. Compiled once for each shape of them.

    In double precision: value iteration adds up what a table is off, and bounds only its own error.
    """
    remembered = slates if grid.remembered > 1 else slates[:1]
    shelf = Grid(grid.on_hand, grid.owed, (0,) * grid.products, (0,) * grid.products)
    with jax.enable_x64(True):
        # The pipeline has no effect within a period; a fixed length avoids another compilation.
        params = doubled(params.replace(max_lead_time=1))
        attention = jax.vmap(partial(choice.attention_of, params=params))(jnp.asarray(remembered))
        fatigue = attention if grid.remembered > 1 else jnp.zeros_like(attention)
        return jax.device_get(_table(jnp.asarray(slates), fatigue, params, shelf))


def doubled(tree: Any) -> Any:
    """Its floating-point arrays in double precision. Call it under `jax.enable_x64(True)`."""
    return jax.tree.map(
        lambda leaf: (
            jnp.asarray(leaf, jnp.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf
        ),
        tree,
    )


@partial(jax.jit, static_argnames="shelf")
def _table(
    slates: Int[Array, "A K S"], fatigue: Float[Array, "M K N"], params: Params, shelf: Grid
) -> Day:
    one = partial(_outcomes, params=params, shelf=shelf)
    over_slates = jax.vmap(jax.vmap(one, (None, 0, None)), (0, None, None))
    day = jax.lax.map(partial(over_slates, fatigue, slates), jnp.asarray(shelf.stocks, float))
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 2), day)


def _outcomes(
    fatigue: Float[Array, "K N"],
    slate: Int[Array, "K S"],
    net: Float[Array, " N"],
    params: Params,
    shelf: Grid,
) -> Day:
    """One entry of the table: leaves (N,) of the ledger, and (Z,) of ending net stocks."""
    state = _state(net, fatigue, params)
    action = Action(order=jnp.zeros(params.products), slate=slate)
    demanded = store.demand(_any_chance(params), state, action, params)
    family, products = families.get(params.family), range(params.products)
    each = [family.at(params.dispersion[product]) for product in products]
    asked, mass = _demands(demanded.rates.sum(0), each, shelf)
    shift, share = jax.vmap(partial(_spills, state=state, demanded=demanded, params=params))(asked)
    evening = jax.vmap(partial(_evening, state=state, demanded=demanded, params=params), (None, 0))
    ledger, net_after = jax.vmap(evening)(asked, shift)
    mass = mass[:, None] * share
    leaves = jax.ops.segment_sum(
        mass.reshape(-1), _index(net_after, shelf).reshape(-1), len(shelf.stocks)
    )
    expected = jnp.einsum("ds,dsfn->fn", mass, ledger, precision="highest")
    return Day(Flows(*expected), leaves)


def _demands(
    rates: Float[Array, " N"], families: list[Family], shelf: Grid
) -> tuple[Float[Array, "D N"], Float[Array, " D"]]:
    """Joint demands and their probabilities. Each product's demands go up to the largest stock; one
    more stands for all beyond, with their conditional mean as its units."""
    units, masses = [], []
    for rate, family, most in zip(rates, families, shelf.stock_shape, strict=True):
        count = jnp.arange(most)
        beyond, mean_beyond = family.tail(most, rate)
        units.append(jnp.append(count, mean_beyond))
        masses.append(jnp.append(jnp.exp(family.log_mass(count, rate)), beyond))
    joint = jnp.stack(jnp.meshgrid(*units, indexing="ij"), -1).reshape(-1, len(units))
    chances = jnp.stack(jnp.meshgrid(*masses, indexing="ij"), -1).reshape(-1, len(units))
    return joint, chances.prod(-1)


def _spills(
    asked: Float[Array, " N"], state: State, demanded: store.Demand, params: Params
) -> tuple[Float[Array, " I"], Float[Array, " I"]]:
    """Shifts of systematic sampling, one from each interval in which the counts are the same, and
    the lengths of these intervals."""
    unmet = jnp.maximum(asked - state.on_hand, 0.0)
    not_waiting = jnp.where(params.backlogged, 0.0, unmet)
    left = jnp.maximum(state.on_hand - asked, 0.0)
    flows = store.second_choices(demanded, not_waiting, left, params)
    own = jnp.where(params.needs.members, flows, 0.0)  # counted in each category on its own
    reached = jnp.cumsum(own, -1).reshape(-1)
    steps = jnp.sort(1 - (reached - jnp.floor(reached)))
    ends = jnp.concatenate([jnp.zeros(1), steps, jnp.ones(1)])
    return (ends[1:] + ends[:-1]) / 2, jnp.diff(ends)


def _evening(
    asked: Float[Array, " N"], spill: Array, state: State, demanded: store.Demand, params: Params
) -> tuple[Float[Array, "F N"], Float[Array, " N"]]:
    """The ledger of one outcome, its fields stacked, and the ending net stock."""
    chance = _any_chance(params).replace(spill=spill)
    left, backlog, flows = store.fulfil(chance, state, demanded.replace(asked=asked), params)
    flows = store.account(flows, params)
    return jnp.stack(jax.tree.leaves(flows)), left - backlog


def _index(net: Float[Array, "... N"], shelf: Grid) -> Int[Array, "..."]:
    """Position of net stocks in the table; a backlog beyond the largest counts as the largest."""
    owed = jnp.broadcast_to(jnp.asarray(shelf.owed), net.shape)
    units = jnp.maximum(net + owed, 0.0).astype(jnp.int32)
    strides = np.cumprod((1, *shelf.stock_shape[:0:-1]))[::-1]
    return (units * jnp.broadcast_to(jnp.asarray(strides.copy()), units.shape)).sum(-1)


def _state(net: Float[Array, " N"], fatigue: Float[Array, "K N"], params: Params) -> State:
    """A store with this net stock and fatigue, and all else neutral."""
    n, k = params.products, params.segments
    return State(
        on_hand=jnp.maximum(net, 0.0),
        pipeline=jnp.zeros((params.max_lead_time, n)),
        backlog=jnp.maximum(-net, 0.0),
        market=jnp.zeros(()),
        goodwill=jnp.ones(k),
        fatigue=fatigue,
        forecast=jnp.zeros(n),
        sold=jnp.zeros(n),
        lost=jnp.zeros(n),
        period=jnp.zeros((), jnp.int32),
    )


def _any_chance(params: Params) -> Chance:
    """Chance without effect: what depends on it is summed over exactly."""
    n = params.products
    half, nothing = jnp.full(n, 0.5), jnp.zeros(())
    in_batches = families.get(params.family).in_batches
    return Chance(
        demand=half, shock=jnp.zeros(n), stall=half, market=nothing, spill=nothing,
        batches=jnp.stack([half, half]) if in_batches else None,
    )  # fmt: skip
