"""Four weeks of one store in which the reader is a department.

A game is what was decided so far and nothing else: the store's days are simulated from it, as one
path of `agents.evaluation.trajectories.record`, and so are those of other departments on the same
customers.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from agents.errors import ConfigError
from agents.evaluation.prices import stock_prices_along
from agents.evaluation.trajectories import record
from agents.learning import compilation
from agents.learning.regimes import Department
from agents.play.seats import GivenOrders, GivenSlates, Seats
from agents.play.shop import Kind, Shop
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.rollouts import Policy, Trajectory

WEEK, DAYS = 7, 28
"""Periods of a week, and of a game."""
MOST_UNITS = 100_000
"""The largest order of a product that a game takes, units."""


@dataclass(frozen=True)
class Game:
    """Which department the reader is, who the other is, and what was decided on each day so far."""

    department: Department
    other: Kind
    customers: int
    """Number of the stream of customers."""
    decisions: tuple[Int[np.ndarray, "..."], ...] = ()
    """Of each day: units to order (N,), or slates (K, S)."""

    @property
    def day(self) -> int:
        """The day that is to be decided on, counted from 0; `DAYS` when the game is over."""
        return len(self.decisions)

    @property
    def over(self) -> bool:
        """Whether all days are played."""
        return self.day == DAYS

    def with_decision(self, decision: Int[np.ndarray, "..."]) -> "Game":
        """The game with one more day."""
        return replace(self, decisions=(*self.decisions, decision))


def departments(shop: Shop) -> tuple[Department, ...]:
    """Those with something to decide."""
    differ = shop.params.slates_differ
    return ("replenishment", "recommendation") if differ else ("replenishment",)


def check(game: Game, shop: Shop) -> None:
    """Raises `ConfigError` where a game cannot be played in this shop."""
    if game.department not in departments(shop):
        raise ConfigError(
            f"department: {game.department}; allowed: replenishment, as every slate shows the same"
        )
    if game.other not in shop.couples:
        raise ConfigError(f"other: {game.other}; allowed: {', '.join(shop.couples)}")
    if game.day > DAYS:
        raise ConfigError(f"decisions: {game.day} days; allowed: at most {DAYS}")
    checked = _check_order if game.department == "replenishment" else _check_slates
    for day, decision in enumerate(game.decisions, start=1):
        checked(decision, f"day {day}", shop.params)


def seats(game: Game, shop: Shop) -> Seats:
    """The reader's department beside the other one. Days not yet decided on order or show
    something that nobody looks at."""
    both = Seats.of(shop.couples[game.other].policy)
    n, k, slots = shop.params.products, shop.params.segments, shop.params.slots
    if game.department == "replenishment":
        orders = _plan(game, np.zeros((DAYS, n), np.float32))
        return both.replace(replenishment=GivenOrders(jnp.asarray(orders)))
    slates = _plan(game, np.zeros((DAYS, k, slots), np.int32) + np.arange(slots, dtype=np.int32))
    return both.replace(recommendation=GivenSlates(jnp.asarray(slates)))


def happened(game: Game, shop: Shop) -> Trajectory:
    """All days, of which the first `game.day` were played; the state of the next one, and the
    slates that the other department shows on it, are as they will be. On the host."""
    return path(shop.customers(game.customers), seats(game, shop), shop.params)


def couple_path(shop: Shop, kind: Kind, customers: int) -> Trajectory:
    """The days of a game with these customers where a couple decides both. On the host."""
    return path(shop.customers(customers), Seats.of(shop.couples[kind].policy), shop.params)


def path(key: PRNGKeyArray, policy: Policy, params: Params) -> Trajectory:
    """One store's first `DAYS` days, with leading axis days, on the host."""
    return jax.device_get(compilation.soon(record, periods=DAYS, burn_in=0)(key, policy, params))


def stock_prices(key: PRNGKeyArray, days: Trajectory, params: Params) -> Float[np.ndarray, "T N"]:
    """What one more unit in the morning of each day of a path was worth in the end, money, had
    everybody decided the same; what is left after the last day counts at cost."""
    given = Seats(GivenOrders(days.action.order), GivenSlates(days.action.slate))
    prices = compilation.soon(stock_prices_along, periods=DAYS, burn_in=0, ahead=0)
    return np.asarray(prices(key, given, params))


def played_on(game: Game, shop: Shop, days: int) -> Game:
    """The game with `days` more in the manner of the last decision, until its week ends: the same
    slates, or orders that bring each product back to the level of stock on hand and on order that
    the last order made."""
    rest = min(days, -game.day % WEEK)
    if game.department == "recommendation":
        for _ in range(rest):
            game = game.with_decision(game.decisions[-1])
        return game
    wanted = position(happened(game, shop), game.day - 1) + game.decisions[-1]
    for _ in range(rest):
        order = np.maximum(wanted - position(happened(game, shop), game.day), 0.0)
        game = game.with_decision(order.astype(np.int64))
    return game


def position(days: Trajectory, day: int) -> Float[np.ndarray, " N"]:
    """Units on hand and on order less those owed, when day `day` is decided on."""
    state: State = jax.tree.map(lambda leaf: leaf[day], days.state)
    return np.asarray(state.on_hand + state.pipeline.sum(0) - state.backlog)


def _plan(game: Game, blank: np.ndarray) -> np.ndarray:
    for day, decision in enumerate(game.decisions):
        blank[day] = decision
    return blank


def _check_order(order: np.ndarray, day: str, params: Params) -> None:
    if order.shape != (params.products,):
        raise ConfigError(
            f"{day}: {order.size} orders; allowed: one for each of {params.products} products"
        )
    if order.min() < 0 or order.max() > MOST_UNITS:
        worst = order[(order < 0) | (order > MOST_UNITS)][0]
        raise ConfigError(f"{day}: an order of {worst}; allowed: 0 to {MOST_UNITS} units")


def _check_slates(slates: np.ndarray, day: str, params: Params) -> None:
    if slates.shape != (params.segments, params.slots):
        raise ConfigError(
            f"{day}: slates of shape {slates.shape}; allowed: {params.slots} products for each of "
            f"{params.segments} segments"
        )
    if slates.min() < 0 or slates.max() >= params.products:
        raise ConfigError(f"{day}: shows a product that is not there; allowed: 0 to "
                          f"{params.products - 1}")  # fmt: skip
    for segment, slate in enumerate(slates):
        if len(set(slate.tolist())) < params.slots:
            raise ConfigError(
                f"{day}: segment {segment + 1} is shown a product twice; allowed: each once"
            )
