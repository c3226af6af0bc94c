"""viso_jax's perishable store (De Moor, Gijsbrechts and Boute, 2022) and ours, in one process.

First both walk the same path: the same demand and orders, and every number of every period is
compared. Then both order up to a level, in turns, each with its own draws of demand; and both draw
alone, which is most of viso_jax's time. Order of events, both: see stock by age and the pipeline;
order; demand, the oldest or the freshest sold first; what is too old is wasted; the rest is held;
all ages by one; the order due arrives. Source: github.com/joefarrington/viso_jax.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpyro.distributions import Gamma
from viso_jax.scenarios.de_moor_perishable.environment import (
    DeMoorPerishableGymnax,
    EnvParams,
    EnvState,
)

from benchmarks.known_answers import OrderUpTo
from benchmarks.peers.timing import in_turns, on_one_core, ratio_of, settings
from jaxsim import families, sampling, store
from jaxsim.exact import known_perishables as known
from jaxsim.exact.perishable import Perishable, base_stock, chain_of
from jaxsim.params import Params
from jaxsim.records import Action, State
from jaxsim.rollouts import Stores, Trajectory, play, started

FAMILY = "rounded-gamma"
PATH = 200  # periods that both walk with the same demand and orders
COUNTED = ("cost", "demand", "lost", "held", "wasted")
Walk = Callable[[Any, Array], tuple[Any, Array]]
"""From stores and their period to the stores some periods later, and the sums of what `COUNTED`
names over all of them."""


def of_viso_jax(product: Perishable) -> tuple[DeMoorPerishableGymnax, EnvParams]:
    """The product as viso_jax's environment, its episode without end."""
    env = DeMoorPerishableGymnax(
        max_useful_life=product.shelf_life,
        lead_time=product.lead_time,
        max_order_quantity=product.most_order,
        issue_policy="lifo" if product.lifo else "fifo",
    )
    params = EnvParams.create_env_params(
        variable_order_cost=product.cost,
        shortage_cost=product.penalty,
        wastage_cost=product.waste,
        holding_cost=product.holding,
        max_steps_in_episode=2**30,
    )
    return env, params


def stepped(
    env: DeMoorPerishableGymnax, params: EnvParams, key: PRNGKeyArray, state: EnvState, order: Array
) -> tuple[EnvState, Array]:
    """One period of one of viso_jax's stores, without gymnax's automatic reset, which costs time;
    and what `COUNTED` names."""
    _, after, reward, _, info = env.step_env(key, state, order, params)
    return after, jnp.stack(
        [-reward, info["demand"], info["shortage"], info["holding"], info["expiries"]]
    )


def counted(happened: Trajectory) -> Float[Array, "5 ..."]:
    """What `COUNTED` names of one product, from our ledger."""
    flows = happened.flows
    units = (-flows.profit, flows.asked, flows.lost, flows.left, flows.wasted)
    return jnp.stack([each[..., 0] for each in units])


def same_path(shelf_life: int, experiment: int) -> int:
    """Walks both sides along the same demand and orders; returns the number of periods.

    Raises `SystemExit`, naming the first period that differs.
    """
    product = known.published(shelf_life, experiment)
    theirs = their_path(product)
    ours = our_path(product, theirs["orders"], theirs["counted"][:, 1])
    for name in ("counted", "shelf", "pipeline"):
        differ = np.abs(ours[name] - theirs[name]).reshape(PATH, -1).max(1, initial=0.0) > 1e-4
        if differ.any():
            at = int(differ.argmax())
            both = f"{ours[name][at].tolist()}, viso_jax {theirs[name][at].tolist()}"
            where = f"shelf life {shelf_life}, experiment {experiment}, period {at}"
            raise SystemExit(f"{where}: {name} {both}")
    return PATH


def their_path(product: Perishable) -> dict[str, np.ndarray]:
    """Orders at random from an empty store: what is counted, and each evening's shelf (the oldest
    first) and pipeline (what is due next first)."""
    env, params = of_viso_jax(product)
    orders = np.random.default_rng(0).integers(0, product.most_order + 1, PATH)

    def period(state: EnvState, given: tuple[Array, Array]) -> tuple[EnvState, tuple]:
        after, found = stepped(env, params, given[0], state, given[1])
        return after, (found, after.stock[::-1], after.in_transit[::-1])

    keys = jax.random.split(jax.random.key(1), PATH)
    start = env.reset_env(keys[0], params)[1]
    walked = jax.jit(partial(jax.lax.scan, period))(start, (keys, jnp.asarray(orders)))[1]
    names = ("counted", "shelf", "pipeline")
    return {"orders": orders} | dict(zip(names, map(np.asarray, walked), strict=True))


def our_path(product: Perishable, orders: np.ndarray, demand: np.ndarray) -> dict[str, np.ndarray]:
    """The same by our step, whose demand is drawn by inversion: of a uniform amid those that give
    the demand wanted."""
    params = known.store_of(product, FAMILY)
    reached = np.concatenate([[0.0], np.cumsum(product.demand)])
    units = demand.astype(int)
    amid = (reached[units] + reached[units + 1]) / 2

    def period(state: State, given: tuple[Array, Array]) -> tuple[State, tuple]:
        uniform, order = given
        chance = store.draw(jax.random.key(2), params).replace(demand=uniform[None])
        action = Action(order=order[None], slate=jnp.zeros((1, 1), jnp.int32))
        after, flows = store.advance(chance, state, action, params)
        rows = after.expiring[:, 0], after.pipeline[: product.lead_time - 1, 0]
        return after, (counted(Trajectory(state, action, flows)), *rows)

    given = jnp.asarray(amid, jnp.float32), jnp.asarray(orders, jnp.float32)
    walked = jax.jit(partial(jax.lax.scan, period))(_empty(params), given)[1]
    return dict(zip(("counted", "shelf", "pipeline"), map(np.asarray, walked), strict=True))


def _empty(params: Params) -> State:
    state = store.reset(jax.random.key(0), params)
    nothing = (jnp.zeros_like(each) for each in (state.on_hand, state.pipeline, state.expiring))
    return state.replace(**dict(zip(("on_hand", "pipeline", "expiring"), nothing, strict=True)))


def keys_at(keys: PRNGKeyArray, period: Array) -> PRNGKeyArray:
    """Each store's key of a period, on both sides."""
    return jax.vmap(jax.random.fold_in, (0, None))(keys, period)


def our_walk(
    product: Perishable, level: int, keys: PRNGKeyArray, periods: int
) -> tuple[Walk, Stores]:
    """Ours under base-stock, and where its stores start."""
    params = known.store_of(product, FAMILY)
    policy = OrderUpTo(jnp.float32(level), jnp.float32(product.most_order))

    def walk(stores: Stores, now: Array) -> tuple[Stores, Array]:
        played = play(
            stores, lambda period: (keys_at(keys, now + period),) * 2, policy, params,
            periods=periods, add=lambda happened: counted(happened).sum(-1),
        )  # fmt: skip
        return played.stores, played.sums

    return walk, started(keys, policy, params)


def their_walk(
    product: Perishable, level: int, keys: PRNGKeyArray, periods: int
) -> tuple[Walk, EnvState]:
    """viso_jax's under base-stock, and where its stores start."""
    env, params = of_viso_jax(product)

    def one_store(key: PRNGKeyArray, state: EnvState) -> tuple[EnvState, Array]:
        order = jnp.clip(level - env.get_obs(state).sum(), 0, product.most_order)
        return stepped(env, params, key, state, order)

    def walk(stores: EnvState, now: Array) -> tuple[EnvState, Array]:
        def period(carry: tuple, number: Array) -> tuple[tuple, tuple]:
            after, found = jax.vmap(one_store)(keys_at(keys, now + number), carry[0])
            return (after, carry[1] + found.sum(0)), ()

        start = stores, jnp.zeros(len(COUNTED))
        return jax.lax.scan(period, start, jnp.arange(periods))[0]

    return walk, jax.vmap(lambda key: env.reset_env(key, params)[1])(keys)


def draws(draw: Callable[[PRNGKeyArray], Array], keys: PRNGKeyArray, periods: int) -> Walk:
    """Demand alone, keys included."""

    def walk(nothing: tuple, now: Array) -> tuple[tuple, Array]:
        def period(total: Array, number: Array) -> tuple[Array, tuple]:
            return total + jax.vmap(draw)(keys_at(keys, now + number)).sum(), ()

        return (), jax.lax.scan(period, jnp.zeros(()), jnp.arange(periods))[0]

    return walk


def our_draw(key: PRNGKeyArray) -> Array:
    return families.get(FAMILY).inverse(sampling.open_uniform(key, (1,)), jnp.full(1, 4.0))[0]


def their_draw(key: PRNGKeyArray) -> Array:
    """As in viso_jax's `step_env`."""
    return jnp.round(Gamma(4.0, 1.0).sample(key=key)).clip(0, known.MOST)


class Running:
    """A compiled walk that goes on from where its last call left the stores."""

    def __init__(self, walk: Walk, stores: Any, periods: int) -> None:
        began = time.perf_counter()
        self.program = jax.jit(walk).lower(stores, jnp.int32(0)).compile()
        self.compile_seconds = time.perf_counter() - began
        self.stores, self.now, self.periods = stores, 0, periods

    def __call__(self) -> np.ndarray:
        """The sums of the next periods."""
        self.stores, sums = self.program(self.stores, jnp.int32(self.now))
        self.now += self.periods
        return np.asarray(jax.block_until_ready(sums))


def compared(walks: dict[str, tuple[Walk, Any]], units: int, periods: int, repeats: int) -> dict:
    """Nanoseconds of a store-period and seconds of compilation of both sides, and the ratio; `cost`
    per store-period where a walk counts it."""
    running = {name: Running(*each, periods) for name, each in walks.items()}
    seconds, sums = in_turns(running, repeats)
    row = ratio_of(seconds["viso_jax"], seconds["jaxsim"])
    for name, own in running.items():
        row[f"{name}_ns"] = 1e9 * float(np.median(seconds[name])) / units
        row[f"{name}_compile_seconds"] = own.compile_seconds
        if np.ndim(sums[name][0]):
            row[f"{name}_cost"] = float(np.mean(sums[name], axis=0)[0] / units)
    return row


def step_row(case: dict[str, int], size: dict[str, Any]) -> dict[str, Any]:
    """Both stores under base-stock at one number of stores."""
    product = known.published(case["shelf_life"], case["experiment"])
    level, stores, periods = case["level"], case["stores"], size["periods"]
    keys = jax.random.split(jax.random.key(0), stores)
    walks = {
        "jaxsim": our_walk(product, level, keys, periods),
        "viso_jax": their_walk(product, level, keys, periods),
    }
    exact = chain_of(product, base_stock(product, level)).average()
    named = {"kind": "perishable step", "part": "step", "known_cost": exact} | case
    return named | compared(walks, stores * periods, periods, size["repeats"])


def draw_row(stores: int, size: dict[str, Any]) -> dict[str, Any]:
    """Both draws of demand alone."""
    keys, periods = jax.random.split(jax.random.key(0), stores), size["periods"]
    walks = {
        name: (draws(draw, keys, periods), ())
        for name, draw in (("jaxsim", our_draw), ("viso_jax", their_draw))
    }
    named = {"kind": "perishable step", "part": "draw of demand alone", "stores": stores}
    return named | compared(walks, stores * periods, periods, size["repeats"])


def main() -> None:
    size = settings()
    on_one_core()
    paths = [each | {"periods": same_path(**each)} for each in size["paths"]]
    rows = [step_row(case, size) for case in size["cases"]]
    rows += [draw_row(stores, size) for stores in size["draws"]]
    print(json.dumps({"paths": paths, "rows": rows}))


if __name__ == "__main__":
    main()
