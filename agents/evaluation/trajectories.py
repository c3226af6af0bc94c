"""One store followed period by period: what it was, what was decided, and what came of it."""

from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, PRNGKeyArray

from agents.evaluation.simulation import Policy
from jaxsim import store
from jaxsim.params import Params
from jaxsim.records import Action, Flows, State

DAYS = 42
"""Periods of one store's time that a run shows."""


@struct.dataclass
class Trace:
    """The story of one store, leading axis periods. `state[t]` is what `action[t]` was decided on
    and `flows[t]` is the ledger of that period; the receipts in it belong to `state[t + 1]`."""

    state: State
    action: Action
    flows: Flows

    @property
    def periods(self) -> int:
        return self.flows.sold.shape[0]

    def first(self, periods: int) -> Self:
        """The story up to there."""
        return jax.tree.map(lambda leaf: leaf[:periods], self)


@partial(jax.jit, static_argnames=("periods", "burn_in"))
def record(key: PRNGKeyArray, policy: Policy, params: Params, periods: int, burn_in: int) -> Trace:
    """Runs one store for `burn_in` periods and writes down the `periods` that follow.

    The customers depend on `key` alone: the same key under two policies is the same customers.
    """
    reset_key, customers, decisions = jax.random.split(key, 3)

    def one_period(carry: tuple[State, Any], period: Array) -> tuple[tuple[State, Any], Trace]:
        state, memory = carry
        action, memory = policy.act(jax.random.fold_in(decisions, period), memory, state, params)
        after, flows = store.step(jax.random.fold_in(customers, period), state, action, params)
        return (after, memory), Trace(state=state, action=action, flows=flows)

    # One scan, the burn-in cut off after it: compiling the policy twice takes longer than running.
    start = store.reset(reset_key, params), policy.start(params)
    _, trace = jax.lax.scan(one_period, start, jnp.arange(burn_in + periods))
    return jax.tree.map(lambda leaf: leaf[burn_in:], trace)
