"""What the verb `theory` found, as one HTML page in the style of the report."""

from collections.abc import Mapping
from typing import Any

from agents.report.page import render
from agents.report.theory_pictures import GAPS, LABELS, SHOCK_LABELS
from agents.theory.coordination import CURVES, MAPS
from jaxsim import versions

DECIDERS = {
    "joint": "one plan for slates and orders",
    "myopic": "slates for today's stock, best orders for them",
    "base_stock": "best base-stock levels, best slates for them",
    "stock_blind": "best slates that ignore stock, best orders for them",
    "silo": "each department for its own KPI",
}
OWN_STOCKS = (0, 2, 4)
"""Stocks of a product for which its order-up-to level is drawn against the other's stock."""


def page_of(found: Mapping[str, Any]) -> str:
    """The page on the results of `agents.theory.answers.study`."""
    return render(
        "theory.html.jinja",
        found=found,
        deciders=_deciders(found["pair"]),
        gaps=[(gap, label) for gap, label, _ in GAPS],
        maps=[_map(found["value_of_coordination"], *view) for view in MAPS],
        highest=_highest(found["value_of_coordination"]),
        versions=versions(),
        carried={
            "views": [_curve(found["value_of_coordination"], what) for what in CURVES],
            "levels": _levels(found["structure"]),
            "answers": _answers(found["responses"]["over_time"]),
        },
    )


def _deciders(pair: Mapping[str, float]) -> list[dict[str, Any]]:
    """Who earns what on the pair store, and the share of the optimum that is lost, in percent."""
    best = pair["joint"]
    return [
        {"name": name, "profit": pair[key], "lost": max(0.0, 100 * (1 - pair[key] / best))}
        for key, name in DECIDERS.items()
    ]


def _curve(rows: list[dict[str, Any]], what: str) -> dict[str, Any]:
    """Profit lost over one setting, a line for each who decides."""
    chosen = [row for row in rows if row["view"] == what]
    lines = [
        {
            "name": label,
            "lost": [None if row[gap] is None else max(0.0, row[gap]) for row in chosen],
        }
        for gap, label, _ in GAPS
    ]
    return {"what": LABELS[what], "at": [row[what] for row in chosen], "lines": lines}


def _map(rows: list[dict[str, Any]], down: str, across: str) -> dict[str, Any]:
    """Rows of stores by two settings."""
    chosen = [row for row in rows if row["view"] == f"{down} x {across}"]
    values = {what: list(dict.fromkeys(row[what] for row in chosen)) for what in (down, across)}
    width = len(values[across])
    return {
        "down": LABELS[down],
        "across": LABELS[across],
        "columns": values[across],
        "lines": [
            (value, chosen[width * line : width * (line + 1)])
            for line, value in enumerate(values[down])
        ],
    }


def _highest(rows: list[dict[str, Any]]) -> float:
    return max((row["silo_gap"] or 0.0 for row in rows if " x " in row["view"]), default=1.0)


def _levels(structure: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Order-up-to levels of each product, over the other's stock, as far as the policy goes."""
    visited = structure["visited"]
    most = (
        max(first for first, line in enumerate(visited) if any(line)),
        max(second for line in visited for second, seen in enumerate(line) if seen),
    )
    return [
        {
            "product": product + 1,
            "other": 2 - product,
            "at": list(range(most[1 - product] + 1)),
            "lines": [
                {"own": own, "level": levels[own][: most[1 - product] + 1]}
                for own in OWN_STOCKS
                if own < len(levels)
            ],
        }
        for product, levels in enumerate(structure["order_up_to"])
    ]


def _answers(over_time: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What follows each shock of each product, the shocked product first."""
    answers = []
    for kind, happened in SHOCK_LABELS.items():
        for product, answer in enumerate(over_time[kind]):
            order = (product, 1 - product)
            answers.append(
                {"happened": f"{happened}, product {product + 1}"}
                | {what: [_line(answer[what], each) for each in order] for what in answer}
            )
    return answers


def _line(answer: Mapping[str, Any], product: int) -> dict[str, Any]:
    """One product's change by lag, and two standard errors."""
    return {
        "product": f"product {product + 1}",
        "mean": [lag[product] for lag in answer["mean"]],
        "error": [2 * lag[product] for lag in answer["error"]],
    }
