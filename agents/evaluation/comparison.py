"""Policies held against each other on the same customers, as rows of money and KPIs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, PRNGKeyArray

from agents.devices import ONE, Shards
from agents.evaluation.keys import keys_of
from agents.evaluation.simulation import (
    interval,
    kpis,
    never_ordered,
    profit_per_period,
    simulate_each,
)
from agents.evaluation.sizes import check_sizes
from jaxsim.params import Params
from jaxsim.rollouts import Policy

Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Every policy's row, and which one they are all held against."""

    best: str
    rows: dict[str, Row]
    never_ordered: dict[str, list[dict[str, float]]]
    """By policy: see `agents.evaluation.simulation.never_ordered`."""


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
    totals = simulate_each(key, policies, params, stores, periods, burn_in, shards)
    profits = {name: profit_per_period(each, periods) for name, each in totals.items()}
    best = max(baselines, key=lambda name: profits[name].mean())
    rows = {
        name: money_row(profits[name], profits[best])
        | {kpi: value for kpi, value in kpis(each, periods).items() if kpi != "profit"}
        for name, each in totals.items()
    }
    absent = {name: never_ordered(each, params, periods) for name, each in totals.items()}
    return Comparison(best, rows, absent)


def money_row(profits: Float[np.ndarray, " B"], best: Float[np.ndarray, " B"]) -> Row:
    """A policy's profit in every store, and its paired difference to the best heuristic's, each
    with its 95 % t-interval."""
    mean, ci95 = interval(profits)
    difference, difference_ci95 = interval(profits - best)
    return {
        "profit_mean": mean,
        "profit_ci95": ci95,
        "difference_to_best_heuristic": difference,
        "difference_ci95": difference_ci95,
    }


def evaluate(
    policies: Mapping[str, Policy],
    params: Params,
    seed: int = 0,
    stores: int = 1024,
    periods: int = 200,
    burn_in: int = 60,
) -> pd.DataFrame:
    """Every policy on the same new customers: a row each, best first.

    `profit` per period (money) with its 95 % t-interval over stores (`profit_low`, `profit_high`),
    the paired `difference` to the first policy named with its own interval, and the KPIs of
    `agents.evaluation.simulation.kpis`. Raises `ConfigError` for a size that cannot be.
    """
    check_sizes(stores, periods, burn_in)
    names = list(policies)
    key = keys_of(seed)["evaluate"]
    found = compare(key, policies, params, stores, periods, burn_in, names[:1])
    table = pd.DataFrame([_flat(found.rows[name]) for name in names], index=names)
    return table.sort_values("profit", ascending=False)


def _flat(row: Row) -> Row:
    """A row with one number a column."""
    low, high = row["profit_ci95"]
    less, more = row["difference_ci95"]
    money = {
        "profit": row["profit_mean"], "profit_low": low, "profit_high": high,
        "difference": row["difference_to_best_heuristic"],
        "difference_low": less, "difference_high": more,
    }  # fmt: skip
    named = {*money, "profit_mean", "profit_ci95", "difference_ci95"}
    named |= {"difference_to_best_heuristic"}
    return money | {name: value for name, value in row.items() if name not in named}
