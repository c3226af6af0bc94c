"""What the page is told, as JSON: the store, the morning that a department sees, weeks, the end."""

from dataclasses import asdict
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from agents.learning.regimes import Department
from agents.play.game import DAYS, WEEK, Game, couple_path, happened, stock_prices
from agents.play.shop import Shop
from agents.play.weeks import Days, days_of, week_of
from agents.play.what_if import LONGEST_LIFE, MORE_LEAD, Answer
from jaxsim import choice, store
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.rollout import Trajectory
from jaxsim.views import stock_of

EXPLAINED = 3
"""Products whose stock prices are shown at the end: those of the largest difference in profit."""
NAMES = {"learned": "learned departments", "tuned": "tuned rules", "siloed": "departments in silos"}


def store_reply(shop: Shop) -> dict[str, Any]:
    """What does not change while one plays."""
    params = shop.params
    by_product = {
        name: np.asarray(getattr(params, name), float).round(4).tolist()
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
        "departments": list(get_args(Department)),
        "couples": {
            kind: {"name": NAMES[kind], "about": each.about} for kind, each in shop.couples.items()
        },
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
    seen = {
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
        seen["arrivals"] = params.arrivals * choice.season_now(state.period, params)
    return {name: np.asarray(each, float).round(3).tolist() for name, each in seen.items()}


def result_reply(game: Game, shop: Shop) -> dict[str, Any]:
    """The reader's four weeks beside every couple's on the same customers."""
    paths = {"you": happened(game, shop)}
    paths |= {kind: couple_path(game, shop, kind) for kind in shop.couples}
    earned = {name: _by_product(each, shop.params) for name, each in paths.items()}
    rows = [
        {"who": name, "name": NAMES.get(name, "you"), **_totals(days_of(each.flows, shop.params))}
        for name, each in paths.items()
    ]
    apart = earned["you"] - earned["learned"]
    order = np.argsort(-np.abs(apart))
    products = [_product(at, paths, earned, list(shop.scenario.products)) for at in order]
    return {"rows": rows, "products": products}


def why_reply(game: Game, shop: Shop) -> dict[str, Any]:
    """What one more unit was worth over its cost, day by day, with the reader and with the learned
    departments, for the products of the largest difference in profit."""
    key, params = shop.customers(game.customers), shop.params
    paths = {"you": happened(game, shop), "learned": couple_path(game, shop, "learned")}
    worth = {
        name: stock_prices(key, each, params) - np.asarray(params.cost)
        for name, each in paths.items()
    }
    earned = {name: _by_product(each, params) for name, each in paths.items()}
    order = np.argsort(-np.abs(earned["you"] - earned["learned"]))[:EXPLAINED]
    return {
        "products": [
            {"name": shop.scenario.products[at], "margin": float(params.price[at] - params.cost[at])}
            | {name: each[:, at].round(3).tolist() for name, each in worth.items()}
            for at in order
        ]
    }


def what_if_reply(answers: dict[str, Answer]) -> dict[str, Any]:
    """Every couple's answer."""
    return {
        "answers": [{"who": kind, "name": NAMES[kind], **asdict(each)} for kind, each in answers.items()]
    }


def _product(
    at: int, paths: dict[str, Trajectory], earned: dict[str, np.ndarray], names: list[str]
) -> dict[str, Any]:
    """One product with the reader and with the learned departments."""
    both = ("you", "learned")
    flows = {name: paths[name].flows for name in both}
    return {
        "name": names[at],
        "profit": [round(float(earned[name][at]), 2) for name in both],
        "missed": [round(float(flows[name].missed[:, at].sum()), 1) for name in both],
        "left": [round(float(flows[name].left[:, at].mean()), 1) for name in both],
        "shown": [round(float(flows[name].attention[:, at].mean()), 3) for name in both],
    }


def _by_product(days: Trajectory, params: Params) -> np.ndarray:
    return np.asarray(store.profit_on_sale(days.flows, params), float).sum(0)


def _totals(days: Days) -> dict[str, Any]:
    summed = {name: round(float(each.sum()), 2) for name, each in vars(days).items()}
    return summed | {"left": round(float(days.left.mean()), 2), "days": _rounded(days)}


def _rounded(days: Days) -> dict[str, list[float]]:
    return {name: np.asarray(each, float).round(2).tolist() for name, each in vars(days).items()}


def _days(path: Trajectory, first: int, end: int) -> Trajectory:
    return jax.tree.map(lambda leaf: leaf[first:end], path)
