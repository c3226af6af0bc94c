"""What the page asks for, read strictly."""

from typing import Annotated, TypeVar

import numpy as np
from pydantic import Field, ValidationError

from agents.errors import ConfigError
from agents.learning.regimes import Department
from agents.play.game import DAYS, MOST_UNITS, WEEK, Game, check, played_on
from agents.play.shop import Kind, Shop
from agents.schemas import Document, complaint

Kept = TypeVar("Kept", bound=Document)
Orders = Annotated[list[Annotated[int, Field(ge=0, le=MOST_UNITS)]], Field(min_length=1)]
Slates = Annotated[list[Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]],
                   Field(min_length=1)]  # fmt: skip


class Customers(Document):
    """Who comes."""

    customers: Annotated[int, Field(ge=0, le=999_999)]


class Played(Customers):
    """A game so far, and for how many days more its last decision stands."""

    department: Department
    other: Kind
    orders: Annotated[list[Orders], Field(max_length=DAYS, default_factory=list)]
    slates: Annotated[list[Slates], Field(max_length=DAYS, default_factory=list)]
    repeat: Annotated[int, Field(ge=0, lt=WEEK)] = 0


def parse(body: bytes, kind: type[Kept]) -> Kept:
    """The document that was sent. Raises `ConfigError`, one line."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise ConfigError(complaint(error, kind).removeprefix(": ")) from None


def game_of(asked: Played, shop: Shop) -> Game:
    """The game as it is to be answered. Raises `ConfigError` for one that cannot be."""
    own, others = "orders", asked.slates
    if asked.department == "recommendation":
        own, others = "slates", asked.orders
    if others:
        raise ConfigError(f"{own}: the decisions of {asked.department}; allowed: these alone")
    try:
        decisions = tuple(np.asarray(each) for each in getattr(asked, own))
    except ValueError:  # lists of different lengths
        raise ConfigError(f"{own}: slates of different lengths; allowed: of one length") from None
    game = Game(asked.department, asked.other, asked.customers, decisions)
    check(game, shop)
    return played_on(game, shop, asked.repeat) if decisions else game


def finished(asked: Played, shop: Shop) -> Game:
    """A game of which all days are played. Raises `ConfigError` for others."""
    game = game_of(asked, shop)
    if not game.over:
        raise ConfigError(f"decisions: {game.day} days; allowed: all {DAYS}")
    return game
