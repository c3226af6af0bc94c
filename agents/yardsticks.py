"""Rows of a sweep: how a run did on its evaluation customers, against the best tuned pair there."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from agents.evaluation import Policy, Totals, interval, kpis, profit_per_period, simulate
from agents.grid import STORE_FIELDS, PlannedRun
from agents.training import keys_of
from agents.tuning import TunedPair


@dataclass(frozen=True)
class Yardstick:
    """The best tuned pair on the evaluation customers of one store and seed."""

    name: str
    profits: np.ndarray  # money per period, by store of the evaluation
    kpis: dict[str, float]


def yardstick_of(run: PlannedRun, tuned: list[TunedPair]) -> Yardstick:
    """The pair that earns most on the run's own evaluation customers: errs, if at all, in the
    heuristics' favour."""
    periods = run.config.evaluation_periods
    measured = []
    for pair in tuned:
        totals = _simulated(run, pair.policy)
        profits = profit_per_period(totals, periods)
        measured.append(Yardstick(pair.name, profits, kpis(totals, periods)))
    return max(measured, key=lambda each: each.profits.mean())


def run_row(run: PlannedRun, departments: Policy, best: Yardstick) -> dict[str, Any]:
    """One tidy row of a run: which it is, its settings, profit and KPIs with 95 % intervals, and
    its paired gain over the best tuned pair."""
    config = run.config
    totals = _simulated(run, departments)
    profits = profit_per_period(totals, config.evaluation_periods)
    gain, (gain_low, gain_high) = interval(profits - best.profits)
    which = {"run": run.number, "scenario": run.scenario.name, "regime": config.regime}
    return (
        which
        | {"seed": config.seed}
        | run.settings
        | {"store_periods": config.iterations * config.stores * config.horizon}
        | _profit(profits)
        | {"gain": gain, "gain_low": gain_low, "gain_high": gain_high}
        | {"best_heuristic": best.name}
        | _other_kpis(kpis(totals, config.evaluation_periods))
    )


def heuristic_row(run: PlannedRun, best: Yardstick) -> dict[str, Any]:
    """One tidy row of the best tuned pair on the customers of a run's store and seed."""
    store = {field: value for field, value in run.settings.items() if field in STORE_FIELDS}
    return (
        {"scenario": run.scenario.name, "heuristic": best.name, "seed": run.config.seed}
        | store
        | _profit(best.profits)
        | _other_kpis(best.kpis)
    )


def _simulated(run: PlannedRun, policy: Policy) -> Totals:
    config = run.config
    totals = simulate(
        keys_of(config.seed)["evaluate"],
        policy,
        run.scenario.params(),
        config.evaluation_stores,
        config.evaluation_periods,
        config.burn_in,
    )
    return jax.device_get(totals)


def _profit(profits: np.ndarray) -> dict[str, float]:
    profit, (low, high) = interval(profits)
    return {"profit": profit, "profit_low": low, "profit_high": high}


def _other_kpis(measured: dict[str, float]) -> dict[str, float]:
    """All but profit; money that is also the name of a store's number is called paid."""
    named = {f"{name}_paid" if name in STORE_FIELDS else name: measured[name] for name in measured}
    return {name: value for name, value in named.items() if name != "profit"}
