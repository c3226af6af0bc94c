"""The report as one HTML page: templates filled, style and scripts written into it.

Pictures that are rows of bars are HTML lists and tables, so that they can be read aloud, printed
and read on a phone; lines and the player are drawn by `templates/charts.js` and `player.js` from
the numbers that the page carries. A plotting library's script alone would weigh megabytes a page,
and follows neither the reader's colours nor the printer's.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jinja2
import numpy as np

from agents.learning.regimes import REGIMES
from agents.report.data import BEST, Report, Results

SHOWN_STANDINGS = 8
"""Policies in the picture; all are in the table under it."""


def page_of(report: Report) -> str:
    """The whole page."""
    results = report.results
    return render(
        "report.html.jinja",
        report=report,
        results=results,
        headline=headline(results),
        steps=[rounded(bridge.steps, results.decimals) for bridge in results.bridges],
        regimes={name: regime.about for name, regime in REGIMES.items()},
        shown_standings=SHOWN_STANDINGS,
        carried={
            "group": results.group,
            "curves": results.curves,
            "references": _references(results),
            "scenes": report.scenes,
        },
    )


def render(template: str, **what: Any) -> str:
    """A page from a template of `templates`; `carried` is what its scripts draw."""
    rooms = jinja2.Environment(
        loader=jinja2.PackageLoader("agents.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    rooms.filters |= {"plain": plain, "money": money, "signed": signed, "at": at}
    return rooms.get_template(template).render(**what)


def headline(results: Results) -> list[str]:
    """The answer in plain words, a sentence for each comparison."""
    return [_sentence(results, number) for number in range(len(results.bridges))]


def _references(results: Results) -> list[dict[str, Any]]:
    if results.best_profit is None:
        return []
    return [{"name": "best classical pair", "y": results.best_profit}]


def _sentence(results: Results, number: int) -> str:
    bridge, digits = results.bridges[number], results.decimals
    gap = bridge.difference
    interval = f"95 % interval {signed(gap.low, digits)} to {signed(gap.high, digits)}"
    amount, share = money(abs(gap.mean), digits), f"{signed(bridge.percent, 2)} %"
    if gap.low > 0 or gap.high < 0:
        more = "more" if gap.mean > 0 else "less"
        verdict = f"earn {amount} {more} per period ({share}; {interval}) than"
    else:
        verdict = (
            f"earn neither clearly more nor less ({signed(gap.mean, digits)}; {interval}) than"
        )
    who = f"The learned departments ({results.group})" if number == 0 else "They"
    other = (
        f"{_pair(bridge.than)} on the same customers"
        if number == 0
        else "departments that learned apart, each for its own KPI"
    )
    return f"{who} {verdict} {other}."


def _pair(name: str) -> str:
    """In words: its name, where it has one of its own."""
    best = "the best tuned classical pair"
    return best if name == BEST else f"{name}, {best},"


def rounded(steps: Sequence[Any], decimals: int) -> list[Any]:
    """The steps of a bridge in whole last digits that still add up: what rounding leaves over goes
    to the steps that it moved most (the method of largest remainders)."""
    unit = 10.0**-decimals
    exact = np.array([step.amount for step in steps]) / unit
    whole = np.floor(exact)
    short = round(float(exact.sum())) - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:short]] += 1
    return [
        dataclasses.replace(step, amount=float(amount * unit))
        for step, amount in zip(steps, whole, strict=True)
    ]


def at(value: float, low: float, high: float) -> str:
    """Where a value lies between two, as a CSS percentage."""
    return f"{100 * (value - low) / (high - low or 1):.2f}%"


def money(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}"


def signed(value: float, decimals: int) -> str:
    """With its sign, a true minus, and no minus zero."""
    text = f"{value:+,.{decimals}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else f"{0:.{decimals}f}"


def plain(value: Any) -> Any:
    """Dataclasses and arrays as what JSON holds; numbers that are none as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
