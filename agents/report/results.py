"""What finished trainings of one store came to, as the numbers of a report.

Trainings with the same seed met the same customers in their evaluation and share their tuned pairs,
so groups of trainings are compared seed by seed.
"""

import dataclasses
import math
import shlex
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agents.errors import RunError
from agents.evaluation.simulation import interval
from agents.learning.config import TrainConfig
from agents.report.data import BEST, Band, Bridge, Curve, Estimate, Facts, Results, Standing, Step
from agents.report.pictures import SMOOTHED_SHARE
from agents.runs import run_folder

LEARNED = "learned"
FIRST_CHOICE = "mtma"
"""The regime that a page of several regimes speaks of first."""
APART = "silo"
OPENING_SHARE = 0.05
"""Share of a training in which stores still sell the stock they were opened with."""
POINTS = 200
"""Moments of a learning curve that are drawn."""
CURVES = 6
"""Groups whose learning curves are drawn: more colours are not told apart."""
CLOCKS = ("critic", "fast", "slow")


@dataclass(frozen=True)
class Finished:
    """A training that has ended: where it lies, what it belongs to, and what it left."""

    folder: Path
    group: str  # its regime, or its settings in a sweep: seeds of one group are one line
    store: str  # what a sweep changed in the store, if anything
    command: str
    config: TrainConfig
    summary: dict[str, Any]
    metrics: pd.DataFrame

    @property
    def learned(self) -> dict[str, Any]:
        return self.summary["policies"][LEARNED]

    @property
    def best(self) -> dict[str, Any]:
        """The best tuned pair's line of the summary."""
        return self.summary["policies"][self.summary["best_heuristic"]]


def read(folder: Path) -> Finished:
    """A run folder. Raises `RunError`."""
    config = run_folder.read_config(folder)
    run = Finished(
        folder=folder,
        group=config.regime,
        store="",
        command=command_of(config),
        config=config,
        summary=run_folder.read_summary(folder),
        metrics=run_folder.read_metrics(folder),
    )
    try:
        _steps(run.learned, run.best)
    except (KeyError, TypeError) as missing:
        raise RunError(
            f"{folder / run_folder.SUMMARY}: not a summary of this version ({missing})"
        ) from None
    return run


def results_of(finished: list[Finished]) -> Results:
    """One page's numbers. Raises `RunError` where the trainings are of different stores."""
    first = finished[0]
    for other in finished[1:]:
        if other.summary["scenario"] != first.summary["scenario"]:
            raise RunError(
                f"run: {first.folder} is of the store {first.summary['scenario']!r}, "
                f"{other.folder} of {other.summary['scenario']!r}; allowed: runs of one store"
            )
    groups = _groups(finished)
    group = FIRST_CHOICE if FIRST_CHOICE in groups else first.group
    shown = groups[group]
    bridges = _bridges(shown, [run for run in finished if run.config.regime == APART])
    one_store = len({run.store for run in finished}) == 1
    narrowest = min((each.difference.high - each.difference.low) / 2 for each in bridges)
    return Results(
        scenario=first.summary["scenario"],
        group=group,
        evaluation=first.summary["evaluation"],
        best_heuristic=_best_name(shown),
        best_profit=_best_profit(shown) if one_store else None,
        over_trainings=len(shown) > 1,
        decimals=_decimals(narrowest),
        standings=_standings(groups),
        bridges=bridges,
        curves=_curves(dict(list(groups.items())[:CURVES])),
        facts=[_facts(run) for run in finished],
        commands=list(dict.fromkeys(run.command for run in finished)),
        settings=_settings(finished),
        versions=first.summary["versions"],
    )


def _bridges(shown: list[Finished], apart: list[Finished]) -> list[Bridge]:
    """From the best classical pair to a group, and from silos where some are given."""
    learned = f"{shown[0].group}, learned"
    to_best = _bridge(
        learned,
        _best_name(shown),
        [(run.learned, run.best) for run in shown],
        [_estimate(run.learned) for run in shown],
    )
    matched = [(run, twin) for run in shown for twin in apart if _same_customers(run, twin)]
    if shown[0].config.regime == APART or not matched:
        return [to_best]
    to_apart = _bridge(
        learned,
        f"{APART}, learned",
        [(run.learned, twin.learned) for run, twin in matched],
        [_less(_estimate(run.learned), _estimate(twin.learned)) for run, twin in matched],
    )
    return [to_best, to_apart]


def _groups(finished: list[Finished]) -> dict[str, list[Finished]]:
    groups = defaultdict(list)
    for run in finished:
        groups[run.group].append(run)
    return dict(groups)


def _same_customers(run: Finished, other: Finished) -> bool:
    """Whether both were held against the same tuned pairs on the same customers."""
    return run.config.seed == other.config.seed and run.best == other.best


def _best_name(group: list[Finished]) -> str:
    """The best classical pair, which other seeds may have found to be another."""
    names = {run.summary["best_heuristic"] for run in group}
    return names.pop() if len(names) == 1 else BEST


def _best_profit(group: list[Finished]) -> float:
    return float(np.mean([run.best["profit_mean"] for run in group]))


def _standings(groups: dict[str, list[Finished]]) -> list[Standing]:
    """Groups and classical pairs, best first. A pair is counted once for the same customers."""
    rows = [_standing(name, True, [run.learned for run in group]) for name, group in groups.items()]
    every = [run for group in groups.values() for run in group]
    once = {(run.config.seed, run.best["profit_mean"]): run.summary["policies"] for run in every}
    rows += [
        _standing(name, False, [policies[name] for policies in once.values()])
        for name in every[0].summary["policies"]
        if name != LEARNED and all(name in policies for policies in once.values())
    ]
    return sorted(rows, key=lambda row: -row.difference.mean)


def _standing(name: str, learned: bool, lines: list[dict[str, Any]]) -> Standing:
    mean = lambda what: float(np.mean([line[what] for line in lines]))  # noqa: E731
    return Standing(
        name=name,
        learned=learned,
        profit=mean("profit_mean"),
        difference=_over([_estimate(line) for line in lines]),
        trainings=[line["difference_to_best_heuristic"] for line in lines],
        fill_rate=mean("fill_rate"),
        stockout_share=mean("stockout_share"),
        shown_share=mean("shown_share"),
        turnover=mean("turnover"),
    )


def _estimate(line: dict[str, Any]) -> Estimate:
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
    mean, (low, high) = interval(np.array([each.mean for each in estimates]))
    return Estimate(mean, low, high)


def _bridge(
    better: str, than: str, lines: list[tuple[dict, dict]], differences: list[Estimate]
) -> Bridge:
    """The mean over pairs of lines: the steps are linear, so they still add up."""
    each = [_steps(mine, other) for mine, other in lines]
    base = abs(float(np.mean([other["profit_mean"] for _, other in lines])))
    difference = _over(differences)
    return Bridge(
        better=better,
        than=than,
        difference=difference,
        percent=100 * difference.mean / base if base else math.nan,
        steps=[
            dataclasses.replace(same[0], amount=float(np.mean([step.amount for step in same])))
            for same in zip(*each, strict=True)
        ],
    )


def _steps(mine: dict[str, Any], other: dict[str, Any]) -> list[Step]:
    """profit = demand value − what of it was not sold − cost of goods sold − what was bought beyond
    that and order costs − holding − penalties, term by term."""
    more = lambda value: value(mine) - value(other)  # noqa: E731
    return [
        Step("Demand", "what customers asked for first, at its price",
             more(lambda line: line["demand_value"])),
        Step("Lost sales", "asked for and not sold, at its price",
             more(lambda line: line["revenue"] - line["demand_value"])),
        Step("Cost of goods sold", "what the units sold were bought for",
             more(lambda line: line["margin"] - line["revenue"])),
        Step("Other purchases", "order costs, and units bought that are still on the shelf",
             more(lambda line: line["revenue"] - line["margin"] - line["purchase"])),
        Step("Holding", "keeping stock, and room beyond the warehouse",
             more(lambda line: -line["holding"])),
        Step("Penalties", "charged for each customer lost or waiting",
             more(lambda line: -line["penalty"])),
    ]  # fmt: skip


def _curves(groups: dict[str, list[Finished]]) -> list[Curve]:
    """All groups at the same moments; nothing where the shortest training of one has ended."""
    every = [run.metrics["store_periods"] for group in groups.values() for run in group]
    first, last = min(each.iloc[0] for each in every), max(each.iloc[-1] for each in every)
    at = np.unique(np.linspace(first, last, POINTS).round())
    return [_curve(name, group, at) for name, group in groups.items()]


def _curve(name: str, group: list[Finished], at: np.ndarray) -> Curve:
    metrics = [run.metrics for run in group]
    end = min(each["store_periods"].iloc[-1] for each in metrics)
    checks = metrics[0].dropna(subset="greedy_profit")["store_periods"].to_numpy()
    checks = checks[checks <= end]
    return Curve(
        group=name,
        trainings=len(group),
        millions=(at / 1e6).tolist(),
        profit=_band([_along(each, "profit", at, OPENING_SHARE * end) for each in metrics]),
        fill_rate=_band([_along(each, "fill_rate", at) for each in metrics]),
        checked_at=(checks / 1e6).tolist(),
        checked=_band([_checked(each, checks) for each in metrics]),
        rates={clock: _along(metrics[0], f"{clock}_rate", at).tolist() for clock in CLOCKS},
    )


def _along(metrics: pd.DataFrame, column: str, at: np.ndarray, start: float = 0.0) -> np.ndarray:
    """The running mean of a column at these moments; NaN before `start` and after the end."""
    window = max(1, round(SMOOTHED_SHARE * len(metrics)))
    values = metrics[metrics["store_periods"] > start]
    smooth = values[column].rolling(window, min_periods=1).mean()
    return np.interp(at, values["store_periods"], smooth, left=np.nan, right=np.nan)


def _checked(metrics: pd.DataFrame, at: np.ndarray) -> np.ndarray:
    """Profit without exploration, between the moments when it was measured."""
    seen = metrics.dropna(subset="greedy_profit")
    return np.interp(at, seen["store_periods"], seen["greedy_profit"])


def _band(values: list[np.ndarray]) -> Band:
    stack = np.stack(values)
    return Band(stack.mean(0).tolist(), stack.min(0).tolist(), stack.max(0).tolist())


def _facts(run: Finished) -> Facts:
    return Facts(
        folder=str(run.folder),
        group=run.group,
        seed=run.config.seed,
        profit=run.learned["profit_mean"],
        difference=_estimate(run.learned),
        best_heuristic=run.summary["best_heuristic"],
    )


def command_of(config: TrainConfig, verb: str = "train") -> str:
    """The command that makes this training: every setting that is not the default."""
    plain = TrainConfig()
    flags = [
        f"--{field.name.replace('_', '-')} {_words(getattr(config, field.name))}"
        for field in dataclasses.fields(config)
        if getattr(config, field.name) != getattr(plain, field.name)
        and not (field.name == "out" and config.out == dataclasses.replace(config, out=None).folder)
    ]
    return " ".join([f"python train.py {verb}", *flags])


def _words(value: Any) -> str:
    """A setting as it is typed."""
    values = value if isinstance(value, tuple) else (value,)
    return " ".join(shlex.quote(str(each)) for each in values)


def _settings(finished: list[Finished]) -> list[tuple[str, str, bool]]:
    """Every setting with the values that the trainings have for it."""
    plain, rows = TrainConfig(), []
    for field in dataclasses.fields(TrainConfig):
        values = [getattr(run.config, field.name) for run in finished]
        told = " · ".join(dict.fromkeys(str(value) for value in values))
        changed = any(value != getattr(plain, field.name) for value in values)
        rows.append((field.name, told, changed and field.name != "out"))
    return rows


def _decimals(half_width: float) -> int:
    """Two significant digits of half an interval."""
    return int(np.clip(1 - math.floor(math.log10(half_width)), 0, 3)) if half_width > 0 else 2
