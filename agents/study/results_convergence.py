"""The section of RESULTS.md on plain policy gradient, which two-timescale theory speaks about."""

import numpy as np
import pandas as pd

from agents.evaluation.statistics import bootstrap
from agents.study.markdown import table

MEASURES = {
    "slate_gradient": "slates: gradient norm",
    "order_gradient": "orders: gradient norm",
    "response_gap": "slates below best response",
    "optimum_gap": "below optimum",
}


def convergence(rows: pd.DataFrame) -> list[str]:
    """Schedules side by side at the end.

    `rows`: of `agents.theory.convergence.convergence_rows`.
    """
    first, last = (rows[rows["updates"] == at] for at in (0, rows["updates"].max()))
    body = [["at the start", "", *(f"{first[each].mean():.2e}" for each in MEASURES)]]
    for schedule, own in last.groupby("schedule", sort=False):
        holds = "yes" if all(own["satisfies"]) else "no"
        body.append([str(schedule), holds, *(_estimate(own[each]) for each in MEASURES)])
    return [
        "Two tabular departments on a store of 36 states, by plain policy gradient (score function "
        "times temporal difference, stochastic gradient steps, no clipping): after "
        f"{last['updates'].iloc[0]:,} updates, means over {last['seed'].nunique()} seeds with 95 % "
        "bootstrap intervals. Norms and distances are exact (money per period); slates are the "
        "fast department, orders the slow one. This, not PPO with Adam, is what the theory speaks "
        "about.",
        table(["schedule", "satisfies the conditions", *MEASURES.values()], body),
        reading(first, last),
        "![Gradient norms and distances over updates](results/convergence.png)",
    ]


def reading(first: pd.DataFrame, last: pd.DataFrame) -> str:
    """How far the schedules that satisfy the conditions came, and the others beside them."""
    held, broken = last[last["satisfies"]], last[~last["satisfies"]]
    end = held[list(MEASURES)].mean()
    slates, orders, response, optimum = (
        f"{100 * end[each] / first[each].mean():.2g} %" for each in MEASURES
    )
    times = broken.groupby("schedule", sort=False)[list(MEASURES)].mean() / end
    beside = "; ".join(
        f"{schedule}, {own['response_gap']:.2g} and {own['optimum_gap']:.2g} times as far"
        for schedule, own in times.iterrows()
    )
    return (
        f"Under the conditions the gradient norms of slates and orders went to {slates} and "
        f"{orders} of what they were, the distance of slates from their best response to "
        f"{response}, of both from the optimum to {optimum}. From best response and optimum, with "
        f"a condition broken: {beside}. The conditions promise that the departments come to rest, "
        "not that they do it fast or at the joint optimum."
    )


def _estimate(values: pd.Series) -> str:
    low, high = bootstrap((values.to_numpy(),), np.mean)
    return f"{values.mean():.2e} [{low:.2e}, {high:.2e}]"
