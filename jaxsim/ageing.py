"""Goods that age: stock by the periods that are left to it, sales from it, waste.

A periods that goods keep at most, N products. Source: this project; docs/model.md.
"""

from itertools import accumulate

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxsim import slopes
from jaxsim.params import Params
from jaxsim.records import Chance, Flows, State


def shelve(state: State, params: Params) -> State:
    """Units on hand that are in no row of `State.expiring` yet, as deliveries are, go into the row
    of goods that have just arrived; those of products that keep go into none."""
    arrivals = jnp.arange(params.max_shelf_life)[:, None] == arrival_row(params)[None, :]
    rows = _rows(state)
    new = state.on_hand - rows.sum(0)
    return state.replace(expiring=rows + jnp.where(arrivals, new[None, :], 0.0))


def arrival_row(params: Params) -> Int[Array, " N"]:
    """The row of goods that have just arrived; -1 of products that keep."""
    return params.shelf_life - params.arrival_age - 1


def expire(
    chance: Chance, state: State, left: Float[Array, " N"], flows: Flows, params: Params
) -> tuple[Float[Array, " N"], Float[Array, "A N"], Flows]:
    """What was sold is taken from the rows, the oldest units by most buyers and the freshest by a
    share of them; what is too old is wasted; the rest is a period older.

    Returns units left [N] and by row [A, N], and the ledger.
    """
    bought = flows.served + flows.substituted
    fresh = slopes.rounded(chance.fresh, params.fresh_share * bought)
    kept = kept_of(jnp.stack(list(accumulate(_rows(state)))), bought - fresh, left, params)
    wasted = kept[0]
    older = jnp.concatenate([kept[1:] - kept[:-1], jnp.zeros_like(kept[:1])])
    left = left - wasted
    return left, older, flows.replace(left=left, wasted=wasted)


def kept_of(
    counted: Float[Array, "rows N"],
    oldest: Float[Array, " N"],
    left: Float[Array, " N"],
    params: Params,
) -> Float[Array, "rows N"]:
    """Units up to each row that remain of those `counted` there, where `oldest` buyers took the
    oldest units, others the freshest, and `left` units remained in all; 0 of products that keep.

    In whatever order both kinds of buyers come, the same units are left: those between the oldest
    and the freshest that were taken.
    """
    kept = slopes.kept(counted - oldest[None, :], left[None, :])
    return jnp.where(params.shelf_life[None, :] > 0, kept, 0.0)


def _rows(state: State) -> Float[Array, "A N"]:
    """Stock by age, which every state of a store has whose goods may age."""
    assert state.expiring is not None
    return state.expiring
