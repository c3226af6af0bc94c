"""The study: every method on several stores and seeds, and what the parts of the main ones are
worth.

All runs on a store have the same budget of experience and start from the same tuned heuristics.
Variants that share their static settings are trained in one program; what is finished is kept.
"""

import dataclasses
import gc
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import pandas as pd

from agents import checksums, files, locks
from agents.evaluation.tuning import Effort
from agents.learning.settings import StaticConfig
from agents.report.settings import ReportConfig
from agents.report.writing import write_report
from agents.runs import run_folder
from agents.study import insights, results_page
from agents.study.bounds import bounds_of
from agents.study.results_page import BOUNDS, CONVERGENCE, CURVES, INSIGHTS, STUDY
from agents.study.results_tables import PRIMARY
from agents.study.settings import StudyConfig
from agents.study.variants import MAIN, REGIMES_PART, Variant, variants
from agents.sweeps import sweep_folder
from agents.sweeps.baselines import Stores
from agents.sweeps.engine import Engine, Progress
from agents.sweeps.grid import PlannedRun
from agents.sweeps.runner import kept_departments, started, train_planned
from agents.theory import convergence
from jaxsim import scenarios


@dataclass(frozen=True)
class Program:
    """Variants of one store and one static shape with all their seeds, trained side by side."""

    folder: Path
    runs: list[PlannedRun]

    @property
    def settings(self) -> dict[str, Any]:
        """What the folder is held against."""
        first = [run for run in self.runs if run.config.seed == self.runs[0].config.seed]
        return {
            "seeds": len(self.runs) // len(first),
            "store": first[0].scenario.model_dump(mode="json"),
            "grid": {},
            "variants": {run.settings["variant"]: dataclasses.asdict(run.config) for run in first},
        }

    @property
    def named_beforehand(self) -> bool:
        """Whether it trains a method of the comparisons that the study is for."""
        first = self.runs[0].settings
        return first["part"] == REGIMES_PART and first["variant"] in (MAIN, *PRIMARY)


def reproduce(
    config: StudyConfig, progress: Progress, chosen: list[Variant] | None = None
) -> pd.DataFrame:
    """Trains what is missing, then writes results/ and RESULTS.md; returns the rows of
    results/study.csv. Of the `chosen` variants only where there are some, and then without
    convergence. Raises `ConfigError` or `RunError` before any work is done."""
    config.validate()
    found = chosen or variants(config.quick, config.seeds_of_each, config.rounds_of_each)
    programs = programs_of(found, config.folder)
    effort = Effort().times(found[0].config.tuning_effort)
    stores = Stores(config.folder / sweep_folder.STORES, effort)
    if config.finished_only:
        with locks.opened(config.folder, "a study"):
            return _written(config, progress, found, programs, stores, not chosen)
    with (
        started(config.engine, None, config.memory, progress) as engine,
        locks.opened(config.folder, "a study"),
    ):
        train_programs(programs, config.together, stores, progress, engine)
        return _written(config, progress, found, programs, stores, not chosen)


def train_programs(
    programs: Sequence[Program],
    together: int | None,
    stores: Stores,
    progress: Progress,
    engine: Engine,
) -> None:
    """Whatever is missing of each, with at most `together` runs side by side; those of the
    comparisons named beforehand come first, for a study that is stopped."""
    ordered = sorted(programs, key=lambda each: not each.named_beforehand)
    for number, program in enumerate(ordered, 1):
        progress.announce(f"program {number} of {len(programs)}: {program.folder.name}")
        sweep_folder.open_sweep(program.folder, program.settings)
        train_planned(program.folder, program.runs, together, stores, progress, engine)
        forget_programs()


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
    begun = [each for each in programs if sweep_folder.finished_runs(each.folder)]
    seeds = {each.folder: each.settings["seeds"] for each in begun}
    rows, curves = results_page.study_tables(config.folder, seeds)
    exact = converging(config, progress) if whole else None
    answers = answering(begun, stores, progress)
    most = bounding(config.folder, begun, progress)
    tables = {
        STUDY: rows, CURVES: curves, CONVERGENCE: exact, INSIGHTS: answers, BOUNDS: most,
    }  # fmt: skip
    results_page.write_data(config.page, tables)
    there = set(zip(rows["scenario"], rows["part"], rows["variant"], strict=True))
    planned = ((each.config.scenario, each.part, each.name) for each in found)
    results_page.write_page(config.page, [each for each in planned if each not in there])
    for scenario in rows["scenario"].unique():
        folders = [each.folder for each in begun if each.runs[0].scenario.name == scenario]
        page = config.page / "results" / f"{scenario}.html"
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


def bounding(folder: Path, programs: list[Program], progress: Progress) -> pd.DataFrame:
    """What the stores of these programs can earn at most; kept in the folder for a second start."""
    found = {each.runs[0].scenario.name: each.runs[0].scenario for each in programs}
    stores = list(found.values())
    name = f"bounds-{files.key_of(stores=[each.model_dump(mode='json') for each in stores])}.csv"
    if not checksums.holds(folder, name):
        progress.announce("what each store can earn at most")
        checksums.write(folder, name, files.csv_text(bounds_of(stores)))
        forget_programs()
    return sweep_folder.read_table(folder, name)


def answering(programs: list[Program], stores: Stores, progress: Progress) -> pd.DataFrame | None:
    """How the departments of mtma answer, on every store where they were trained; kept beside
    their runs for a second start."""
    tables, looked_at = [], {"part": REGIMES_PART, "variant": MAIN}
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


def programs_of(found: Iterable[Variant], folder: Path, first_seed: int = 0) -> list[Program]:
    """Variants with their seeds, `first_seed` and those after it, in as few programs as can be,
    each in a folder that its first variant names. Raises what a training raises for settings that
    cannot be."""
    groups: dict[tuple[str, StaticConfig, int, int], list[Variant]] = {}
    for variant in found:
        variant.config.validate()
        shape = (
            variant.config.scenario, variant.config.static_config(), variant.config.iterations,
            variant.seeds,
        )  # fmt: skip
        groups.setdefault(shape, []).append(variant)
    return [
        Program(folder / _folder_name(store, members[0]), _runs_of(members, first_seed))
        for (store, *_), members in groups.items()
    ]


def _runs_of(members: Sequence[Variant], first_seed: int) -> list[PlannedRun]:
    """All seeds of each variant, one variant after the other."""
    scenario = scenarios.get(members[0].config.scenario)
    seeded = [(each, first_seed + seed) for each in members for seed in range(each.seeds)]
    return [
        PlannedRun(
            number,
            dataclasses.replace(each.config, seed=seed),
            scenario,
            {"part": each.part, "variant": each.name},
        )
        for number, (each, seed) in enumerate(seeded)
    ]


def _folder_name(store: str, first: Variant) -> str:
    return re.sub(r"[^\w]|_", "-", f"{store}-{first.part}-{first.name}")
