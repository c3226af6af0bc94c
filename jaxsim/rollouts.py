"""Many stores under a policy, period after period: decide, step, add up.

Evaluation, trajectories, responses and benchmarks all run through the one scan in `play`, whose
callers choose the random keys, events besides the model, and what is kept or added up. `rollout`
keeps every period, `rollout_sums` only sums over periods. Source: this project.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, Self, TypeVar

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Int, Key, PRNGKeyArray

from jaxsim import store
from jaxsim.params import Params
from jaxsim.records import Action, Chance, Flows, State

Tree = TypeVar("Tree")


class Policy(Protocol):
    """What decides in one store. It is a pytree (a `flax.struct.PyTreeNode` is one), because it is
    an argument of compiled functions; both methods are traced by JAX."""

    def start(self, params: Params) -> Any:
        """The memory at a store's first period: a pytree, `()` for none."""
        ...

    def act(
        self, key: PRNGKeyArray, memory: Any, state: State, params: Params
    ) -> tuple[Action, Any]:
        """What is ordered and shown in this period, and the memory for the next one.

        `key` is for policies that decide at random; the customers do not depend on it.
        """
        ...


class Trajectory(struct.PyTreeNode):
    """States, decisions and ledgers. Leading axes: (periods, stores) as `rollout` returns it,
    (stores,) for one period of all stores, none for one period of one store.

    `action[t]` was decided on `state[t]`, and `flows[t]` is the ledger of that period. What it
    received after its sales is on hand in `state[t + 1]`.
    """

    state: State
    action: Action
    flows: Flows

    @property
    def periods(self) -> int:
        """Length of the leading axis."""
        return self.flows.sold.shape[0]

    def first(self, periods: int) -> Self:
        """The first so many periods."""
        return jax.tree.map(lambda leaf: leaf[:periods], self)


class Stores(struct.PyTreeNode):
    """Stores between two periods, and the policy's memory of them: leading axis stores."""

    state: State
    memory: Any


class Played(struct.PyTreeNode):
    """What `play` returns."""

    stores: Stores  # after the last period
    kept: Any  # what `keep` made of each period, leading axis periods
    sums: Any  # of what `add` made of each period


Keys = Callable[[Int[Array, ""]], tuple[Key[Array, " B"], Key[Array, " B"]]]
"""From the period, counted from 0, to keys of each store's customers and decisions."""

Event = Callable[[Int[Array, ""], State, Chance], tuple[State, Chance]]
"""From a period, its states and its chance, to those that are decided on and met in their place;
leading axis stores."""


def rollout(
    key: PRNGKeyArray,
    policy: Policy,
    params: Params,
    *,
    stores: int,
    periods: int,
    burn_in: int = 0,
) -> Trajectory:
    """Every period of `stores` stores, leading axes (periods, stores).

    `burn_in` further periods come first and are left out. The customers depend on `key` alone: the
    same key under two policies is the same customers (common random numbers), and a store's do not
    depend on how many others there are. Memory grows with periods × stores; where that is too much,
    use `rollout_sums`. Compiled once for each type of policy and combination of sizes.
    """
    return _rollout(key, policy, params, stores, periods, burn_in)


def rollout_sums(
    key: PRNGKeyArray,
    policy: Policy,
    params: Params,
    measure: Callable[[Trajectory], Tree],
    *,
    stores: int | Int[Array, " B"],
    periods: int,
    burn_in: int = 0,
    place: Callable[[Any], Any] | None = None,
) -> Tree:
    """Sums over `periods`, after `burn_in`, of what `measure` makes of one period of one store.

    Leaves have a leading axis stores; what is true or false is counted. Memory does not grow with
    periods. The customers are those of `rollout` with the same key. `stores` is how many, or the
    numbers of some of them, as when each of several devices has its share. `place`: see `play`.
    Call it under `jax.jit`: it is not compiled as a whole by itself.
    """
    numbers = jnp.arange(stores) if jnp.ndim(stores) == 0 else jnp.asarray(stores)
    start, keys = numbered(key, policy, params, numbers)
    return play(
        start, keys, policy, params, periods=periods, burn_in=burn_in,
        add=jax.vmap(measure), place=place,
    ).sums  # fmt: skip


def play(
    start: Stores,
    keys: Keys,
    policy: Policy,
    params: Params,
    *,
    periods: int,
    burn_in: int = 0,
    event: Event | None = None,
    keep: Callable[[Trajectory], Any] | None = None,
    add: Callable[[Trajectory], Any] | None = None,
    place: Callable[[Any], Any] | None = None,
) -> Played:
    """`burn_in` periods, then `periods` that count, of all stores side by side.

    `keep` and `add` get each period of all stores (leading axis stores): what `keep` returns is
    stacked over the periods that count, what `add` returns is summed over them. `place` is for
    callers inside `jax.shard_map`: it marks what the scan carries as varying over devices.
    """
    # Under `jit`, so that it is traced once, for the shapes of its sums and for the scan.
    one_period = jax.jit(
        partial(_one_period, keys=keys, policy=policy, params=params, event=event), inline=True
    )

    def step(carry: tuple[Stores, Any], period: Int[Array, ""]) -> tuple[tuple[Stores, Any], Any]:
        stores, happened = one_period(period, carry[0])
        added = () if add is None else add(happened)
        counts = period >= burn_in
        sums = jax.tree.map(lambda total, new: total + counts * new, carry[1], added)
        return (stores, sums), () if keep is None else keep(happened)

    carry = start, () if add is None else _zeros_like(add, one_period, start)
    # One scan, the burn-in cut off afterwards: to compile a policy twice takes longer than to run.
    (stores, sums), kept = jax.lax.scan(
        step, carry if place is None else place(carry), jnp.arange(burn_in + periods)
    )
    return Played(stores, jax.tree.map(lambda leaf: leaf[burn_in:], kept), sums)


def started(keys: Key[Array, " B"], policy: Policy, params: Params) -> Stores:
    """New stores, one for each of the keys, with the policy's memory of them."""
    return Stores(
        state=jax.vmap(store.reset, (0, None))(keys, params),
        memory=jax.vmap(lambda _: policy.start(params))(keys),
    )


def numbered(
    key: PRNGKeyArray, policy: Policy, params: Params, numbers: Int[Array, " B"]
) -> tuple[Stores, Keys]:
    """New stores, and keys of their periods that depend on `key` and a store's number alone."""
    start, customers, decisions = jax.random.split(key, 3)
    each = jax.vmap(jax.random.fold_in, (None, 0))

    def keys(period: Int[Array, ""]) -> tuple[Key[Array, " B"], Key[Array, " B"]]:
        now = (jax.random.fold_in(purpose, period) for purpose in (customers, decisions))
        of_customers, of_decisions = (each(purpose, numbers) for purpose in now)
        return of_customers, of_decisions

    return started(each(start, numbers), policy, params), keys


def keyed(customers: Key[Array, " B"], decisions: Key[Array, " B"]) -> Keys:
    """Keys of periods from keys of stores: each store's, folded with the period."""
    each = jax.vmap(jax.random.fold_in, (0, None))
    return lambda period: (each(customers, period), each(decisions, period))


@partial(jax.jit, static_argnames=("stores", "periods", "burn_in"))
def _rollout(
    key: PRNGKeyArray, policy: Policy, params: Params, stores: int, periods: int, burn_in: int
) -> Trajectory:
    start, keys = numbered(key, policy, params, jnp.arange(stores))
    played = play(
        start, keys, policy, params, periods=periods, burn_in=burn_in, keep=lambda each: each
    )
    return played.kept


def _one_period(
    period: Int[Array, ""],
    stores: Stores,
    keys: Keys,
    policy: Policy,
    params: Params,
    event: Event | None,
) -> tuple[Stores, Trajectory]:
    """All stores one period later, and what happened in it."""
    customers, decisions = keys(period)
    state, chance = stores.state, jax.vmap(store.draw, (0, None))(customers, params)
    if event is not None:
        state, chance = event(period, state, chance)
    action, memory = jax.vmap(policy.act, (0, 0, 0, None))(decisions, stores.memory, state, params)
    after, flows = jax.vmap(store.advance, (0, 0, 0, None))(chance, state, action, params)
    return Stores(after, memory), Trajectory(state, action, flows)


def _zeros_like(add: Callable, one_period: Callable, start: Stores) -> Any:
    """Zeros in the shapes of what `add` returns, whole numbers in place of true and false."""
    shapes = jax.eval_shape(lambda: add(one_period(jnp.int32(0), start)[1]))
    counted = jax.tree.map(lambda leaf: int if leaf.dtype == bool else leaf.dtype, shapes)
    return jax.tree.map(lambda leaf, dtype: jnp.zeros(leaf.shape, dtype), shapes, counted)
