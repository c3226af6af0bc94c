"""One store followed period by period: its states, what was decided, and the ledger."""

from functools import partial

import jax
from jaxtyping import PRNGKeyArray

from jaxsim.params import Params
from jaxsim.rollouts import Keys, Policy, Stores, Trajectory, keyed, play, started

DAYS = 42
"""Periods of one store's time that a run shows."""


@partial(jax.jit, static_argnames=("periods", "burn_in"))
def record(
    key: PRNGKeyArray, policy: Policy, params: Params, periods: int, burn_in: int
) -> Trajectory:
    """The `periods` of one store that follow on `burn_in` others; leading axis periods.

    The customers depend on `key` alone: the same key under two policies is the same customers.
    """
    start, keys = one_store(key, policy, params)
    played = play(start, keys, policy, params, periods=periods, burn_in=burn_in, keep=_only_store)
    return played.kept


def one_store(key: PRNGKeyArray, policy: Policy, params: Params) -> tuple[Stores, Keys]:
    """A new store, as stores with a leading axis of 1, and the keys of its periods."""
    start, customers, decisions = (each[None] for each in jax.random.split(key, 3))
    return started(start, policy, params), keyed(customers, decisions)


def _only_store(happened: Trajectory) -> Trajectory:
    return jax.tree.map(lambda leaf: leaf[0], happened)
