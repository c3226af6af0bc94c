"""The first paragraph of a study's page: does coordination pay, and three clocks against one, on
profit and on stability."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from agents.evaluation.statistics import Interval, apart, bootstrap_interval, paired_difference

MTMA, ONE_CLOCK, SILO = "mtma", "joint", "silo"
PLACES = {1: "above", -1: "below", 0: "not apart from"}
QUICK = (
    "**This is the quick version**: {seeds} seeds and a short training; it shows how the study "
    "runs and settles nothing. "
)


@dataclass(frozen=True)
class Against:
    """`mtma` against one clock on one store; of pairs, the first number is of `mtma`."""

    store: str
    difference: float  # of profit, run by run on the same seed: mean over seeds
    interval: Interval
    spread: tuple[float, float]  # of the gain over seeds
    drop: tuple[float, float]  # of greedy profit after its best, the worst seed, in percent

    @property
    def is_worse(self) -> bool:
        """On profit and on both measures of stability."""
        steadier = any(mtma <= one for mtma, one in (self.spread, self.drop))
        return self.difference < 0 and not steadier


def verdict(learned: pd.DataFrame, about: dict[str, Any]) -> str:
    """Does `mtma` earn more than the best tuned pair and the silo, is it at least as good as one
    clock, and on what? `learned`: a row per run of a regime."""
    first = QUICK.format(**about) * about["quick"] + unfinished(about) + coordination(learned)
    found = compared(learned)
    if not found:
        return f"{first}`mtma` and `joint` were not both run: nothing to compare."
    return (
        f"{first}**Against one clock (`joint`), `mtma` {profits(found)}.** {stability(found)} "
        f"{overall(found)}"
    )


def coordination(learned: pd.DataFrame) -> str:
    """Where `mtma` is above the best tuned pair and `silo`, and where not; empty without it."""
    others = {"the best tuned pair": None, f"`{SILO}`": SILO}
    said = [
        _by_sign({sign: f"{word} {other} on {{}}" for sign, word in PLACES.items()}, signs)
        for other, regime in others.items()
        if (signs := places(learned, regime))
    ]
    return f"**With intervals apart, `mtma` is {'; '.join(said)}.** " if said else ""


def places(learned: pd.DataFrame, other: str | None) -> list[tuple[str, int]]:
    """By store: 1 where the interval of `mtma` is above another regime's (or 0, the tuned pair's
    gain), -1 where below, 0 where they touch."""
    found = []
    for store, group in learned.groupby("scenario", sort=False):
        gains = {
            regime: bootstrap_interval(own["gain"].to_numpy())
            for regime, own in group.groupby("regime")
        } | {None: (0.0, 0.0)}
        if MTMA in gains and other in gains:
            found.append((str(store), apart(gains[MTMA], gains[other])))
    return found


def compared(learned: pd.DataFrame) -> list[Against]:
    """Both on every store where they have two seeds or more in common."""
    found = []
    for store, group in learned.groupby("scenario", sort=False):
        mtma, one = (group[group["regime"] == regime] for regime in (MTMA, ONE_CLOCK))
        if len(set(mtma["seed"]) & set(one["seed"])) < 2:
            continue
        spread, drop = (
            (float(measure(mtma[column])), float(measure(one[column])))
            for column, measure in (("gain", pd.Series.std), ("worst_drop", pd.Series.max))
        )
        found.append(Against(str(store), *paired_difference(mtma, one), spread, drop))
    return found


def profits(found: list[Against]) -> str:
    """Where it clearly earns more, less, or neither."""
    words = {1: "earns more on {}", -1: "earns less on {}", 0: "cannot be told from it on {}"}
    return _by_sign(words, ((each.store, apart(each.interval)) for each in found))


def stability(found: list[Against]) -> str:
    """On which stores it is steadier over seeds, and over time."""
    by_measure = {
        "Over seeds its gain spreads": [(each.store, each.spread) for each in found],
        "after its best a run drops": [(each.store, each.drop) for each in found],
    }
    words = {-1: "less on {}", 1: "more on {}", 0: "as much on {}"}
    said = [
        f"{measure} {_by_sign(words, ((store, _sign(pair)) for store, pair in pairs))}"
        for measure, pairs in by_measure.items()
    ]
    return f"{'; '.join(said)}."


def overall(found: list[Against]) -> str:
    """Where it is worse on everything."""
    worse = [each.store for each in found if each.is_worse]
    if worse:
        return f"**On {_listed(worse)} it is worse on profit, spread and drop alike.**"
    return "Nowhere is it worse on profit, spread and drop alike."


def unfinished(about: dict[str, Any]) -> str:
    """That the page is not whole yet; empty where it is."""
    missing = len(about["missing"])
    if not missing:
        return ""
    return (
        f"**Not finished**: {about['variants'] - missing} of {about['variants']} variants are "
        "here; the end of the page names the others. "
    )


def missing(about: dict[str, Any]) -> list[str]:
    """The section that names what the page is not made of yet, by store and part."""
    parts: dict[tuple[str, str], list[str]] = {}
    for each in about["missing"]:
        parts.setdefault((each["scenario"], each["part"]), []).append(each["variant"])
    lines = [f"- {part} on {store}: {', '.join(names)}" for (store, part), names in parts.items()]
    return ["## Missing", "\n".join(lines)] if lines else []


def _sign(pair: tuple[float, float]) -> int:
    return int(np.sign(pair[0] - pair[1]))


def _by_sign(words: dict[int, str], signs: Iterable[tuple[str, int]]) -> str:
    stores: dict[int, list[str]] = {sign: [] for sign in words}
    for store, sign in signs:
        stores[sign].append(store)
    return ", ".join(words[sign].format(_listed(own)) for sign, own in stores.items() if own)


def _listed(names: list[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last
