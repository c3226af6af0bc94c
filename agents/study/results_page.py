"""The data of a study, and RESULTS.md: its tables and pictures, all from the data in results/.

What they say in words is written by hand, in docs/reading-the-study.md.
`python -m agents.study.results_page` writes the page again.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from agents import files
from agents.errors import RunError
from agents.report.writing import render
from agents.study import results_pictures, results_tables
from agents.study.variants import BY_SCORE, CEILING, MAIN, REGIMES_PART
from agents.sweeps import sweep_folder
from agents.sweeps.sweep_folder import read_table

STUDY, CURVES, CONVERGENCE, INSIGHTS = "study.csv", "curves.csv", "convergence.csv", "insights.csv"
BOUNDS = "bounds.csv"
WHICH = ["scenario", "part", "variant", "seed"]
"""What tells one run of a study from another."""
HEURISTIC = "heuristic"


def study_tables(folder: Path, programs: Mapping[Path, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What study.csv and curves.csv hold, of the variants of a study in `folder` that have all
    seeds of their program (`programs`: how many). Raises `RunError` where there is none."""
    learned, best, curves = [], [], []
    for place, seeds in programs.items():
        rows = sweep_folder.gather(place)
        whole = rows.groupby(["part", "variant"])["seed"].transform("nunique") == seeds
        learned.append(rows[whole])
        measured = read_table(place, sweep_folder.CURVES).dropna(subset="greedy_profit")
        measured = measured[["run", "store_periods", "greedy_profit"]]
        curves.append(rows.loc[whole, ["run", *WHICH]].merge(measured, on="run"))
        pairs = read_table(place, sweep_folder.HEURISTICS)
        best.append(pairs.rename(columns={"heuristic": "variant"}))
    if not sum(map(len, learned)):
        raise RunError(f"{folder}: no variant is finished; allowed: one or more")
    every = pd.concat(curves).drop(columns="run")
    return study_rows(pd.concat(learned), pd.concat(best), every), every


def write_data(out: Path, tables: Mapping[str, pd.DataFrame | None]) -> None:
    """The CSV files in `out`/results; those of tables that are none are removed. Raises
    `RunError`."""
    results = files.open_folder(out / "results")
    for name, table in tables.items():
        if table is None:
            (results / name).unlink(missing_ok=True)
        else:
            files.write_table(results / name, table)


def study_rows(learned: pd.DataFrame, best: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """One row per run, with how fast and how steadily it learned, and one per store and seed for
    the best tuned pair on the same customers (part and regime `heuristic`)."""
    learning = [
        dict(zip(WHICH, key, strict=True)) | learning_of(curve)
        for key, curve in curves.groupby(WHICH)
    ]
    rows = learned.merge(pd.DataFrame(learning), on=WHICH).drop(columns="run")
    pairs = best.drop_duplicates(["scenario", "seed"])
    nothing = {"gain": 0.0, "gain_low": 0.0, "gain_high": 0.0}
    pairs = pairs.assign(part="heuristic", regime="heuristic", **nothing)
    rows = pd.concat([rows, pairs.assign(best_heuristic=pairs["variant"])], ignore_index=True)
    first = ["scenario", "part", "variant", "regime", "seed", "store_periods", "profit", "gain"]
    return rows[first + [column for column in rows.columns if column not in first]]


def learning_of(curve: pd.DataFrame) -> dict[str, float]:
    """Store-periods until the greedy profit first was 99 % of the last; the worst drop of it after
    the best, and how much it grew between the last two evaluations, in percent of the best.
    `curve` has a row per evaluation of one run."""
    curve = curve.sort_values("store_periods")
    profit = curve["greedy_profit"].to_numpy()
    there = profit >= profit[-1] - 0.01 * abs(profit[-1])
    best = int(profit.argmax())
    percent = 100 / abs(profit[best])
    return {
        "to_99_percent": float(curve["store_periods"].to_numpy()[there.argmax()]),
        "worst_drop": float(percent * (profit[best] - profit[best:].min())),
        "last_fifth": float(percent * (profit[-1] - profit[-2])) if len(profit) > 1 else math.nan,
    }


def write_page(out: Path, missing: Sequence[tuple[str, str, str]] = ()) -> None:
    """RESULTS.md in `out` and its pictures in `out`/results, from the CSV files there. `missing`:
    store, part and variant of what is not finished. Raises `RunError`."""
    folder = out / "results"
    rows, curves = (read_table(folder, name) for name in (STUDY, CURVES))
    converging, answers, most = (
        pd.read_csv(folder / name, float_precision="round_trip")
        if (folder / name).exists()
        else None
        for name in (CONVERGENCE, INSIGHTS, BOUNDS)
    )
    learned = rows[rows["part"] == REGIMES_PART]
    results_pictures.draw_gains(learned, folder / "gains.png")
    results_pictures.draw_coordination(learned, folder / "coordination.png")
    results_pictures.draw_shelves(learned, folder / "shelves.png")
    results_pictures.draw_clocks(curves[curves["part"] == REGIMES_PART], folder / "clocks.png")
    if converging is not None:
        results_pictures.draw_convergence(converging, folder / "convergence.png")
    if answers is not None:
        for scenario, own in answers.groupby("scenario"):
            results_pictures.draw_answers(own, folder / f"insights-{scenario}.png")
    read = (out / "docs" / "reading-the-study.md").exists()
    page = page_of(rows, converging, answers, missing, read, most)
    files.write_text(out / "RESULTS.md", page)


def page_of(
    rows: pd.DataFrame,
    converging: pd.DataFrame | None = None,
    answers: pd.DataFrame | None = None,
    missing: Sequence[tuple[str, str, str]] = (),
    read: bool = False,
    most: pd.DataFrame | None = None,
) -> str:
    """The page in Markdown. `rows` is study.csv, `converging` convergence.csv, `answers`
    insights.csv, `most` bounds.csv; `read` says that the page in words is there."""
    return render(
        "results.md.jinja",
        "agents.study",
        tables=results_tables,
        clocks=results_pictures.CLOCKS,
        measures=results_pictures.MEASURES,
        learned=rows[rows["part"] == REGIMES_PART],
        pairs=rows[rows["part"] == HEURISTIC],
        ablated=rows[~rows["part"].isin([REGIMES_PART, HEURISTIC, CEILING])],
        ceilings=rows[rows["part"] == CEILING],
        bases=[MAIN, BY_SCORE],
        converging=converging,
        answers=answers,
        most=most,
        missing=missing,
        read=read,
    )


if __name__ == "__main__":
    write_page(Path())
