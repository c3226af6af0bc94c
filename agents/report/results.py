"""What finished trainings of one store came to, as the numbers of a report.

Trainings with the same seed met the same customers in their evaluation and share their tuned pairs,
so groups of trainings are compared seed by seed. Money is per period, in the scenario's currency.
"""

import dataclasses
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agents.errors import RunError
from agents.evaluation import statistics
from agents.learning.config import TrainConfig
from agents.report.figures import COLOURS
from agents.report.pictures import Curve, curves_of
from agents.runs import run_folder

LEARNED = "learned"
BEST = "best classical pair"
"""Its name where trainings disagree on which it is."""
FIRST_CHOICE = "mtma"
"""The regime that a page of several regimes speaks of first."""
APART = "silo"
SHARES = (
    "fill_rate", "service_level", "availability", "carried", "missed", "shown_share", "turnover",
    "waste", "waste_cost",
)  # fmt: skip
STEPS: dict[str, tuple[str, dict[str, int]]] = {
    "Demand": ("what customers asked for first, at its price", {"demand_value": 1}),
    "Lost sales": ("asked for and not sold, at its price", {"revenue": 1, "demand_value": -1}),
    "Cost of goods sold": ("what the units sold were bought for", {"margin": 1, "revenue": -1}),
    "Other purchases": (
        "order costs, and units bought that are still on the shelf",
        {"revenue": 1, "margin": -1, "purchase": -1, "waste_cost": 1, "disposal": -1},
    ),
    "Waste": ("goods that grew too old, at cost, and their disposal", {"waste_cost": -1}),
    "Holding": ("keeping stock, and room beyond the warehouse", {"holding": -1}),
    "Penalties": ("charged for each customer lost or waiting", {"penalty": -1}),
}
"""What adds up to profit, by name: why, and the KPIs that it is made of."""
Line = dict[str, Any]
"""One policy's KPIs, as in the summary of a run."""


@dataclass(frozen=True)
class Finished:
    """A training that has ended: what it belongs to, and what it left."""

    folder: Path
    group: str  # its regime, or its settings in a sweep: seeds of one group are one row
    store: str  # what a sweep changed in the store, if anything
    command: str
    config: TrainConfig
    summary: dict[str, Any]
    metrics: pd.DataFrame

    @property
    def learned(self) -> Line:
        """What the learned departments did."""
        return self.summary["policies"][LEARNED]

    @property
    def best(self) -> Line:
        """What the best tuned pair did on the same customers."""
        return self.summary["policies"][self.summary["best_heuristic"]]


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval; NaN where two trainings are too few for one."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PolicyRow:
    """One policy, or one group over its trainings."""

    name: str
    learned: bool
    profit: float
    difference: Estimate  # to the best classical pair
    trainings: list[float]  # the difference of each training
    shares: dict[str, float]  # those of `SHARES`; NaN in runs of versions that had none

    @property
    def reach(self) -> tuple[float, float]:
        """The lowest and the highest difference that a picture of the row has to hold."""
        shown = [self.difference.low, self.difference.high, *self.trainings]
        return float(np.nanmin(shown)), float(np.nanmax(shown))


@dataclass(frozen=True)
class Bridge:
    """Where a difference in profit comes from: the steps add up to it."""

    better: str
    than: str
    difference: Estimate
    percent: float
    steps: dict[str, float]  # amounts, by the names in `STEPS`


@dataclass(frozen=True)
class Results:
    """What trainings of one store came to."""

    trainings: list[Finished]
    group: str  # that the page speaks of first
    best_profit: float | None  # of the best classical pair; none where the stores differ
    decimals: int  # of money that an interval leaves meaning to
    rows: list[PolicyRow]  # best first
    bridges: list[Bridge]
    curves: list[Curve]


def read(folder: Path) -> Finished:
    """A run folder. Raises `RunError`."""
    config = run_folder.read_config(folder)
    summary, metrics = run_folder.read_summary(folder), run_folder.read_metrics(folder)
    run = Finished(folder, config.method, "", command_of(config), config, summary, metrics)
    try:
        _bridges([run], [])
    except (KeyError, TypeError) as missing:
        raise RunError(
            f"{folder / run_folder.SUMMARY}: not a summary of this version ({missing})"
        ) from None
    return run


def results_of(trainings: list[Finished]) -> Results:
    """One page's numbers. Raises `RunError` where the trainings are of different stores."""
    first = trainings[0]
    for other in trainings[1:]:
        if other.summary["scenario"] != first.summary["scenario"]:
            raise RunError(
                f"run: {first.folder} is of the store {first.summary['scenario']!r}, "
                f"{other.folder} of {other.summary['scenario']!r}; allowed: runs of one store"
            )
    groups: dict[str, list[Finished]] = {}
    for run in trainings:
        groups.setdefault(run.group, []).append(run)
    group = FIRST_CHOICE if FIRST_CHOICE in groups else first.group
    shown = groups[group]
    bridges = _bridges(shown, [run for run in trainings if run.config.regime == APART])
    drawn = list(groups.items())[: len(COLOURS)]
    one_store = len({run.store for run in trainings}) == 1
    widths = [each.difference.high - each.difference.low for each in bridges]
    return Results(
        trainings=trainings,
        group=group,
        best_profit=_mean([run.best for run in shown], "profit_mean") if one_store else None,
        decimals=decimals_of(float(np.nanmin([*widths, math.inf])) / 2),
        rows=_rows(groups),
        bridges=bridges,
        curves=curves_of({name: [run.metrics for run in own] for name, own in drawn}),
    )


def rounded(steps: dict[str, float], decimals: int) -> dict[str, float]:
    """The steps of a bridge in whole last digits that still add up: what rounding leaves over goes
    to the steps that it moved most (the method of largest remainders)."""
    unit = 10.0**-decimals
    exact = np.array(list(steps.values())) / unit
    whole = np.floor(exact)
    short = round(float(exact.sum())) - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:short]] += 1
    return dict(zip(steps, (whole * unit).tolist(), strict=True))


def command_of(config: TrainConfig, verb: str = "train") -> str:
    """The command that makes this training: every setting that is not the default."""
    usual = vars(config.usual) | {"out": dataclasses.replace(config, out=None).folder}
    usual["learner"] = TrainConfig.learner
    flags = []
    for name, value in vars(config).items():
        if value is True:
            flags.append(f"--{name.replace('_', '-')}")
        elif value != usual[name] and value is not None:
            words = value if isinstance(value, tuple) else (value,)
            typed = " ".join(shlex.quote(str(word)) for word in words)
            flags.append(f"--{name.replace('_', '-')} {typed}")
    return " ".join([f"python train.py {verb}", *flags])


def _bridges(shown: list[Finished], apart: list[Finished]) -> list[Bridge]:
    """From the best classical pair to a group, and from silos where some are given."""
    learned, names = f"{shown[0].group}, learned", {run.summary["best_heuristic"] for run in shown}
    pairs = [(run.learned, run.best) for run in shown]
    differences = [_estimate(mine) for mine, _ in pairs]
    bridges = [_bridge(learned, names.pop() if len(names) == 1 else BEST, pairs, differences)]
    pairs = [
        (run.learned, twin.learned)
        for run in shown
        for twin in apart
        if run.config.seed == twin.config.seed and run.best == twin.best  # the same customers
    ]
    if pairs and shown[0].config.regime != APART:
        differences = [_less(_estimate(mine), _estimate(other)) for mine, other in pairs]
        bridges.append(_bridge(learned, f"{APART}, learned", pairs, differences))
    return bridges


def _bridge(
    better: str, than: str, pairs: list[tuple[Line, Line]], differences: list[Estimate]
) -> Bridge:
    """Means over pairs of policies that met the same customers."""
    mine, other = zip(*pairs, strict=True)
    base, difference = abs(_mean(other, "profit_mean")), _over(differences)
    steps = {
        label: sum(
            sign * (_mean(mine, kpi, 0.0) - _mean(other, kpi, 0.0)) for kpi, sign in terms.items()
        )
        for label, (_, terms) in STEPS.items()
    }
    if not any(line.get("waste") for line in (*mine, *other)):
        del steps["Waste"]
    percent = 100 * difference.mean / base if base else math.nan
    return Bridge(better, than, difference, percent, steps)


def _rows(groups: dict[str, list[Finished]]) -> list[PolicyRow]:
    """Groups and classical pairs, best first. A pair is counted once for the same customers."""
    rows = [_row(name, True, [run.learned for run in group]) for name, group in groups.items()]
    every = [run for group in groups.values() for run in group]
    once = {(run.config.seed, run.best["profit_mean"]): run.summary["policies"] for run in every}
    rows += [
        _row(name, False, [policies[name] for policies in once.values()])
        for name in every[0].summary["policies"]
        if name != LEARNED and all(name in policies for policies in once.values())
    ]
    return sorted(rows, key=lambda row: -row.difference.mean)


def _row(name: str, learned: bool, lines: list[Line]) -> PolicyRow:
    return PolicyRow(
        name=name,
        learned=learned,
        profit=_mean(lines, "profit_mean"),
        difference=_over([_estimate(line) for line in lines]),
        trainings=[line["difference_to_best_heuristic"] for line in lines],
        shares={what: _mean(lines, what) for what in SHARES},
    )


def _mean(lines: Sequence[Line], what: str, absent: float = math.nan) -> float:
    """Of a KPI; `absent` stands for it in runs of versions that had none."""
    return float(np.mean([line.get(what, absent) for line in lines]))


def _estimate(line: Line) -> Estimate:
    """The paired difference to the best classical pair."""
    return Estimate(line["difference_to_best_heuristic"], *line["difference_ci95"])


def _less(mine: Estimate, other: Estimate) -> Estimate:
    """The difference of two differences to the same third: a standard deviation is at most the sum
    of both, so this interval holds 95 % or more."""
    mean = mine.mean - other.mean
    half = (mine.high - mine.low + other.high - other.low) / 2
    return Estimate(mean, mean - half, mean + half)


def _over(estimates: list[Estimate]) -> Estimate:
    """Over trainings where there are several, else the one's own."""
    if len(estimates) == 1:
        return estimates[0]
    found = statistics.estimate(np.array([each.mean for each in estimates]))
    return Estimate(found.mean, found.low, found.high)


def decimals_of(half_width: float) -> int:
    """Decimals that show two significant digits of half an interval, six at most."""
    if not 0 < half_width < math.inf:
        return 2
    return int(np.clip(1 - math.floor(math.log10(half_width)), 0, 6))
