"""What the same departments earn in the store as it might be: other lift, lead times, margins or
shelf lives.

Nobody learns or is tuned anew: they decide by what they see of the changed store. Compiled once for
each kind of department; of what can be moved, everything is traced. Static are the numbers of
stores, days, products, segments and places, the longest lead time and the longest shelf life.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import PRNGKeyArray
from pydantic import Field

from agents.evaluation.simulation import Totals, interval, simulate
from agents.learning import compilation
from agents.play.shop import Shop
from agents.schemas import Document
from jaxsim.params import Params
from jaxsim.records import Action, State
from jaxsim.rollouts import Policy

MOST_STORES, PERIODS, BURN_IN = 64, 84, 28
"""Stores and days that each answer is measured over, and the days before that are left out."""
MORE_LEAD, LONGEST_LIFE = 4, 14
"""Days by which lead times can grow; shelf life in days up to which goods can be made to age."""


class Change(Document):
    """What is moved."""

    lift: Annotated[float, Field(ge=0, le=2)]
    """Multiplies what it is worth to be shown."""
    lead_time: Annotated[int, Field(ge=-MORE_LEAD, le=MORE_LEAD)]
    """Days more, of every product; none arrives before it is ordered."""
    margin: Annotated[float, Field(ge=0.25, le=1.75)]
    """Multiplies price less cost, at the same price."""
    shelf_life: Annotated[int, Field(ge=0, le=LONGEST_LIFE)]
    """Days that every product can be sold; 0: as it is in the store."""


@dataclass(frozen=True)
class Answer:
    """One couple in the changed store, money and units per day."""

    profit: float
    profit_ci95: tuple[float, float]
    more: float
    """Profit more than the tuned couple earns from the same customers."""
    more_ci95: tuple[float, float]
    missed: float
    wasted: float


class SeesNoAges(struct.PyTreeNode):
    """A policy of a store whose goods keep, in one whose goods age: it sees nothing of that."""

    policy: Any

    def start(self, params: Params) -> Any:
        return self.policy.start(params.replace(max_shelf_life=0))

    def act(
        self, key: PRNGKeyArray, memory: Any, state: State, params: Params
    ) -> tuple[Action, Any]:
        """Orders and slates of one store, and the memory."""
        seen, known = state.replace(expiring=None), params.replace(max_shelf_life=0)
        return self.policy.act(key, memory, seen, known)


def with_room(params: Params) -> Params:
    """The same store, with room for the longest lead time and shelf life that can be asked for."""
    return params.replace(
        max_lead_time=params.max_lead_time + MORE_LEAD,
        max_shelf_life=max(params.max_shelf_life, LONGEST_LIFE),
    )


def changed(params: Params, change: Change) -> Params:
    """A store `with_room` as it might be."""
    lead_time = jnp.clip(params.lead_time + change.lead_time, 0, params.max_lead_time)
    life = jnp.where(change.shelf_life > 0, change.shelf_life, params.shelf_life)
    youngest = jnp.maximum(life - 1, 0)
    return params.replace(
        lift=params.lift * change.lift,
        lead_time=lead_time,
        cost=jnp.maximum(params.price - change.margin * (params.price - params.cost), 0.0),
        shelf_life=life.astype(params.shelf_life.dtype),
        arrival_age=jnp.minimum(params.arrival_age, youngest).astype(params.arrival_age.dtype),
    )


def stores_of(params: Params) -> int:
    """Stores that are measured, fewer of many products, so that an answer takes about a second."""
    return int(np.clip(2560 // params.products, 16, MOST_STORES))


def answers(shop: Shop, change: Change) -> dict[str, Answer]:
    """Every couple on the same customers, by kind."""
    keeps = shop.params.max_shelf_life == 0
    params = changed(with_room(shop.params), change)
    totals = {
        kind: _totals(shop.key, SeesNoAges(couple.policy) if keeps else couple.policy, params)
        for kind, couple in shop.couples.items()
    }
    usual = _profits(totals["tuned"])
    return {kind: _answer(each, usual) for kind, each in totals.items()}


def _totals(key: PRNGKeyArray, policy: Policy, params: Params) -> Totals:
    run = compilation.soon(simulate, stores=stores_of(params), periods=PERIODS, burn_in=BURN_IN)
    return jax.device_get(run(key, policy, params))


def _profits(totals: Totals) -> np.ndarray:
    return np.asarray(totals.profit, np.float64) / PERIODS


def _answer(totals: Totals, usual: np.ndarray) -> Answer:
    profits = _profits(totals)
    profit, profit_ci95 = interval(profits)
    more, more_ci95 = interval(profits - usual)
    units = {name: float(getattr(totals, name).sum(-1).mean()) / PERIODS
             for name in ("missed", "wasted")}  # fmt: skip
    return Answer(profit, profit_ci95, more, more_ci95, **units)
