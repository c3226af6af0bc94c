"""The rates that each method of the study runs with, chosen on seeds that the study does not use.

Every method is tried with as many candidates, on the same stores, seeds and budgets, and takes the
one whose gain over the best tuned pair, in percent of the pair's profit, is largest on the mean.
`python -m agents.study.rates` writes results/rates.csv and says what it chose, which belongs into
`agents.study.variants.METHODS`.
"""

from pathlib import Path

import pandas as pd
from rich.console import Console

from agents import files
from agents.evaluation.tuning import Effort
from agents.report import tables
from agents.study.study import programs_of, train_programs
from agents.study.variants import METHODS, STORES, Method, Variant
from agents.sweeps import sweep_folder
from agents.sweeps.baselines import Stores
from agents.sweeps.runner import started
from agents.sweeps.settings import EngineConfig

TRIED_ON = ("pair", "fresh")
FIRST_SEED, SEEDS = 1000, 2
ON_ONE_CLOCK = ((5e-3, 5e-3), (1e-2, 1e-2), (2e-2, 2e-2), (4e-2, 4e-2))
ON_THREE = ((1e-2, 3e-3), (1e-2, 1e-2), (2e-2, 6e-3), (4e-2, 1.2e-2))
BY_SCORE = ((2e-3, 2e-3), (4e-3, 4e-3), (8e-3, 2.4e-3), (8e-3, 8e-3))
FOLDER, TABLE = Path("runs/study-rates"), Path("results/rates.csv")


def candidates(method: Method) -> tuple[tuple[float, float], ...]:
    """Rates of the fast and of the slow department that are tried."""
    if method.learner == "score":
        return BY_SCORE
    return ON_ONE_CLOCK if method.one_clock else ON_THREE


def variants() -> list[Variant]:
    """Every candidate of every method on every store."""
    return [
        Variant(
            method.name,
            f"{rates[0]:g} {rates[1]:g}",
            method.config(store, STORES[store], rates),
            SEEDS,
        )
        for store in TRIED_ON
        for method in METHODS
        for rates in candidates(method)
    ]


def chosen(rows: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """By method, the candidate with the largest mean gain in percent. `rows` is rates.csv."""
    means = rows.groupby(["method", "rates"])["percent"].mean()
    best = means.groupby("method").idxmax()
    return {method: tuple(map(float, rates.split())) for method, rates in best}  # pyright: ignore


def main() -> None:
    console = Console()
    programs = programs_of(variants(), FOLDER, FIRST_SEED)
    stores = Stores(FOLDER / sweep_folder.STORES, Effort())
    with (
        tables.SweepProgress(console) as progress,
        started(EngineConfig(), None, None, progress) as engine,
    ):
        train_programs(programs, None, stores, progress, engine)
    runs = pd.concat([sweep_folder.gather(each.folder) for each in programs])
    percent = 100 * runs["gain"] / (runs["profit"] - runs["gain"])
    rows = runs.assign(method=runs["part"], rates=runs["variant"], percent=percent)
    rows = rows[["scenario", "method", "rates", "seed", "gain", "percent"]]
    files.write_table(TABLE, rows)
    for method, rates in chosen(rows).items():
        console.print(f"{method}: {rates}")


if __name__ == "__main__":
    main()
