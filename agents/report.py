"""The verb `report`, and the page that every training leaves: one file that needs no network."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from agents import report_page, runs
from agents.report_data import Report, Scenes
from agents.report_results import Finished, read, results_of
from agents.report_scenes import scenes_of
from agents.training import load_departments, trace_key
from jaxsim import scenarios

REPORT = "report.html"


@dataclass(frozen=True)
class ReportConfig:
    """Write one page on a run, or on several runs of the same store beside each other."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of the runs."""
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
        raise runs.RunError("runs: none given; allowed: one folder of a run, or more")
    finished = [read(folder) for folder in dict.fromkeys(config.runs)]
    results = results_of(finished)
    shown = next(run for run in finished if run.config.regime == results.regime)
    about = scenarios.get(shown.config.scenario).about
    report = Report(about=about, results=results, scenes=_scenes(shown))
    runs.open_folder(config.page.parent)
    runs.write_text(config.page, report_page.page_of(report))
    return config.page


def _scenes(run: Finished) -> Scenes:
    """The learned departments of a run at work, and the best classical pair beside them."""
    config, tuned = run.config, runs.read_heuristics(run.folder)
    name = run.summary["best_heuristic"]
    policies = {
        f"learned ({config.regime}, seed {config.seed})": load_departments(
            run.folder, config, tuned
        ),
        f"best classical pair ({name})": next(p.policy for p in tuned if p.name == name),
    }
    scenario = scenarios.get(config.scenario)
    return scenes_of(trace_key(config.seed), policies, scenario, config.burn_in)
