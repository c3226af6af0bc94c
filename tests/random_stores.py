"""Random stores with every feature of the model switched on, off or in between."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxsim.needs import Needs
from jaxsim.params import Params
from jaxsim.records import Action, State


def random_params(
    seed: int,
    products: int,
    segments: int,
    slots: int,
    max_lead_time: int,
    family: str = "poisson",
    categories: int = 1,
    max_shelf_life: int = 0,
) -> Params:
    """A store drawn from everything the model allows."""
    rng = np.random.default_rng(seed)
    n, k = products, segments

    def maybe(value: np.ndarray | float, chance: float = 0.5) -> np.ndarray | float:
        return value if rng.random() < chance else np.zeros_like(value)

    cost = rng.uniform(1, 10, n)
    fields = dict(
        price=cost * rng.uniform(1, 2, n),
        cost=cost,
        holding=rng.uniform(0, 1, n),
        penalty=maybe(rng.uniform(0, 5, n)),
        order_cost=maybe(rng.uniform(0, 5, n)),
        lead_time=rng.integers(0, max_lead_time + 1, n),
        review=rng.integers(1, 4, n),
        max_order=np.where(rng.random(n) < 0.3, rng.integers(0, 6, n), 1e9),
        pack=np.where(np.arange(n) % 3 == 2, 1 + seed % 4, 1),
        backlogged=rng.random(n) < 0.4,
        stall=maybe(rng.uniform(0, 0.5, n)),
        volume=rng.uniform(0, 3, n),
        demand_noise=maybe(rng.uniform(0, 0.8, n)),
        arrivals=rng.uniform(0.2, 8, k),
        utility=rng.normal(0, 1, (k, n)),
        no_purchase=np.repeat(maybe(rng.uniform(0.1, 3, k), 0.7)[:, None], categories, 1),
        category=np.arange(n) % categories,
        lift=rng.normal(0.5, 1, k),
        slot_weight=np.concatenate([[1.0], np.sort(rng.uniform(0, 1, slots - 1))[::-1]]),
        season=rng.uniform(0, 2, (k, 3)),
        substitution=maybe(rng.uniform(), 0.8),
        hide_stockouts=rng.random() < 0.5,
        charge_missed=seed % 2 == 0,
        market_persistence=rng.uniform(0, 0.95),
        market_noise=maybe(0.2),
        goodwill_rate=maybe(0.3),
        goodwill_target=rng.uniform(),
        goodwill_floor=0.5,
        goodwill_ceiling=1.5,
        fatigue_weight=maybe(rng.uniform(0, 2, k)),
        fatigue_memory=rng.uniform(0, 0.9),
        capacity=rng.uniform(0, 40),
        overflow=maybe(rng.uniform(0, 2)),
        forecast_memory=0.8,
    )
    fields |= _ages(seed, n, max_shelf_life) | _batches(seed, n, family)
    whole, flags = (
        ("lead_time", "review", "category", "shelf_life", "arrival_age"),
        ("backlogged", "hide_stockouts", "charge_missed"),
    )
    arrays = {
        name: jnp.asarray(
            value, jnp.int32 if name in whole else bool if name in flags else jnp.float32
        )
        for name, value in fields.items()
    }
    sizes = {"max_lead_time": max_lead_time, "max_shelf_life": max_shelf_life}
    return Params(family=family, **sizes, **arrays)


def _ages(seed: int, products: int, longest: int) -> dict[str, np.ndarray | float]:
    """Some products keep, others have any shelf life; some arrive with part of it over."""
    rng = np.random.default_rng(seed + 10**6)
    life = rng.integers(0, longest + 1, products)
    return dict(
        shelf_life=life,
        arrival_age=np.minimum(rng.integers(0, 3, products), np.maximum(life - 1, 0)),
        disposal=rng.uniform(0, 2, products),
        fresh_share=rng.choice([0.0, 0.4, 1.0]),
    )


def _batches(seed: int, products: int, family: str) -> dict[str, np.ndarray]:
    """Some customers take one, others several, where the family knows batches."""
    rng = np.random.default_rng(seed + 2 * 10**6)
    batch = np.ones(products)
    if family == "negative-binomial":
        batch = np.where(rng.random(products) < 0.3, 1.0, rng.uniform(1, 4, products))
    more = np.where(batch > 1, rng.uniform(1, 2, products), 1.0)
    return dict(batch=batch, dispersion=batch * more)


def one_need(segments: int, products: int, no_purchase: float = 1.0) -> Needs:
    """A single category."""
    return Needs(jnp.zeros(products, jnp.int32), jnp.full((segments, 1), no_purchase))


def random_state(seed: int, params: Params) -> State:
    """Any whole stock, pipeline and backlog; nobody waits for what is on hand."""
    rng = np.random.default_rng(seed)
    n, k = params.products, params.segments
    on_hand = rng.poisson(rng.uniform(0, 6), n) * (rng.random(n) < 0.8)
    waiting = rng.poisson(2, n) * np.asarray(params.backlogged) * (on_hand == 0)
    rows = np.arange(params.max_lead_time)[:, None] < np.asarray(params.lead_time)
    floats = dict(
        on_hand=on_hand,
        pipeline=rng.poisson(2, (params.max_lead_time, n)) * rows,
        backlog=waiting,
        market=rng.normal(0, 0.3),
        goodwill=rng.uniform(0.5, 1.5, k),
        fatigue=rng.uniform(0, 1, (k, n)),
        forecast=rng.uniform(0, 5, n),
        sold=rng.poisson(2, n),
        lost=rng.poisson(1, n),
    )
    arrays = {name: jnp.asarray(value, jnp.float32) for name, value in floats.items()}
    state = State(period=jnp.asarray(rng.integers(0, 12), jnp.int32), **arrays)
    return _aged(rng, state, params) if params.ages else state


def _aged(rng: np.random.Generator, state: State, params: Params) -> State:
    """Units on hand of any age that their product can have on the shelf."""
    rows = np.zeros((params.max_shelf_life, params.products))
    life = np.asarray(params.shelf_life - params.arrival_age)
    for product in np.flatnonzero(np.asarray(params.shelf_life) > 0):
        row = rng.integers(0, life[product], int(state.on_hand[product]))
        np.add.at(rows[:, product], row, 1)
    return state.replace(expiring=jnp.asarray(rows, jnp.float32))


def random_action(seed: int, params: Params) -> Action:
    """Orders that may be fractional or negative, as a careless caller sends them; a valid slate."""
    rng = np.random.default_rng(seed)
    order = rng.uniform(-2, 8, params.products)
    slate = np.stack(
        [rng.permutation(params.products)[: params.slots] for _ in range(params.segments)]
    )
    return Action(order=jnp.asarray(order, jnp.float32), slate=jnp.asarray(slate, jnp.int32))


def stacked(trees: list) -> object:
    """Many stores as one batch."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
