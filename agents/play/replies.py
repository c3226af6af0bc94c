"""What the page is told, as JSON: the store, the morning that a department sees, weeks, the end."""

from dataclasses import asdict
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from agents.play.game import (
    DAYS,
    WEEK,
    Game,
    couple_path,
    departments,
    happened,
    stock_prices,
)
from agents.play.shop import Shop
from agents.play.weeks import Days, days_of, week_of
from agents.play.what_if import LONGEST_LIFE, MORE_LEAD, PERIODS, Answer, stores_of
from jaxsim import choice, store
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.rollouts import Trajectory
from jaxsim.views import stock_of

NAMES = {"learned": "learned departments", "tuned": "tuned rules", "siloed": "departments in silos"}


def store_reply(shop: Shop) -> dict[str, Any]:
    """What does not change while one plays."""
    params = shop.params
    by_product = {
        name: _list(getattr(params, name))
        for name in ("price", "cost", "holding", "lead_time", "review", "pack")
    }
    return {
        "name": shop.scenario.name,
        "about": shop.scenario.about,
        "products": list(shop.scenario.products),
        "segments": list(shop.scenario.segments),
        "slots": params.slots,
        "days": DAYS,
        "week": WEEK,
        "departments": departments(shop),
        "couples": {
            kind: {"name": NAMES[kind], "about": each.about} for kind, each in shop.couples.items()
        },
        "common_goal": shop.common_goal,
        "ages": params.ages,
        "most_lead_time": MORE_LEAD,
        "longest_life": LONGEST_LIFE,
        **by_product,
    }


def played_reply(game: Game, shop: Shop) -> dict[str, Any]:
    """Where a game stands: its decisions, its days and weeks so far, and the next morning."""
    days = happened(game, shop)
    played = days.first(game.day)
    orders = game.department == "replenishment"
    names = list(shop.scenario.products)
    weeks = [
        week_of(_days(played, at, at + WEEK).flows, shop.params, names, at // WEEK + 1, orders)
        for at in range(0, game.day - WEEK + 1, WEEK)
    ]
    return {
        "decisions": [each.tolist() for each in game.decisions],
        "day": game.day,
        "days": _rounded(days_of(played.flows, shop.params)),
        "weeks": [asdict(each) for each in weeks],
        "morning": None if game.over else morning(game, days, shop.params),
    }


def morning(game: Game, days: Trajectory, params: Params) -> dict[str, Any]:
    """What the reader's department sees when it decides on the next day, by product, in units."""
    state: State = jax.tree.map(lambda leaf: jnp.asarray(leaf[game.day]), days.state)
    stock = stock_of(state, params)
    arrivals = params.arrivals * choice.season_now(state.period, params)
    seen = {
        "open": (arrivals > 0).any(),
        "on_hand": state.on_hand,
        "coming": state.pipeline.T,  # the next morning's first
        "forecast": stock.today,
        "sold": state.sold,
    }
    if state.expiring is not None:
        seen["last_day"] = state.expiring[0]
    if game.department == "replenishment":
        seen |= {
            "lost": state.lost,
            "owed": state.backlog,
            "position": stock.position,
            "protected": stock.protected,
            "due": (state.period % params.review == 0).astype(float),
            "shown": choice.mean_attention(jnp.asarray(days.action.slate[game.day]), params),
        }
    else:
        nothing = jnp.zeros_like(params.utility)
        weights = choice.weights_of(nothing, state.fatigue, params)
        seen["coming"] = seen["coming"][:, :2]
        seen["taste"] = choice.choice_shares(weights, jnp.ones(params.products), params.needs)
        seen["arrivals"] = arrivals
    return {name: _list(each) for name, each in seen.items()}


def end_reply(game: Game, shop: Shop) -> dict[str, Any]:
    """What the reader made of four weeks."""
    key = shop.customers(game.customers)
    return {"who": "you", "name": "you", **_path_reply(key, happened(game, shop), shop.params)}


def others_reply(customers: int, shop: Shop) -> dict[str, Any]:
    """What every couple makes of four weeks with these customers."""
    key = shop.customers(customers)
    paths = {kind: couple_path(shop, kind, customers) for kind in shop.couples}
    return {
        "others": [
            {"who": kind, "name": NAMES[kind], **_path_reply(key, each, shop.params)}
            for kind, each in paths.items()
        ]
    }


def what_if_reply(answers: dict[str, Answer], shop: Shop) -> dict[str, Any]:
    """Every couple's answer, and what it is measured over."""
    return {
        "stores": stores_of(shop.params),
        "periods": PERIODS,
        "answers": [
            {"who": kind, "name": NAMES[kind], **asdict(each)} for kind, each in answers.items()
        ],
    }


def _path_reply(key: PRNGKeyArray, path: Trajectory, params: Params) -> dict[str, Any]:
    """A path in sums over products by day, in sums over days by product, and what one more unit
    would have been worth over its cost, by day and product."""
    flows = path.flows
    by_product = {
        "profit": np.asarray(store.profit_on_sale(flows, params)).sum(0),
        "missed": flows.missed.sum(0),
        "wasted": flows.wasted.sum(0),
        "shown": flows.attention.mean(0),
    }
    worth = stock_prices(key, path, params) - np.asarray(params.cost)
    return {
        "days": _rounded(days_of(flows, params)),
        "products": {name: _list(each) for name, each in by_product.items()},
        "worth": _list(worth),
    }


def _rounded(days: Days) -> dict[str, list[float]]:
    return {name: _list(each) for name, each in vars(days).items()}


def _list(numbers: np.ndarray | Array) -> list[Any]:
    return np.asarray(numbers, float).round(3).tolist()


def _days(path: Trajectory, first: int, end: int) -> Trajectory:
    return jax.tree.map(lambda leaf: leaf[first:end], path)
