"""How good tuned pairs get, by how hard they are tuned: `python -m benchmarks.tuning`.

Every pair of a store is tuned with this project's effort, with a half, twice and four times as many
candidates, and once with few rounds on many stores; each with other random numbers several times.
What the tuned pairs earn is measured on customers that no tuning saw. Writes tuning.json.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from agents.errors import ConfigError
from agents.evaluation.simulation import profit_per_period, simulate
from agents.evaluation.statistics import FEWEST
from agents.evaluation.tuning import Effort, TunedPair, store_periods, tune
from agents.files import open_folder, write_json
from benchmarks import command, measure
from benchmarks.learning import estimated
from jaxsim import scenarios
from jaxsim.params import Params

EFFORTS = {
    **{f"{share:g} times": Effort().times(share) for share in (0.25, 0.5, 1, 2, 4)},
    "few rounds, many stores": replace(Effort(), first_rounds=3, rounds=3, stores=48),
}
PERIODS, BURN_IN = Effort().periods, Effort().burn_in


@dataclass(frozen=True)
class Settings:
    """What pairs earn when they are tuned less, more, or on more stores in fewer rounds."""

    out: Path = Path("runs/benchmarks")
    """Folder for tuning.json."""
    scenario: str = "boutique"
    """Store whose pairs are tuned."""
    tunings: int = 4
    """Tunings of each effort, with other random numbers; intervals are over them."""
    stores: int = 512
    """Stores of the customers that tuned pairs are compared on."""


def row_of(name: str, effort: Effort, params: Params, settings: Settings) -> dict[str, Any]:
    """What this effort costs, the second time, and what its pairs earn: the one that its ranking
    puts first, and the mean over all, money per period."""
    earned, seconds = [], []
    for key in jax.random.split(jax.random.key(20), settings.tunings):
        began = time.perf_counter()
        tuned = tune(params, effort, key)
        seconds.append(time.perf_counter() - began)
        earned.append(profits(tuned, params, settings.stores))
    first, mean = (np.array(own) for own in zip(*((e[0], e.mean()) for e in earned), strict=True))
    return {
        "effort": name,
        "store_periods": store_periods(params, effort),
        "seconds": float(np.median(seconds[1:])),
        **estimated("first", first),
        **estimated("mean_of_pairs", mean),
    }


def profits(tuned: list[TunedPair], params: Params, stores: int) -> np.ndarray:
    """(pairs,): profit per period of each pair on the same customers."""
    key = jax.random.key(21)
    totals = [simulate(key, pair.policy, params, stores, PERIODS, BURN_IN) for pair in tuned]
    return np.array([profit_per_period(each, PERIODS).mean() for each in totals])


def main(settings: Settings) -> None:
    command.refuse_none(settings, "stores")
    if settings.tunings < FEWEST:
        raise ConfigError(f"tunings: {settings.tunings}; allowed: {FEWEST} or more")
    folder, params = open_folder(settings.out), scenarios.get(settings.scenario).params()
    found = [row_of(name, effort, params, settings) for name, effort in EFFORTS.items()]
    written = {"machine": measure.machine(), "scenario": settings.scenario, "rows": found}
    write_json(folder / "tuning.json", written)
    head = ("effort", "store-periods", "seconds", "first pair's profit", "mean of all pairs")
    table = Table(*head, title=f"Tuning all pairs of {settings.scenario}")
    for row in found:
        table.add_row(
            row["effort"],
            f"{row['store_periods']:,}",
            f"{row['seconds']:.1f}",
            *(_interval(row, name) for name in ("first", "mean_of_pairs")),
        )
    Console().print(table)


def _interval(row: dict[str, Any], name: str) -> str:
    low, high = row[f"{name}_ci95"]
    return f"{row[name]:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    command.run(main, Settings)
