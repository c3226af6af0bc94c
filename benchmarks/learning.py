"""What the learner reaches, and in what time: `python -m benchmarks.learning`.

Each row is a store, the settings of one training, and several seeds; a seed's training, validation
and evaluation customers are its own, and none of these seeds was used to choose a setting. Gains
are over the best tuned pair on the same customers, gaps to the exact optimum. Every seed leaves a
file, so that what was measured is not measured again. Writes benchmarks/learning.json.
"""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from agents.evaluation.agreement import agreement
from agents.evaluation.comparison import compare
from agents.evaluation.keys import keys_of
from agents.evaluation.statistics import estimate
from agents.evaluation.tuning import TunedPair, tune
from agents.files import open_folder, read_json, write_json
from agents.learning.config import TrainConfig
from agents.learning.regimes import RegimeName
from agents.learning.training import chunks, prepared
from agents.policies.departments import Departments
from agents.runs import run_folder
from benchmarks import command, published_grids
from benchmarks.measure import machine
from benchmarks.published_grids import GRIDS, Grid, Optimal
from jaxsim import scenarios
from jaxsim.exact.optimum import optimum
from jaxsim.exact.policy import policy_of
from jaxsim.params import UNLIMITED, Params

Settings = dict[str, Any]
STORES = 1024  # of the final evaluation
TOLERANCE = 1e-4  # of the exact optimum, money per period
KPIS = ("waste", "availability", "service_level")
"""Kept of the learned departments and of the best pair: see `agents.evaluation.simulation.kpis`."""


@dataclass(frozen=True)
class Row:
    """A store, what of it is changed, and how it is trained."""

    name: str
    scenario: str
    settings: Settings
    change: Callable[[Params], Params] = lambda params: params
    of: str = ""  # the row whose store this is, so that it is tuned once
    exact: bool = False  # the gap to the exact optimum is measured too
    periods: int = 200
    burn_in: int = 60

    @property
    def params(self) -> Params:
        return self.change(scenarios.get(self.scenario).params())

    def config(self, seed: int) -> TrainConfig:
        return TrainConfig(
            scenario=self.scenario, seed=seed, evaluation_stores=512,
            evaluation_periods=self.periods, burn_in=self.burn_in, **self.settings,
        )  # fmt: skip


def _visible(params: Params) -> Params:
    return params.replace(hide_stockouts=jnp.asarray(False))


def _scarce(params: Params) -> Params:
    return params.replace(max_order=jnp.array([1.0, UNLIMITED]))


def _loyal(params: Params) -> Params:
    """Goodwill as in the first version: it does not know of customers whom hidden products cost."""
    return params.replace(
        goodwill_rate=jnp.float32(0.02),
        goodwill_target=jnp.float32(0.95),
        charge_missed=jnp.asarray(False),
    )


SMALL: Settings = dict(
    stores=64, horizon=42, tail=7, replenishment_memory="none", fast_rate=1e-2, slow_rate=4e-3
)
"""For stores of two products, whose optimum is known."""
APART: tuple[RegimeName, ...] = ("silo", "independent", "priced")
"""Regimes in which the departments do not share one aim."""
LOYAL = dict(change=_loyal, periods=400, burn_in=200)

ROWS = (
    Row("grocery-v1-10s", "grocery-v1", dict(iterations=120, evaluations=1), of="grocery-v1-60s"),
    Row("grocery-v1-60s", "grocery-v1", {}),
    Row("grocery-v1-long", "grocery-v1", dict(iterations=6400), of="grocery-v1-60s"),
    Row("grocery-v1-visible-60s", "grocery-v1", {}, _visible),
    Row("boutique-v1-30s", "boutique-v1", {}),
    Row("pair-15s", "pair", SMALL | dict(iterations=720), exact=True),
    Row("scarce-pair", "pair", SMALL | dict(iterations=720), _scarce, exact=True),
    Row("goodwill-pair", "pair", SMALL | dict(iterations=480), **LOYAL),
    Row("goodwill-boutique", "boutique-v1", dict(stores=64, horizon=42, tail=7, iterations=480),
        **LOYAL),
    Row("grocery", "grocery", {}),
    *(Row(f"grocery-{regime}", "grocery", dict(regime=regime), of="grocery") for regime in APART),
    Row("scarce", "scarce", {}),
    Row("loyal", "loyal", {}, periods=400, burn_in=200),
    Row("fresh", "fresh", {}),
    Row("fresh-silo", "fresh", dict(regime="silo"), of="fresh"),
)  # fmt: skip
NAMES = (*(row.name for row in ROWS), *(grid.name for grid in GRIDS))


@dataclass(frozen=True)
class Config:
    """Train on several seeds, and write what they reach."""

    out: Path = Path("benchmarks/learning.json")
    """File for the rows."""
    work: Path = Path("runs/benchmark-learning")
    """Folder for tuned pairs and for what each seed came to."""
    rows: tuple[str, ...] = NAMES
    """Which rows."""
    seeds: int = 8
    """Trainings of each row."""
    first_seed: int = 100
    """Their seeds are this one and those after it."""
    workers: int = 1
    """Processes side by side, each on cores of its own. Seconds are to be read with this number."""


def measured(row: Row, seeds: list[int], work: Path) -> None:
    """Trains with each seed that has no file yet, by one compiled program, and leaves its file."""
    params, pairs = row.params, tuned_pairs(row, work)
    seeds = [seed for seed in seeds if not _path(work, row.name, seed).exists()]
    if not seeds:
        return
    exact = policy_of(optimum(params, tolerance=TOLERANCE)) if row.exact else None
    program = None
    for seed in seeds:
        training = prepared(row.config(seed), params, pairs)
        start, began = training.start(), time.perf_counter()
        program = program or training.compiled(start.train_state)
        compile_seconds = time.perf_counter() - began
        steps = list(chunks(training, program, start))
        snapshot, frames = steps[-1][0], [news for _, news in steps]
        learned = training.best(snapshot)
        last = training.departments(snapshot.train_state)
        policies = {"gain": learned, "gain_at_the_end": last}
        found = compared(row, policies, pairs[0], params, seed) | {
            "seed": seed,
            "store_periods": snapshot.store_periods,
            "seconds": snapshot.seconds,
            "compile_seconds": compile_seconds,
            "curve": [float(each) for frame in frames for each in frame.greedy_profit.dropna()],
        }
        if exact is not None:
            key = keys_of(seed)["evaluate"]
            found["gap_percent"] = agreement(key, learned, exact, params).gap_percent
        write_json(_path(work, row.name, seed), found)


def compared(
    row: Row, policies: dict[str, Departments], pair: TunedPair, params: Params, seed: int
) -> dict[str, Any]:
    """Each policy's profit per period over the tuned pair, on the seed's evaluation customers, and
    the `KPIS` of the first one (`learned`) and of the pair."""
    sizes = STORES, row.periods, row.burn_in
    every = policies | {pair.name: pair.policy}
    rows = compare(keys_of(seed)["evaluate"], every, params, *sizes, [pair.name]).rows
    whose = {"learned": rows[next(iter(policies))], "pair": rows[pair.name]}
    return {name: rows[name]["difference_to_best_heuristic"] for name in policies} | {
        "kpis": {who: {kpi: own[kpi] for kpi in KPIS} for who, own in whose.items()}
    }


def tuned_pairs(row: Row, work: Path) -> list[TunedPair]:
    """Every pair tuned on the row's store, once."""
    folder = open_folder(work / (row.of or row.name))
    if not (folder / run_folder.HEURISTICS).exists():
        run_folder.write_heuristics(folder, tune(row.params))
    return run_folder.read_heuristics(folder)


def grid_measured(grid: Grid, seeds: list[int], work: Path) -> None:
    """All stores of a grid in one sweep for each seed that has no file yet."""
    solved: dict[str, Optimal] = {}
    for seed in seeds:
        if not _path(work, grid.name, seed).exists():
            write_json(_path(work, grid.name, seed), published_grids.measured(grid, seed, solved))


def table(config: Config) -> list[dict[str, Any]]:
    """A row for each that has seeds, with 95 % t-intervals over them."""
    found = []
    for row in ROWS:
        seeds = _seeds_of(config.work, row.name)
        if seeds:
            gaps = [each["gap_percent"] for each in seeds if "gap_percent" in each]
            found.append(
                _shared(row.name, row.scenario, seeds)
                | {"regime": row.config(0).regime}
                | estimated("gain", [each["gain"] for each in seeds])
                | (estimated("gap_percent", gaps) if gaps else {})
                | _mean_kpis(seeds)
            )
    for grid, (name, over) in itertools.product(GRIDS, (("mean", np.mean), ("worst", np.max))):
        seeds = _seeds_of(config.work, grid.name)
        if seeds:
            gaps = [float(over(list(each["gaps"].values()))) for each in seeds]
            shared = _shared(f"{grid.name}-{name}", grid.about, seeds)
            found.append(shared | estimated("gap_percent", gaps))
    return found


def _shared(name: str, scenario: str, seeds: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "scenario": scenario,
        "learner": "path",
        "seeds": len(seeds),
        "store_periods": seeds[0]["store_periods"],
        "seconds": float(np.median([each["seconds"] for each in seeds])),
    }


def estimated(name: str, values: list[float]) -> dict[str, Any]:
    """Mean and 95 % t-interval over seeds; none of too few."""
    found = estimate(np.array(values))
    return {name: found.mean, f"{name}_ci95": [found.low, found.high]}


def _mean_kpis(seeds: list[dict[str, Any]]) -> dict[str, Any]:
    """Each KPI of the learned departments and of the pair, mean over seeds; none where a seed's
    file is older than they are."""
    if not all("kpis" in each for each in seeds):
        return {}
    return {
        "kpis": {
            who: {kpi: float(np.mean([each["kpis"][who][kpi] for each in seeds])) for kpi in KPIS}
            for who in ("learned", "pair")
        }
    }


def _path(work: Path, name: str, seed: int) -> Path:
    return work / name / f"seed-{seed}.json"


def _seeds_of(work: Path, name: str) -> list[dict[str, Any]]:
    return [read_json(path) for path in sorted((work / name).glob("seed-*.json"))]


def _one(config: Config, name: str) -> None:
    """The seeds of one row; with none, its store is tuned and that is all."""
    seeds = list(range(config.first_seed, config.first_seed + config.seeds))
    open_folder(config.work / name)
    grid = next((grid for grid in GRIDS if grid.name == name), None)
    if grid is not None:
        grid_measured(grid, seeds, config.work)
    else:
        measured(next(row for row in ROWS if row.name == name), seeds, config.work)


def _side_by_side(config: Config) -> None:
    """Stores are tuned first; then half of a row's seeds is a process, on cores of its own."""
    cores = sorted(psutil.Process().cpu_affinity())
    free = [cores[at :: config.workers] for at in range(config.workers)]

    def run(name: str, first: int, seeds: int) -> None:
        own = free.pop()
        flags = ["--rows", name, "--seeds", str(seeds), "--first-seed", str(first)]
        subprocess.run(
            [sys.executable, "-m", "benchmarks.learning", *flags, "--work", str(config.work),
             "--out", os.devnull],
            preexec_fn=lambda: os.sched_setaffinity(0, own),
            stdout=subprocess.DEVNULL,
            check=True,
        )  # fmt: skip
        free.append(own)

    stores = [row.name for row in ROWS if row.name in config.rows and not row.of]
    half = config.seeds // 2
    parts = [
        (config.first_seed, config.seeds - half),
        (config.first_seed + config.seeds - half, half),
    ]
    with ThreadPoolExecutor(config.workers) as pool:
        list(pool.map(lambda name: run(name, config.first_seed, 0), stores))
        halves = [(name, *part) for name in config.rows for part in parts if part[1]]
        list(pool.map(lambda each: run(*each), halves))


def main(config: Config) -> None:
    if config.workers > 1:
        _side_by_side(config)
    else:
        for name in config.rows:
            _one(config, name)
    if config.out == Path(os.devnull):
        return
    rows = table(config)
    write_json(config.out, {"machine": machine(), "workers": config.workers, "rows": rows})
    shown = Table("row", "seeds", "store-periods", "s", "gain", "gap %")
    for row in rows:
        gained, gap = row.get("gain"), row.get("gap_percent")
        shown.add_row(
            row["name"], str(row["seeds"]), f"{row['store_periods']:,}", f"{row['seconds']:.0f}",
            "" if gained is None else f"{gained:+.2f}", "" if gap is None else f"{gap:.3f}",
        )  # fmt: skip
    Console().print(shown)


if __name__ == "__main__":
    command.run(main, Config)
