"""What is timed, as compiled programs: a store of any size, and what its stores do in a period.

Every program walks all stores through some periods and returns the states and one number that
every entry of every ledger is in, so that the compiler can drop nothing. Stores are shared out
among all devices, and each device walks its own block by block.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int, PRNGKeyArray

from agents.devices import EVERYWHERE, ONE, SPREAD, Shards, placed
from agents.learning.config import TrainConfig
from agents.learning.iteration import iterate
from agents.learning.trainer import Trainer
from agents.policies.heuristics import HeuristicParams
from benchmarks.known_answers import OrderUpTo
from jaxsim import ranking, sampling, scenarios
from jaxsim.exact import published
from jaxsim.params import UNLIMITED, Params
from jaxsim.records import Action, State
from jaxsim.rollouts import Policy, Stores, Trajectory, play, started
from jaxsim.scenarios.scenario import Scenario

SEGMENTS, SLOTS, DEMAND = 8, 3, 5.0  # customer segments, slate slots, mean demand of a product
LEVELS = {  # of one-product stores: the best base-stock, lead time 4
    "lost-sales": float(published.BASE_STOCK["poisson", 4.0][3][0]),
    "backlog": float(published.BACKLOG[4.0][3][0]),
}
GIVEN = 4  # days of actions that the step alone goes round
BLOCK = 20_480  # products walked at a time: more do not stay in a core's cache with their ledgers


@dataclass(frozen=True)
class Row:
    """One thing to time."""

    name: str
    stores: int
    products: int
    lead_time: int = 2
    periods: int = 16

    @property
    def units(self) -> int:
        """Store-periods of a call."""
        return self.stores * self.periods

    @property
    def state_bytes(self) -> int:
        """About what the stores of this row take: the fatigue of all segments counts most."""
        per_product = SEGMENTS + self.lead_time + 8
        return 4 * self.stores * self.products * per_product


class Walk(struct.PyTreeNode):
    """Stores on their way: what a program takes and gives back."""

    stores: Stores
    keys: PRNGKeyArray  # one for each store
    period: Array
    seen: Float[Array, ""]  # the sum of all ledgers

    def with_given(self, days: Action) -> Self:
        """The same stores with these days of actions for `AsGiven`: leading axes (stores, days)."""
        memory = self.stores.memory.replace(days=days)
        return self.replace(stores=self.stores.replace(memory=memory))


def store_of(
    products: int, lead_time: int = 2, shelf_life: int = 0, batches: bool = False
) -> Params:
    """A store in which every part of the model is at work: 8 segments, slates of up to 3; its goods
    spoil after `shelf_life` periods, or keep (0). With `batches` half of the customers come, and
    take two units on average."""
    rng = np.random.default_rng(products)
    cost = rng.uniform(2, 8, products)
    return Scenario(
        name=f"{products} products",
        family="negative-binomial" if batches else "poisson",
        batch=2.0 if batches else 1.0,
        dispersion=3.0 if batches else 1.0,
        max_lead_time=max(lead_time, 1),
        max_shelf_life=shelf_life,
        shelf_life=shelf_life,
        fresh_share=0.3 if shelf_life else 0.0,
        products=[f"product {i}" for i in range(products)],
        segments=[f"segment {k}" for k in range(SEGMENTS)],
        price=(1.5 * cost).tolist(),
        cost=cost.tolist(),
        holding=(0.02 * cost).tolist(),
        penalty=(0.2 * cost).tolist(),
        order_cost=1.0,
        lead_time=lead_time,
        backlogged=(rng.random(products) < 0.2).tolist(),
        stall=0.02,
        demand_noise=rng.uniform(0.1, 0.4, products).tolist(),
        arrivals=[(1 if batches else 2) * DEMAND * products / SEGMENTS] * SEGMENTS,
        utility=rng.normal(0, 0.7, (SEGMENTS, products)).tolist(),
        no_purchase=float(products),
        lift=rng.uniform(0.5, 1.0, SEGMENTS).tolist(),
        slot_weight=[1.0, 0.8, 0.6][: min(SLOTS, products)],
        season=[[0.8, 0.9, 1.0, 1.0, 1.1, 1.2, 1.0]],
        substitution=0.4,
        hide_stockouts=True,
        market_persistence=0.6,
        market_noise=0.1,
        goodwill_rate=0.05,
        goodwill_target=0.9,
        goodwill_floor=0.5,
        fatigue_weight=0.3,
        fatigue_memory=0.7,
        capacity=15 * DEMAND * products,
        overflow=0.1,
    ).params()


WALK = Walk(SPREAD, SPREAD, EVERYWHERE, EVERYWHERE)
"""Where the parts of a walk lie."""


def start(policy: Policy, params: Params, stores: int) -> Walk:
    """All stores on their first day."""
    keys = jax.random.split(jax.random.key(0), stores)
    return Walk(started(keys, policy, params), keys, period=jnp.int32(0), seen=jnp.float32(0))


def walking(
    params: Params, policy: Policy, periods: int, shards: Shards = ONE
) -> Callable[[Walk], Walk]:
    """`periods` periods of all stores. A store's day is keyed by its own key and the period: one
    key for its customers and its decisions, as the kernel written by hand has it."""

    def walk_on(walk: Walk) -> Walk:
        def keys(period: Array) -> tuple[PRNGKeyArray, PRNGKeyArray]:
            now = jax.vmap(jax.random.fold_in, (0, None))(walk.keys, walk.period + period)
            return now, now

        played = play(
            walk.stores, keys, policy, params, periods=periods, add=_seen, place=shards.apart
        )
        return Walk(played.stores, walk.keys, walk.period + periods, walk.seen + played.sums)

    return walk_on


def _seen(happened: Trajectory) -> Float[Array, ""]:
    """The sum of all ledgers of a period."""
    return sum(jax.tree.leaves(happened.flows)).sum()


def spread(
    walk_on: Callable[[Walk], Walk], params: Params, shards: Shards
) -> Callable[[Walk], Walk]:
    """The same walk, of a share of the stores on each device, there block by block."""

    def of_one_device(walk: Walk) -> Walk:
        own = len(walk.keys)
        most = max(1, min(own, BLOCK // params.products))
        size = max(size for size in range(1, most + 1) if own % size == 0)

        def one_block(block: tuple[Stores, PRNGKeyArray]) -> Walk:
            return walk_on(Walk(*block, walk.period, shards.apart(jnp.float32(0))))

        blocks = jax.tree.map(
            lambda leaf: leaf.reshape(own // size, size, *leaf.shape[1:]), (walk.stores, walk.keys)
        )
        after = jax.lax.map(one_block, blocks)
        joined = jax.tree.map(
            lambda leaf: leaf.reshape(own, *leaf.shape[2:]), (after.stores, after.keys)
        )
        seen = walk.seen + shards.total(after.seen.sum())
        return Walk(*joined, after.period[0], seen)

    return shards.map(of_one_device, (WALK,), WALK)


def given_actions(params: Params, stores: int) -> Action:
    """`GIVEN` days of every store, leading axes (stores, days): orders uniform up to twice mean
    demand, slates at random."""
    rng = np.random.default_rng(0)
    orders = rng.integers(0, 2 * int(DEMAND) + 1, (stores, GIVEN, params.products))
    uniforms = rng.random((stores * GIVEN * params.segments, params.slots), np.float32)
    slates = ranking.shuffled_slate(jnp.asarray(uniforms), params.products)
    shape = (stores, GIVEN, params.segments, params.slots)
    return Action(jnp.asarray(orders, jnp.float32), slates.reshape(shape))


class Given(struct.PyTreeNode):
    """What `AsGiven` remembers."""

    days: Action  # leading axis days
    played: Int[Array, ""]  # periods


class AsGiven(struct.PyTreeNode):
    """The step alone: a store's actions lie ready in its memory, and change from day to day."""

    def start(self, params: Params) -> Given:
        """One store's actions; `Walk.with_given` gives each store its own."""
        return Given(jax.tree.map(lambda leaf: leaf[0], given_actions(params, 1)), jnp.int32(0))

    def act(
        self, key: PRNGKeyArray, memory: Given, state: State, params: Params
    ) -> tuple[Action, Given]:
        today = jax.tree.map(lambda leaf: leaf[memory.played % GIVEN], memory.days)
        return today, memory.replace(played=memory.played + 1)


class AtRandom(struct.PyTreeNode):
    """Uniform orders up to twice mean demand, and slates in which every order is alike."""

    def start(self, params: Params) -> tuple[()]:
        return ()

    def act(
        self, key: PRNGKeyArray, memory: tuple[()], state: State, params: Params
    ) -> tuple[Action, tuple[()]]:
        drawn = params.segments * params.slots
        words = sampling.open_uniform(jax.random.fold_in(key, 1), (drawn + params.products,))
        uniforms = sampling.unit_interval(words)
        slate = uniforms[:drawn].reshape(params.segments, params.slots)
        order = jnp.floor(uniforms[drawn:] * (2 * DEMAND + 1))
        return Action(order, ranking.shuffled_slate(slate, params.products)), memory


def default_heuristic() -> HeuristicParams:
    """A tuned pair that departments may start from; which one does not change the time."""
    return HeuristicParams(recommender="balancing", cap=1.5)


def learned(params: Params) -> Policy:
    """Two departments of the default size, untrained: weights do not change the time."""
    one_store = TrainConfig.by_score(stores=1, crn_group=1, minibatches=1, fast_per_slow=1)
    trainer = one_store.trainer(default_heuristic())
    return trainer.departments(trainer.init(jax.random.key(0), params))


def training(row: Row) -> tuple[Callable[[tuple], tuple], tuple]:
    """One iteration of `train`'s own loop at the default sizes, but for the number of stores."""
    params = store_of(row.products, row.lead_time)
    trainer = TrainConfig.by_score(stores=row.stores, horizon=row.periods).trainer(
        default_heuristic()
    )
    train_state = jax.jit(Trainer.init)(trainer, jax.random.key(0), params)

    def once(carried: tuple) -> tuple:
        train_state, metrics = iterate(trainer, carried[0], params)
        return train_state, sum(leaf.sum() for leaf in jax.tree.leaves(metrics))

    return once, (train_state, jnp.float32(0))


def policy_of(row: Row) -> tuple[Policy, Params]:
    """What the stores of a row do, and what they are."""
    if row.name in LEVELS:  # Poisson(5) demand, lead time 4 (Zipkin's, where sales are lost)
        best = OrderUpTo(jnp.float32(LEVELS[row.name]), jnp.float32(UNLIMITED))
        return best, scenarios.get(row.name).params()
    params = store_of(row.products, row.lead_time)
    if row.name == "thirty customers":
        params = params.replace(arrivals=params.arrivals * (30.0 / params.arrivals.sum()))
    if row.name == "learned":
        return learned(params), params
    return AtRandom() if row.name == "random" else AsGiven(), params


def walk_of(row: Row) -> tuple[Policy, Params, Walk]:
    """What the stores of a row do, what they are, and where they start."""
    policy, params = policy_of(row)
    walk = start(policy, params, row.stores)
    if isinstance(policy, AsGiven):
        walk = walk.with_given(given_actions(params, row.stores))
    return policy, params, walk


def program_of(row: Row) -> tuple[Any, Any]:
    """A function under `jax.jit` that takes over what it is given, and what it starts from."""
    if row.name == "training iteration":
        once, carried = training(row)
        return jax.jit(once, donate_argnums=0), carried
    policy, params, walk = walk_of(row)
    devices = max(n for n in range(1, jax.device_count() + 1) if row.stores % n == 0)
    shards = Shards(devices)
    walk_on = spread(walking(params, policy, row.periods, shards), params, shards)
    program = placed(walk_on, WALK, shards, donate_argnums=0)
    return program, placed(lambda walk: walk, WALK, shards)(walk)
