"""Policies held against each other on the same customers, as rows of money and KPIs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import PRNGKeyArray

from agents.devices import ONE, Shards
from agents.evaluation.simulation import Policy, evaluate, interval, kpis, profit_per_period
from jaxsim.params import Params

Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Every policy's row, and which one they are all held against."""

    best: str
    rows: dict[str, Row]


def compare(
    key: PRNGKeyArray,
    policies: Mapping[str, Policy],
    params: Params,
    stores: int,
    periods: int,
    burn_in: int,
    baselines: Collection[str],
    shards: Shards = ONE,
) -> Comparison:
    """Profit per period (money) with its 95 % t-interval over stores, the paired difference to the
    best of the `baselines`, and the KPIs of `agents.evaluation.simulation.kpis`."""
    totals = evaluate(key, policies, params, stores, periods, burn_in, shards)
    profits = {name: profit_per_period(each, periods) for name, each in totals.items()}
    best = max(baselines, key=lambda name: profits[name].mean())
    rows = {}
    for name, each in totals.items():
        mean, ci95 = interval(profits[name])
        difference, difference_ci95 = interval(profits[name] - profits[best])
        rows[name] = {
            "profit_mean": mean,
            "profit_ci95": ci95,
            "difference_to_best_heuristic": difference,
            "difference_ci95": difference_ci95,
        } | {kpi: value for kpi, value in kpis(each, periods).items() if kpi != "profit"}
    return Comparison(best, rows)
