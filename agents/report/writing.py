"""The verb `report`, and the page that every training leaves: one file that needs no network.

Pictures that are rows of bars are HTML lists and tables, so that they can be read aloud, printed
and read on a phone; lines are drawn by `agents.report.figures`; the player by `player.js`, and
`ageing.js` where goods age, from the numbers that the page carries.
"""

import math
from pathlib import Path
from typing import Any

import jinja2

from agents import files
from agents.evaluation.keys import keys_of
from agents.learning.config import TrainConfig
from agents.learning.regimes import REGIMES
from agents.report.pairs import dominated, hidden_line
from agents.report.pictures import learning_charts
from agents.report.results import STEPS, Finished, Results, read, results_of, rounded
from agents.report.scenes import Scenes, scenes_of
from agents.report.settings import ReportConfig
from agents.report.sweeps import read_sweep
from agents.report.tables import absence_lines
from agents.runs import run_folder
from agents.runs.pipeline import load_departments
from agents.sweeps import sweep_folder
from agents.sweeps.layout import is_sweep
from jaxsim.scenarios.scenario import Scenario


def write_report(config: ReportConfig) -> Path:
    """Reads the runs, looks at the policy that the page speaks of first, and writes the page.
    Raises `RunError` before anything is written."""
    config.validate()
    finished = []
    for folder in dict.fromkeys(config.runs):
        finished += read_sweep(folder) if is_sweep(folder) else [read(folder)]
    results = results_of(finished)
    # A sweep keeps no weights where a report looks for them.
    kept = [run for run in finished if run.group == results.group and not is_sweep(run.folder)]
    scenario = _scenario(finished[0].folder)
    page = page_of(scenario, results, _scenes(kept[0]) if kept else None, config.all_pairs)
    files.open_folder(config.page.parent)
    files.write_text(config.page, page)
    return config.page


def page_of(
    scenario: Scenario, results: Results, scenes: Scenes | None, all_pairs: bool = False
) -> str:
    """The whole page on trainings of this store; `scenes` show one policy at work, where its
    weights were kept. Pairs that are dominated are on it if `all_pairs` are asked for."""
    profits = {row.name: row.profit for row in results.rows if not row.learned}
    hidden = [] if all_pairs else dominated(profits)
    shown = next(run for run in results.trainings if run.group == results.group)
    first = next(curve for curve in results.curves if curve.group == results.group)
    return render(
        "report.html.jinja",
        about=scenario.about,
        results=results,
        hidden=hidden,
        hidden_line=hidden_line(hidden),
        absences=absence_lines(shown.summary, scenario.products),
        scenes=scenes,
        learning=learning_charts(results.curves, results.best_profit, first),
        why={label: why for label, (why, _) in STEPS.items()},
        regimes={name: regime.about for name, regime in REGIMES.items()},
        usual=vars(TrainConfig()),
    )


def render(template: str, package: str = "agents.report", **what: Any) -> str:
    """A page from one of a package's templates; what stands in HTML is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=template.endswith(".html.jinja"),
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"money": money, "signed": signed, "at": at, "rounded": rounded}
    return environment.get_template(template).render(**what)


def at(value: float, low: float, high: float) -> str:
    """Where a value lies between two, as a CSS percentage."""
    return f"{100 * (value - low) / (high - low or 1):.2f}%"


def money(value: float, decimals: int) -> str:
    """With a comma between thousands; a dash where it cannot be computed."""
    return "–" if math.isnan(value) else f"{value:,.{decimals}f}"


def signed(value: float, decimals: int) -> str:
    """With its sign, a true minus, and no minus zero; a dash where it cannot be computed."""
    if math.isnan(value):
        return "–"
    text = f"{value:+,.{decimals}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else f"{0:.{decimals}f}"


def _scenario(folder: Path) -> Scenario:
    """The store as it was when the run or the sweep was made."""
    home = sweep_folder if is_sweep(folder) else run_folder
    return home.read_scenario(folder)


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
    return scenes_of(keys_of(config.seed)["trace"], policies, _scenario(run.folder), config.burn_in)
