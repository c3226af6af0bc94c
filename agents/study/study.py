"""The study: every regime on several stores and seeds, and what each part of the method is worth.

All runs have the same budget of experience and start from heuristics tuned with the same effort.
Variants that share their static settings are trained in one program; what is finished is kept.
"""

import dataclasses
import gc
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import pandas as pd

from agents import checksums, files, locks
from agents.evaluation.tuning import Effort
from agents.learning.config import TrainConfig
from agents.learning.regimes import REGIMES
from agents.learning.settings import StaticConfig
from agents.report.settings import ReportConfig
from agents.report.writing import write_report
from agents.runs import run_folder
from agents.study import insights, results_page
from agents.study.results_page import CONVERGENCE, CURVES, INSIGHTS, REGIMES_PART, STUDY
from agents.study.settings import QUICK_STORES, STORES, StudyConfig
from agents.sweeps import sweep_folder
from agents.sweeps.baselines import Stores
from agents.sweeps.engine import Progress
from agents.sweeps.grid import PlannedRun
from agents.sweeps.runner import kept_departments, started, train_planned
from agents.theory import convergence
from jaxsim import scenarios

ABLATIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("rate ratio", "slow rate 1/4 of the fast"): {"slow_rate": 1e-3},
    ("rate ratio", "slow rate 4 times the fast"): {"slow_rate": 1.6e-2},
    ("exponents", "0.51 and 0.6"): {"fast_exponent": 0.51, "slow_exponent": 0.6},
    ("exponents", "0.6 and 1"): {"fast_exponent": 0.6, "slow_exponent": 1.0},
    ("exponents", "constant rates"): {"timescales": "constant"},
    ("fast updates to a slow one", "2"): {"fast_per_slow": 2},
    ("fast updates to a slow one", "4"): {"fast_per_slow": 4},
    ("memory", "none"): {"replenishment_memory": "none"},
    ("memory", "gru, both departments"): {
        "replenishment_memory": "gru", "recommendation_memory": "gru",
    },
    ("critic, on one clock", "one for each department"): {"regime": "independent", "kpi_mix": 0.0},
    ("values", "of the store, not of products"): {"values": "store"},
    ("values", "learned after the departments"): {"critic_first": False},
    ("noise", "no common customers"): {"crn_group": 1},
    ("noise", "no control variate"): {"control_variate": 0.0},
    ("noise", "neither"): {"crn_group": 1, "control_variate": 0.0},
    ("credit of an order", "its own product only"): {"cross_product_credit": 0.0},
    ("credit of an order", "others at 0.2"): {"cross_product_credit": 0.2},
}  # fmt: skip
"""What differs from mtma as it is, by the part of the method (a table of its own) and its name."""


@dataclass(frozen=True)
class Variant:
    """One row of one table, before the seeds."""

    part: str
    name: str
    config: TrainConfig


@dataclass(frozen=True)
class Program:
    """Variants of one store and one static shape with all their seeds, trained side by side."""

    folder: Path
    runs: list[PlannedRun]

    @property
    def settings(self) -> dict[str, Any]:
        """What the folder is held against."""
        first = [run for run in self.runs if run.config.seed == 0]
        return {
            "seeds": len(self.runs) // len(first),
            "store": first[0].scenario.model_dump(mode="json"),
            "grid": {},
            "variants": {run.settings["variant"]: dataclasses.asdict(run.config) for run in first},
        }


def reproduce(
    config: StudyConfig, progress: Progress, chosen: list[Variant] | None = None
) -> pd.DataFrame:
    """Trains what is missing, then writes results/ and RESULTS.md; returns the rows of
    results/study.csv. Of the `chosen` variants only where there are some, and then without
    convergence. Raises `ConfigError` or `RunError` before any work is done."""
    config.validate()
    found = chosen or variants(config)
    programs = programs_of(found, config.folder, config.seeds_of_each)
    effort = Effort().times(found[0].config.tuning_effort)
    stores = Stores(config.folder / sweep_folder.STORES, effort)
    if config.finished_only:
        with locks.opened(config.folder, "a study"):
            return _written(config, progress, found, programs, stores, not chosen)
    with (
        started(config.engine, None, config.memory, progress) as engine,
        locks.opened(config.folder, "a study"),
    ):
        for number, program in enumerate(programs, 1):
            progress.announce(f"program {number} of {len(programs)}: {program.folder.name}")
            sweep_folder.open_sweep(program.folder, program.settings)
            train_planned(program.folder, program.runs, config.together, stores, progress, engine)
            forget_programs()
        return _written(config, progress, found, programs, stores, not chosen)


def _written(
    config: StudyConfig,
    progress: Progress,
    found: list[Variant],
    programs: list[Program],
    stores: Stores,
    whole: bool,
) -> pd.DataFrame:
    """Writes what the programs came to, as far as they are finished. `whole`: the study is not one
    of chosen variants."""
    seeds = config.seeds_of_each
    begun = [each for each in programs if sweep_folder.finished_runs(each.folder)]
    rows, curves = results_page.study_tables(config.folder, [each.folder for each in begun], seeds)
    exact = converging(config, progress) if whole else None
    answers = answering(begun, stores, progress)
    tables = {STUDY: rows, CURVES: curves, CONVERGENCE: exact, INSIGHTS: answers}
    results_page.write_data(config.out, tables)
    there = set(zip(rows["scenario"], rows["part"], rows["variant"], strict=True))
    planned = ((each.config.scenario, each.part, each.name) for each in found)
    results_page.write_page(config.out, [each for each in planned if each not in there])
    for scenario in rows["scenario"].unique():
        folders = [each.folder for each in begun if each.runs[0].scenario.name == scenario]
        page = config.out / "results" / f"{scenario}.html"
        write_report(ReportConfig(tuple(folders), page))
    return rows


def converging(config: StudyConfig, progress: Progress) -> pd.DataFrame:
    """Policy gradient on a store solved exactly; kept in the folder for a second start."""
    seeds, updates = (2, 5_000) if config.quick else (8, 200_000)
    sizes = {"seeds": seeds, "updates": updates, "measured": 12}
    name = f"convergence-{files.key_of(**sizes, **convergence.settings())}.csv"
    if not checksums.holds(config.folder, name):
        progress.announce("policy gradient on a store solved exactly")
        rows = convergence.convergence_rows(**sizes)
        checksums.write(config.folder, name, files.csv_text(rows))
        forget_programs()
    return sweep_folder.read_table(config.folder, name)


def answering(programs: list[Program], stores: Stores, progress: Progress) -> pd.DataFrame | None:
    """How the departments of mtma answer, on every store where they were trained; kept beside
    their runs for a second start."""
    tables, looked_at = [], {"part": REGIMES_PART, "variant": "mtma"}
    for program in programs:
        finished = sweep_folder.finished_runs(program.folder)
        runs = [run for run in program.runs if run.settings == looked_at][: insights.SEEDS]
        if not runs or not {run.number for run in runs} <= finished:
            continue
        scenario, best = runs[0].scenario, stores.tuned(runs[0].scenario)[0]
        key = files.key_of(
            store=scenario.model_dump(mode="json"),
            runs=[dataclasses.asdict(run.config) for run in runs],
            tuned=run_folder.heuristic_as_json(best),
            settings=insights.settings(),
        )
        name = f"insights-{key}.csv"
        if not checksums.holds(program.folder, name):
            progress.announce(f"how the learned departments answer on {scenario.name}")
            learned = [kept_departments(program.folder, run, stores) for run in runs]
            rows = insights.insights_of(runs[0].config, scenario, learned, best)
            text = files.csv_text(rows, "%.6g")
            checksums.write(program.folder, name, text)
            forget_programs()
        tables.append(sweep_folder.read_table(program.folder, name))
    return pd.concat(tables, ignore_index=True) if tables else None


def forget_programs() -> None:
    """Unloads compiled code that the next program does not need. Every kernel takes mappings of
    memory, of which Linux lets a process have 65,530: all programs of a study need more."""
    jax.clear_caches()
    gc.collect()


def variants(config: StudyConfig) -> list[Variant]:
    """Every regime on every store, and the ablations on one."""
    found = [
        Variant(REGIMES_PART, regime, dataclasses.replace(config.training(store), regime=regime))
        for store in (QUICK_STORES if config.quick else STORES)
        for regime, each in REGIMES.items()
        if not each.charged  # which has no form for the score function
    ]
    ablated = config.training("pair" if config.quick else "boutique")
    return found + [
        Variant(part, name, dataclasses.replace(ablated, **change))
        for (part, name), change in ABLATIONS.items()
    ]


def programs_of(found: Iterable[Variant], folder: Path, seeds: int) -> list[Program]:
    """Variants with their seeds in as few programs as can be, each in a folder that its first
    variant names. Raises what a training raises for settings that cannot be."""
    groups: dict[tuple[str, StaticConfig], list[Variant]] = {}
    for variant in found:
        variant.config.validate()
        shape = (variant.config.scenario, variant.config.static_config())
        groups.setdefault(shape, []).append(variant)
    programs = []
    for (store, _), members in groups.items():
        scenario, first = scenarios.get(store), members[0]
        runs = [
            PlannedRun(
                seeds * number + seed,
                dataclasses.replace(variant.config, seed=seed),
                scenario,
                {"part": variant.part, "variant": variant.name},
            )
            for number, variant in enumerate(members)
            for seed in range(seeds)
        ]
        name = re.sub(r"[^\w]|_", "-", f"{store}-{first.part}-{first.name}")
        programs.append(Program(folder / name, runs))
    return programs
