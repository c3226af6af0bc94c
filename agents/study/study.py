"""The study: every regime on several stores and seeds, and what each part of the method is worth.

All runs have the same budget of experience and start from heuristics tuned with the same effort.
Variants that share their static settings are trained in one program; what is finished is kept.
"""

import dataclasses
import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import pandas as pd

from agents import files
from agents.errors import ConfigError, RunError
from agents.learning.config import TrainConfig, count_devices
from agents.learning.regimes import REGIMES
from agents.learning.settings import StaticConfig
from agents.report.writing import ReportConfig, write_report
from agents.study import insights, results_page
from agents.study.results_verdict import MTMA
from agents.sweeps import memory, sweep_folder
from agents.sweeps.baselines import Stores
from agents.sweeps.grid import PlannedRun
from agents.sweeps.runner import Progress, kept_departments, train_planned
from agents.theory.convergence import convergence_rows
from jaxsim import scenarios

REGIMES_PART, INSIGHTS = "regimes", "insights.csv"
STORES = ("pair", "boutique", "grocery", "grocery-dry")
QUICK_STORES = ("pair", "boutique")
ITERATIONS = {"pair": 240, "boutique": 240, "grocery": 120, "grocery-dry": 120}
"""Rounds of experience: half as many where a store has twice the products and a round takes twice
as long."""

# What differs from mtma as it is; each part is a table of its own.
ABLATIONS: dict[str, dict[str, dict[str, Any]]] = {
    "rate ratio": {
        "slow rate 1/4 of the fast": {"slow_rate": 1e-3},
        "slow rate 4 times the fast": {"slow_rate": 1.6e-2},
    },
    "exponents": {
        "0.51 and 0.6": {"fast_exponent": 0.51, "slow_exponent": 0.6},
        "0.6 and 1": {"fast_exponent": 0.6, "slow_exponent": 1.0},
        "constant rates": {"timescales": "constant"},
    },
    "fast updates to a slow one": {
        "1": {"fast_per_slow": 1},
        "2": {"fast_per_slow": 2},
    },
    "memory": {
        "none": {"replenishment_memory": "none"},
        "gru, both departments": {"replenishment_memory": "gru", "recommendation_memory": "gru"},
    },
    "critic, on one clock": {
        "one for each department": {"regime": "independent", "kpi_mix": 0.0},
    },
    "values": {"of the store, not of products": {"values": "store"}},
    "credit of an order": {
        "its own product only": {"cross_product_credit": 0.0},
        "others at 0.2": {"cross_product_credit": 0.2},
    },
}


@dataclass(frozen=True)
class StudyConfig:
    """Run the study, or what is missing of it, and write RESULTS.md from its own data."""

    quick: bool = False
    """Three seeds, two stores, a short training: minutes instead of many hours."""
    seeds: int | None = None
    """Seeds of every variant; by default 8, or 3 with --quick."""
    iterations: int | None = None
    """Rounds of experience of every run; by default 240, 120 for stores of twenty products, or 24
    with --quick."""
    out: Path = Path()
    """Folder for RESULTS.md and results/."""
    work: Path | None = None
    """Folder of the runs; by default runs/study, or runs/study-quick, in `out`."""
    memory: str | None = None
    """Most memory the trainings may take, such as 8GiB; by default most of what is free."""
    together: int | None = None
    """Most runs in one program; by default as many as fit, but on a CPU one for each device, which
    is faster there."""
    finished_only: bool = False
    """Train nothing, and write the page of the variants that are finished."""

    @property
    def folder(self) -> Path:
        return self.work or self.out / "runs" / ("study-quick" if self.quick else "study")

    @property
    def seeds_of_each(self) -> int:
        return (3 if self.quick else 8) if self.seeds is None else self.seeds

    @property
    def scenarios(self) -> tuple[str, ...]:
        return QUICK_STORES if self.quick else STORES

    @property
    def ablated(self) -> str:
        """The store of the ablations."""
        return "pair" if self.quick else "boutique"

    def training(self, scenario: str) -> TrainConfig:
        """What all runs on a store share."""
        usual = 24 if self.quick else ITERATIONS[scenario]
        return TrainConfig(
            scenario=scenario, iterations=self.iterations or usual, stores=128,
            evaluations=3 if self.quick else 8, evaluation_stores=256 if self.quick else 512,
            evaluation_periods=100, burn_in=40,
        )  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """One row of one table, before the seeds."""

    part: str
    name: str
    config: TrainConfig


def reproduce(config: StudyConfig, progress: Progress) -> str:
    """Trains what is missing, then writes results/ and RESULTS.md; returns its first paragraph.

    Raises `ConfigError` or `RunError` before any work is done.
    """
    return run_study(config, variants(config), progress, converging)


def run_study(
    config: StudyConfig,
    found: list[Variant],
    progress: Progress,
    converging: Callable[[StudyConfig, Progress], pd.DataFrame] | None = None,
) -> str:
    """As `reproduce`, of these variants; of convergence only if asked."""
    seeds, limit = config.seeds_of_each, memory.limit_of(config.memory)
    if seeds < 2:
        raise ConfigError(f"seeds: {seeds}; allowed: 2 or more, as intervals over seeds need them")
    for variant in found:
        variant.config.validate()
    stores = Stores(files.open_folder(config.folder) / sweep_folder.STORES, progress.announce)
    groups = grouped(found)
    for number, (folder, members) in enumerate(() if config.finished_only else groups.items(), 1):
        progress.announce(f"program {number} of {len(groups)}: {folder}")
        place, planned = config.folder / folder, planned_seeds(members, seeds)
        sweep_folder.open_sweep(place, settings_of(members, seeds))
        train_planned(place, planned, config.together, limit, stores, progress, count_devices(None))
        forget_programs()
    exact = None if converging is None else converging(config, progress)
    return write_study(config, groups, exact, stores, progress)


def forget_programs() -> None:
    """Unloads compiled code that the next program does not need. Every kernel takes mappings of
    memory, of which Linux lets a process have 65,530: all programs of a study need more."""
    jax.clear_caches()
    gc.collect()


def settings_of(members: list[Variant], seeds: int) -> dict[str, Any]:
    """What a group's folder is held against."""
    which = {
        f"{variant.name}: {field}": value
        for variant in members
        for field, value in dataclasses.asdict(variant.config).items()
    }
    store = scenarios.get(members[0].config.scenario).model_dump(mode="json")
    return {"seeds": seeds, "store": store} | which


def write_study(
    config: StudyConfig,
    groups: dict[str, list[Variant]],
    converging: pd.DataFrame | None,
    stores: Stores,
    progress: Progress,
) -> str:
    """RESULTS.md and results/ of the variants whose seeds are all finished; the page's first
    paragraph. Raises `RunError` where there is none."""
    begun = {
        folder: members
        for folder, members in groups.items()
        if sweep_folder.finished_runs(config.folder / folder)
    }
    learned, best, curves = [], [], []
    for folder in begun:
        place = config.folder / folder
        rows = whole_variants(sweep_folder.gather(place), config.seeds_of_each)
        curve = sweep_folder.read_table(place / sweep_folder.CURVES)
        which_run = rows[["run", "part", "variant", "scenario", "regime", "seed"]]
        learned.append(rows)
        curves.append(which_run.merge(curve.dropna(subset="greedy_profit"), on="run"))
        heuristics = sweep_folder.read_table(place / sweep_folder.HEURISTICS)
        best.append(heuristics.rename(columns={"heuristic": "variant"}))
    if not sum(map(len, learned)):
        raise RunError(f"{config.folder}: no variant is finished; allowed: one or more")
    rows = results_page.study_rows(*map(pd.concat, (learned, best, curves)))
    said = results_page.write(
        config.out,
        rows,
        pd.concat(curves),
        about(config, groups, rows),
        converging,
        answering(config, begun, stores, progress),
    )
    for scenario in rows["scenario"].unique():
        programs = [
            config.folder / folder
            for folder, members in begun.items()
            if members[0].config.scenario == scenario
        ]
        write_report(ReportConfig(tuple(programs), config.out / "results" / f"{scenario}.html"))
    return said


def whole_variants(rows: pd.DataFrame, seeds: int) -> pd.DataFrame:
    """The rows of the variants that have all their seeds."""
    return rows[rows.groupby(["part", "variant"])["seed"].transform("nunique") == seeds]


def converging(config: StudyConfig, progress: Progress) -> pd.DataFrame:
    """Policy gradient on a store solved exactly; kept in the folder for a second start."""
    seeds, updates = (2, 5_000) if config.quick else (8, 200_000)
    path = config.folder / f"convergence-{seeds}-{updates}.csv"
    if not path.exists():
        progress.announce("policy gradient on a store solved exactly")
        rows = pd.DataFrame(convergence_rows(seeds, updates, measured=12))
        files.write_text(path, rows.to_csv(index=False))
        forget_programs()
    return pd.read_csv(path)


def answering(
    config: StudyConfig, groups: dict[str, list[Variant]], stores: Stores, progress: Progress
) -> pd.DataFrame | None:
    """How the departments of mtma answer, on every store where they were trained; kept beside
    their runs for a second start."""
    tables = []
    for folder, members in groups.items():
        place = config.folder / folder
        finished = sweep_folder.finished_runs(place)
        looked_at = [
            run
            for run in planned_seeds(members, config.seeds_of_each)
            if run.settings == {"part": REGIMES_PART, "variant": MTMA}
            and run.config.seed < insights.SEEDS
        ]
        if not looked_at or not {run.number for run in looked_at} <= finished:
            continue
        path = place / INSIGHTS
        if not path.exists():
            first = looked_at[0]
            progress.announce(f"how the learned departments answer on {first.scenario.name}")
            learned = [kept_departments(place, run, stores) for run in looked_at]
            best = stores.tuned(first.scenario)[0]
            rows = insights.insights_of(first.config, first.scenario, learned, best)
            files.write_text(path, rows.to_csv(index=False, float_format="%.6g"))
            forget_programs()
        tables.append(pd.read_csv(path))
    return pd.concat(tables, ignore_index=True) if tables else None


def variants(config: StudyConfig) -> list[Variant]:
    """Every regime on every store, and the ablations on one."""
    found = [
        Variant(REGIMES_PART, regime, dataclasses.replace(config.training(store), regime=regime))
        for store in config.scenarios
        for regime in REGIMES
    ]
    ablated = config.training(config.ablated)
    for part, changes in ABLATIONS.items():
        for name, change in changes.items():
            found.append(Variant(part, name, dataclasses.replace(ablated, **change)))
    return found


def grouped(found: Iterable[Variant]) -> dict[str, list[Variant]]:
    """Variants of one store and one static shape, which one program trains, by a folder's name."""
    groups: dict[tuple[str, StaticConfig], list[Variant]] = {}
    for variant in found:
        groups.setdefault((variant.config.scenario, variant.config.static_config()), []).append(
            variant
        )
    return {
        _plain(f"{scenario}-{members[0].part}-{members[0].name}"): members
        for (scenario, _), members in groups.items()
    }


def planned_seeds(members: list[Variant], seeds: int) -> list[PlannedRun]:
    """Every variant of a group with every seed; each run is checked as a training alone is."""
    planned = []
    for variant in members:
        for seed in range(seeds):
            run = dataclasses.replace(variant.config, seed=seed)
            run.validate()
            which = {"part": variant.part, "variant": variant.name}
            scenario = scenarios.get(run.scenario)
            planned.append(PlannedRun(len(planned), run, scenario, which))
    return planned


def about(
    config: StudyConfig, groups: dict[str, list[Variant]], rows: pd.DataFrame
) -> dict[str, Any]:
    """What the page says of how it was made, and of what it is not made yet."""
    found = [variant for members in groups.values() for variant in members]
    there = set(zip(rows["scenario"], rows["part"], rows["variant"], strict=True))
    missing = [
        {"scenario": each.config.scenario, "part": each.part, "variant": each.name}
        for each in found
        if (each.config.scenario, each.part, each.name) not in there
    ]
    training = found[0].config
    return {
        "quick": config.quick,
        "seeds": config.seeds_of_each,
        "ablated": config.ablated,
        "evaluation_stores": training.evaluation_stores,
        "evaluation_periods": training.evaluation_periods,
        "variants": len(found),
        "missing": missing,
    }


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)
