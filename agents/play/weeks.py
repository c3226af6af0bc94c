"""What happened in a game, in numbers and in plain sentences."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Float

from agents.play.game import WEEK
from jaxsim import store
from jaxsim.params import Params
from jaxsim.records import Flows


@dataclass(frozen=True)
class Days:
    """Sums over products, a number for each day."""

    profit: Float[np.ndarray, " T"]  # money, each unit's cost charged when it is sold or wasted
    sold: Float[np.ndarray, " T"]  # units
    missed: Float[np.ndarray, " T"]  # customers whom absence cost
    wasted: Float[np.ndarray, " T"]  # units
    left: Float[np.ndarray, " T"]  # units, in the evening
    empty: Float[np.ndarray, " T"]  # products with no stock when customers came


@dataclass(frozen=True)
class Week:
    """What a reader is told after seven days."""

    number: int  # from 1
    profit: float
    facts: list[str]
    hint: str


def money(amount: float) -> str:
    """An amount in whole numbers, or to two figures where it is small."""
    decimals = (
        0 if abs(amount) >= 10 or not amount else min(4, 1 - math.floor(math.log10(abs(amount))))
    )
    return f"{amount:,.{decimals}f}"


def days_of(flows: Flows, params: Params) -> Days:
    """A path's ledger, leading axis days, by day."""
    profit = np.asarray(store.profit_on_sale(flows, params))
    return Days(
        profit=profit.sum(-1),
        sold=_total(flows.sold),
        missed=_total(flows.missed),
        wasted=_total(flows.wasted),
        left=_total(flows.left),
        empty=_total(1 - flows.offered),
    )


def _total(by_product: Float[Array | np.ndarray, "T N"]) -> Float[np.ndarray, " T"]:
    return np.asarray(by_product.sum(-1))


def week_of(flows: Flows, params: Params, names: list[str], number: int, orders: bool) -> Week:
    """The week that a path's days make: `flows` has a leading axis of seven days. `orders`: the
    reader is replenishment, else recommendation."""
    margin, holding = np.asarray(params.price - params.cost), np.asarray(params.holding)
    missed, left = np.asarray(flows.missed.sum(0)), np.asarray(flows.left.mean(0))
    lost = missed * margin + flows.penalty.sum(0)
    idle = np.maximum(left - flows.sold.sum(0) / WEEK, 0.0)  # more than a day's sales
    in_vain = np.asarray((flows.attention * (flows.offered == 0)).sum(0))
    waste = (flows.wasted * np.asarray(params.cost) + flows.disposal).sum(0)
    lay = WEEK * idle * holding + waste
    costs = {
        "missed": float(lost.sum()),
        "left": float(lay.sum()),
        "in_vain": float(lost[in_vain > 0].sum()),
    }
    facts = [
        _missed_line(missed, costs["missed"], names),
        _waiting_line(np.asarray(flows.backlog.mean(0)), names),
        _left_line(flows, left, costs["left"], names),
        _in_vain_line(in_vain, float(flows.attention.sum()), names),
    ]
    worst = int((lost if costs["missed"] >= costs["left"] else lay).argmax())
    hint = _hint(costs, worst, names, orders, params)
    profit = float(np.asarray(store.profit_on_sale(flows, params)).sum())
    return Week(number, profit, [each for each in facts if each], hint)


def _missed_line(missed: np.ndarray, cost: float, names: list[str]) -> str:
    if missed.sum() < 0.5:
        return "No customer met an empty shelf."
    return (
        f"{missed.sum():.0f} customers did not get what they came for, as the shelf was empty "
        f"(most of them: {_most(missed, names)}). Cost, their margin included: {money(cost)}."
    )


def _waiting_line(backlog: np.ndarray, names: list[str]) -> str:
    if backlog.sum() < 0.5:
        return ""
    return (
        f"{backlog.sum():.0f} customers were waiting for theirs in the evening, on average (most: "
        f"{_most(backlog, names)})."
    )


def _left_line(flows: Flows, left: np.ndarray, cost: float, names: list[str]) -> str:
    sold, wasted = flows.sold.sum() / WEEK, flows.wasted.sum()
    cover = f"{left.sum() / sold:.1f} days of sales" if sold else "and nothing was sold"
    line = (
        f"{left.sum():.0f} units were left in the evening, on average: {cover} "
        f"(most: {_most(left, names)})."
    )
    thrown = f" {wasted:.0f} units grew too old and were thrown away." if wasted else ""
    return f"{line}{thrown} What lay longer than a day cost {money(cost)}."


def _in_vain_line(in_vain: np.ndarray, all_places: float, names: list[str]) -> str:
    if in_vain.sum() < 0.05:
        return "Whatever was shown was there."
    share = 100 * in_vain.sum() / all_places
    return (
        f"{share:.0f} % of all attention went to products that were not there "
        f"(most: {_most(in_vain, names)})."
    )


def _hint(
    costs: dict[str, float], worst: int, names: list[str], orders: bool, params: Params
) -> str:
    """What went most wrong, in money, and what a department can do about it."""
    if costs["missed"] + costs["left"] < 1:
        return "Hardly anything was lost this week."
    short = costs["missed"] >= costs["left"]
    if orders:
        return _hint_on_orders(short, worst, names, params)
    name = names[worst]
    if not short:
        return (
            f"Hint: {name} lay on the shelf. To show it moves it without costing anything: its "
            "stock is paid for already."
        )
    if costs["in_vain"] > 0.3 * costs["missed"]:
        return (
            f"Hint: you sent customers to shelves that were empty ({name}). Show what is on hand, "
            "even where its margin is lower: a place that shows an empty shelf earns nothing."
        )
    return (
        f"Hint: {name} sells by itself and runs out. Give its place to something of which there "
        "is plenty, until it is back."
    )


def _hint_on_orders(short: bool, worst: int, names: list[str], params: Params) -> str:
    lead_time = int(params.lead_time[worst])
    if short:
        days = f" An order takes {lead_time} day{'s' if lead_time > 1 else ''}."
        shown = " What is shown sells more: order for the days on which it will be shown."
        return (
            f"Hint: empty shelves cost more than full ones. Order more of {names[worst]}."
            f"{days if lead_time else ''}{shown if params.slates_differ else ''}"
        )
    if params.ages:
        why = ": what grows too old is lost with all that it cost"
    else:
        why = ", or wait until it is shown: what is not shown sells at its own slow pace"
    return (
        f"Hint: you paid for stock that lay. Order less of {names[worst]}"
        f"{why if params.slates_differ or params.ages else ''}."
    )


def _most(amounts: np.ndarray, names: list[str]) -> str:
    """The product with most of something, and the next, if that has half as much."""
    first, *others = np.argsort(-amounts)
    near = [each for each in others[:1] if amounts[each] > 0.5 * amounts[first]]
    return " and ".join(names[each] for each in [first, *near])
