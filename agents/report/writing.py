"""The verb `report`, and the page that every training leaves: one file that needs no network."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from agents import files
from agents.errors import RunError
from agents.evaluation.keys import keys_of
from agents.report import page
from agents.report.data import Report, Scenes
from agents.report.results import Finished, read, results_of
from agents.report.scenes import scenes_of
from agents.report.sweeps import is_sweep, read_sweep
from agents.runs import run_folder
from agents.runs.pipeline import load_departments
from jaxsim import scenarios

REPORT = "report.html"


@dataclass(frozen=True)
class ReportConfig:
    """Write one page on a run or a sweep, or on several of the same store beside each other."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of runs or sweeps."""
    out: Path | None = None
    """The page; by default report.html in the run's folder, or in the one that holds them all."""

    @property
    def page(self) -> Path:
        folders = [each.absolute() for each in self.runs]
        return self.out or Path(os.path.commonpath(folders)) / REPORT


def write_report(config: ReportConfig) -> Path:
    """Reads the runs, looks at the policy that the page speaks of first, and writes the page.

    Raises `RunError` before anything is written.
    """
    if not config.runs:
        raise RunError("runs: none given; allowed: one folder of a run, or more")
    if config.page.is_dir():
        raise RunError(f"out: {config.page} is a folder; allowed: the name of a page")
    finished = [run for folder in dict.fromkeys(config.runs) for run in _read(folder)]
    results = results_of(finished)
    kept = [
        run for run in finished if run.group == results.group and not is_sweep(run.folder)
    ]  # a sweep keeps no weights
    report = Report(
        about=scenarios.get(finished[0].config.scenario).about,
        results=results,
        scenes=_scenes(kept[0]) if kept else None,
    )
    files.open_folder(config.page.parent)
    files.write_text(config.page, page.page_of(report))
    return config.page


def _read(folder: Path) -> list[Finished]:
    return read_sweep(folder) if is_sweep(folder) else [read(folder)]


def _scenes(run: Finished) -> Scenes:
    """The learned departments of a run at work, and the best classical pair beside them."""
    config, tuned = run.config, run_folder.read_heuristics(run.folder)
    name = run.summary["best_heuristic"]
    policies = {
        f"learned ({config.regime}, seed {config.seed})": load_departments(
            run.folder, config, tuned
        ),
        f"best classical pair ({name})": next(p.policy for p in tuned if p.name == name),
    }
    scenario = scenarios.get(config.scenario)
    return scenes_of(keys_of(config.seed)["trace"], policies, scenario, config.burn_in)
