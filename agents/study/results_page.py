"""From the rows of a study to RESULTS.md: every number on the page is computed here from data."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agents import files
from agents.evaluation.statistics import (
    apart,
    bootstrap_interval,
    interquartile_mean,
    paired_difference,
    probability_of_improvement,
)
from agents.study.markdown import table
from agents.study.results_convergence import convergence
from agents.study.results_insights import insights
from agents.study.results_pictures import draw_answers, draw_clocks, draw_convergence, draw_gains
from agents.study.results_verdict import MTMA, ONE_CLOCK, missing, verdict

HEURISTIC, REGIMES = "heuristic", "regimes"
CLOCKS = {"joint": "equal", "mtma": "three", "mtma-reversed": "three, departments swapped"}
BASES = {"critic, on one clock": "joint"}  # of an ablation, where it is not mtma


# -- data ----------------------------------------------------------------------------------------


def study_rows(learned: pd.DataFrame, best: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """One row per run, with how fast and how steadily it learned, and one per store and seed for
    the best tuned pair on the same customers (regime `heuristic`)."""
    which = ["scenario", "part", "variant", "seed"]
    learning = [
        dict(zip(which, key, strict=True)) | learning_of(curve)
        for key, curve in curves.groupby(which)
    ]
    rows = learned.merge(pd.DataFrame(learning), on=which).drop(columns="run")
    pairs = best.drop_duplicates(["scenario", "seed"])
    pairs = pairs.assign(part=HEURISTIC, regime=HEURISTIC, gain=0.0, gain_low=0.0, gain_high=0.0)
    rows = pd.concat([rows, pairs.assign(best_heuristic=pairs["variant"])], ignore_index=True)
    first = ["scenario", "part", "variant", "regime", "seed", "store_periods", "profit", "gain"]
    return rows[first + [column for column in rows.columns if column not in first]]


def learning_of(curve: pd.DataFrame) -> dict[str, float]:
    """Store-periods until the greedy profit first was 99 % of the last, and the worst drop of it
    after the best, in percent of the best."""
    curve = curve.sort_values("store_periods")
    profit = curve["greedy_profit"].to_numpy()
    there = profit >= profit[-1] - 0.01 * abs(profit[-1])
    best = int(profit.argmax())
    return {
        "to_99_percent": float(curve["store_periods"].to_numpy()[there.argmax()]),
        "worst_drop": float(100 * (profit[best] - profit[best:].min()) / abs(profit[best])),
    }


def write(
    out: Path,
    rows: pd.DataFrame,
    curves: pd.DataFrame,
    about: dict[str, Any],
    converging: pd.DataFrame | None,
    answers: pd.DataFrame | None,
) -> str:
    """results/study.csv, curves.csv, convergence.csv, insights.csv and pictures, then RESULTS.md;
    returns its first paragraph. `converging`: rows of `agents.theory.convergence`, if that was run;
    `answers`: of `agents.study.insights`, if departments of mtma were trained."""
    folder = files.open_folder(out / "results")
    files.write_text(folder / "study.csv", rows.to_csv(index=False))
    kept = ["scenario", "part", "variant", "seed", "store_periods", "greedy_profit"]
    files.write_text(folder / "curves.csv", curves[kept].to_csv(index=False))
    draw_gains(rows[rows["part"] == REGIMES], folder / "gains.png")
    clocks = curves[(curves["part"] == REGIMES) & curves["variant"].isin(list(CLOCKS))]
    draw_clocks(clocks, CLOCKS, folder / "clocks.png")
    if converging is not None:
        files.write_text(folder / "convergence.csv", converging.to_csv(index=False))
        draw_convergence(converging, folder / "convergence.png")
    if answers is not None:
        files.write_text(folder / "insights.csv", answers.to_csv(index=False))
        for scenario, own in answers.groupby("scenario"):
            draw_answers(own, folder / f"insights-{scenario}.png")
    whole = page(rows, about, converging, answers)
    files.write_text(out / "RESULTS.md", whole)
    return whole.split("\n\n")[1]


# -- the page ------------------------------------------------------------------------------------


def page(
    rows: pd.DataFrame,
    about: dict[str, Any],
    converging: pd.DataFrame | None = None,
    answers: pd.DataFrame | None = None,
) -> str:
    """RESULTS.md. `rows` is study.csv, `converging` convergence.csv, `answers` insights.csv."""
    learned = rows[rows["part"] == REGIMES]
    again = "python train.py reproduce" + " --quick" * about["quick"]
    parts = [
        "# Results",
        verdict(learned, about),
        f"Written by `{again}` from [results/study.csv](results/study.csv), a row per run. Every "
        f"run learned from {budgets(learned)}, with the same settings but "
        f"for what a table names; {about['seeds']} seeds each. Profit is money per period, without "
        f"exploration, on {about['evaluation_stores']:,} stores × {about['evaluation_periods']} "
        "periods of customers that nothing was learned or tuned on, the same for all ways to learn "
        "with one seed. *Gain* is over the best tuned pair of heuristics on the same customers. "
        "Brackets are 95 % bootstrap intervals of the interquartile mean over seeds.",
        "## Profit by regime",
    ]
    for scenario, group in learned.groupby("scenario", sort=False):
        heuristics = rows[(rows["part"] == HEURISTIC) & (rows["scenario"] == scenario)]
        parts += [
            f"### {scenario}",
            regime_table(group, heuristics),
            apart_from_the_pair(group),
            f"All its runs as a report: `results/{scenario}.html`, written beside this page.",
        ]
    parts += [
        "![Gain over the best tuned pair, by regime](results/gains.png)",
        "## Clocks: speed and stability",
        "`joint` keeps one clock, `mtma` three, `mtma-reversed` three with the departments' "
        "swapped. *Profit* run by run on the same seed: mean over seeds with its 95 % bootstrap "
        "interval. *Speed*: store-periods until the greedy profit on validation customers first "
        "was 99 % of the last, median over seeds. *Spread*: standard deviation of the gain over "
        "seeds. *Worst drop*: of that profit after its best, the worst seed.",
        clock_table(learned),
        "![Greedy profit while learning, by clocks](results/clocks.png)",
    ]
    ablations = ablation_tables(rows, about["ablated"])
    if ablations:
        parts += [
            f"## What the parts are worth, on {about['ablated']}",
            "Each table changes one thing. *Difference* is to the first line, run by run on the "
            "same seed: mean over seeds with its 95 % bootstrap interval.",
            ablations,
        ]
    if converging is not None:
        parts += ["## Convergence", *convergence(converging)]
    if answers is not None:
        parts += ["## Insights", *insights(answers)]
    parts += missing(about)
    return "\n\n".join(part for part in parts if part) + "\n"


def budgets(learned: pd.DataFrame) -> str:
    """The store-periods that every run on a store learned from."""
    spent = learned.drop_duplicates(["scenario", "store_periods"])
    by_budget = spent.groupby("store_periods", sort=False)["scenario"].agg(", ".join)
    if len(by_budget) == 1:
        return f"{by_budget.index[0]:,} store-periods"
    return " and ".join(
        f"{periods:,} store-periods on {stores}" for periods, stores in by_budget.items()
    )


def regime_table(group: pd.DataFrame, heuristics: pd.DataFrame) -> str:
    """Profit, gain and KPIs of the best pair and of every regime on one store."""
    body = []
    for name, rows in [("best tuned pair", heuristics), *group.groupby("regime", sort=False)]:
        gains, against = rows["gain"].to_numpy(), _gains(group, MTMA)
        chance = ""
        if name != MTMA and len(against):
            share, (low, high) = probability_of_improvement(against, gains)
            chance = f"{share:.2f} [{low:.2f}, {high:.2f}]"
        body.append(
            [
                name,
                _estimate(rows["profit"], ",.2f"),
                "" if rows is heuristics else _estimate(rows["gain"], "+,.2f"),
                chance,
                *(f"{rows[kpi].mean():,.3f}" for kpi in ("fill_rate", "holding_paid", "turnover")),
            ]
        )
    header = ["", "profit", "gain", "P(mtma better)", "fill rate", "holding paid", "turnover"]
    return table(header, body)


def apart_from_the_pair(group: pd.DataFrame) -> str:
    """Which regimes are above the best tuned pair on a store, and which below, intervals apart."""
    signs = {
        str(regime): apart(bootstrap_interval(rows["gain"].to_numpy()))
        for regime, rows in group.groupby("regime", sort=False)
    }
    said = [
        f"{which} the best tuned pair: {', '.join(f'`{name}`' for name in names)}"
        for which, sign in (("Above", 1), ("Below", -1))
        if (names := [regime for regime, own in signs.items() if own == sign])
    ]
    return f"{'. '.join(said or ['No regime is above or below the best tuned pair'])}."


def clock_table(learned: pd.DataFrame) -> str:
    """Speed and stability of the regimes that differ in their clocks alone."""
    body = []
    for scenario, group in learned.groupby("scenario", sort=False):
        one_clock = group[group["regime"] == ONE_CLOCK]
        for regime, clocks in CLOCKS.items():
            rows = group[group["regime"] == regime]
            if len(rows):
                more = "" if regime == ONE_CLOCK or one_clock.empty else _paired(rows, one_clock)
                body.append(
                    [
                        str(scenario),
                        f"`{regime}`",
                        clocks,
                        more,
                        f"{rows['to_99_percent'].median():,.0f}",
                        f"{rows['gain'].std(ddof=1):.2f}",
                        f"{rows['worst_drop'].max():.2f} %",
                    ]
                )
    return table(
        ["store", "regime", "clocks", "profit more than `joint`", "speed", "spread", "worst drop"],
        body,
    )


def ablation_tables(rows: pd.DataFrame, scenario: str) -> str:
    """A table for each part, its first line the method as it is."""
    rows = rows[rows["scenario"] == scenario]
    tables = []
    for part, group in rows.groupby("part", sort=False):
        if part in (HEURISTIC, REGIMES):
            continue
        regime = BASES.get(str(part), MTMA)
        base = rows[(rows["part"] == REGIMES) & (rows["regime"] == regime)]
        if base.empty:
            continue
        body = [[f"`{regime}` as it is", _estimate(base["gain"], "+,.2f"), ""]]
        for name, variant in group.groupby("variant", sort=False):
            body.append([str(name), _estimate(variant["gain"], "+,.2f"), _paired(variant, base)])
        tables.append(table([str(part), "gain", "difference"], body))
    return "\n\n".join(tables)


def _gains(group: pd.DataFrame, regime: str) -> np.ndarray:
    return group.loc[group["regime"] == regime, "gain"].to_numpy()


def _estimate(values: pd.Series, form: str) -> str:
    numbers = values.to_numpy()
    low, high = bootstrap_interval(numbers)
    return f"{interquartile_mean(numbers):{form}} [{low:{form}}, {high:{form}}]"


def _paired(rows: pd.DataFrame, base: pd.DataFrame) -> str:
    difference, (low, high) = paired_difference(rows, base)
    return f"{difference:+,.2f} [{low:+,.2f}, {high:+,.2f}]"
