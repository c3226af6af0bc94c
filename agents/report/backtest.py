"""The verb `backtest`: what the days that were not fitted would have brought under each policy."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from agents import files
from agents.errors import RunError
from agents.evaluation.backtest import Lived, live
from agents.evaluation.comparison import money_row
from agents.evaluation.keys import keys_of
from agents.policies.heuristics import STOCK_BLIND
from agents.report import figures
from agents.report.figures import COLOURS, INK, Chart
from agents.report.settings import BacktestConfig
from agents.runs import run_folder
from agents.runs.pipeline import LEARNED, load_departments
from jaxsim.calibration.traffic import Traffic, traffic_of
from jaxsim.calibration.transactions import read_transactions
from jaxsim.rollouts import Policy
from jaxsim.scenarios.scenario import Scenario

BACKTEST = "backtest"
"""The name of its files."""


@dataclass(frozen=True)
class Backtest:
    """What came of it."""

    summary: dict[str, Any]
    days: pd.DataFrame  # a row for each policy and day, means over stores


def backtest(config: BacktestConfig) -> Backtest:
    """Replays the days under every policy and leaves backtest.json, .csv and .png in the run's
    folder. Raises `UserError` before anything is written."""
    config.validate()
    scenario = run_folder.read_scenario(config.run)
    policies = _policies(config, scenario)
    sales = read_transactions(config, products=tuple(scenario.products))
    traffic = traffic_of(sales.table, scenario, config.train_days)
    key, params = keys_of(config.seed)["evaluate"], scenario.params()
    first = jnp.asarray(int(traffic.days[0].dayofweek), jnp.int32)
    market = jnp.asarray(traffic.market, jnp.float32)
    lived = {
        name: jax.device_get(
            live(key, policy, params, market, first, config.stores, config.burn_in)
        )
        for name, policy in policies.items()
    }
    found = _summed(scenario, traffic, lived)
    _write(config.run, found, traffic)
    return found


def _policies(config: BacktestConfig, scenario: Scenario) -> dict[str, Policy]:
    """The learned departments, the best tuned pair, the best one whose slates do not look at stock,
    and what other runs learned."""
    trained, tuned = run_folder.read_config(config.run), run_folder.read_heuristics(config.run)
    apart = next(pair for pair in tuned if pair.name.split("+")[0] in STOCK_BLIND)
    found: dict[str, Policy] = {LEARNED: load_departments(config.run, trained, tuned)}
    found |= {pair.name: pair.policy for pair in (tuned[0], apart)}
    for folder in config.beside:
        other, pairs = run_folder.read_config(folder), run_folder.read_heuristics(folder)
        store = run_folder.read_scenario(folder)
        if store != scenario:
            raise RunError(
                f"beside: {folder} is of store {store.name}; allowed: runs on {scenario.name}, the "
                f"store of {config.run}, with the same numbers"
            )
        name = other.method if other.method not in found else f"{other.method} ({folder.name})"
        found[name] = load_departments(folder, other, pairs)
    return found


def _summed(scenario: Scenario, traffic: Traffic, lived: dict[str, Lived]) -> Backtest:
    """Rows by policy over all days, and by policy and day."""
    totals = {name: np.asarray(each.profit, np.float64).sum(0) for name, each in lived.items()}
    _, best, *_ = lived
    rows = {
        name: money_row(totals[name], totals[best])
        | {
            "service_level": float(each.bought.sum() / max(float(each.wanted.sum()), 1e-9)),
            "availability": float(each.available.mean()),
        }
        for name, each in lived.items()
    }
    days = pd.concat(
        [
            pd.DataFrame(
                {
                    "policy": name,
                    "date": traffic.days.strftime("%Y-%m-%d"),
                    "traffic": np.exp(traffic.market),
                    "profit": each.profit.mean(1),
                    "wanted": each.wanted.mean(1),
                    "bought": each.bought.mean(1),
                    "availability": each.available.mean(1),
                }
            )
            for name, each in lived.items()
        ],
        ignore_index=True,
    )
    summary = {
        "scenario": scenario.name,
        "first_day": str(traffic.days[0].date()),
        "days": len(traffic.days),
        "stores": next(iter(lived.values())).profit.shape[1],
        "best_heuristic": best,
        "policies": rows,
    }
    return Backtest(summary, days)


def _write(folder: Path, found: Backtest, traffic: Traffic) -> None:
    files.open_folder(folder)
    files.write_table(folder / f"{BACKTEST}.csv", found.days, float_format="%.6g")
    at = np.arange(1.0, len(traffic.days) + 1)
    charts = {
        "traffic (1: a usual day of the week)": ("traffic", False),
        "profit more than the best tuned pair, summed (money)": ("profit", True),
        "availability (share of products with stock in the morning)": ("availability", False),
    }
    rows = [
        [Chart("", title, partial(_draw, found, at, column, summed))]
        for title, (column, summed) in charts.items()
    ]
    figures.write_png(folder / f"{BACKTEST}.png", rows, 7.5, sharex=True)
    files.write_json(folder / f"{BACKTEST}.json", found.summary)


def _draw(
    found: Backtest, at: Float[np.ndarray, " D"], column: str, summed: bool, axes: Axes
) -> None:
    """A line for each policy; one only where all are alike."""
    by_policy = {
        name: own[column].to_numpy() for name, own in found.days.groupby("policy", sort=False)
    }
    best = by_policy[found.summary["best_heuristic"]]
    for number, (name, values) in enumerate(by_policy.items()):
        if column == "traffic":
            axes.plot(at, values, color=INK)
            break
        shown = np.cumsum(values - best) if summed else values
        axes.plot(at, shown, color=COLOURS[number % len(COLOURS)], label=name, linewidth=2)
    axes.set_xlabel(f"days from {found.summary['first_day']}")
