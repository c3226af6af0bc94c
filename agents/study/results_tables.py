"""What stands in the tables of RESULTS.md, from the rows of the CSV files in results/.

Italics mark an interval that holds 0, bold a sign that is not the one theory predicts.
"""

import numpy as np
import pandas as pd

from agents.evaluation.simulation import interval
from agents.evaluation.statistics import (
    Interval,
    apart,
    bootstrap,
    bootstrap_interval,
    interquartile_mean,
    paired_difference,
    probability_of_improvement,
)
from agents.study.insights import ACROSS, DELAY, OVERSTOCK, SURGE

Effect = tuple[str, str, str]
"""What happens, what answers, and of which product."""
PREDICTED: dict[Effect, int] = {
    # More of a product never takes the slate from it, and both orders fall.
    (ACROSS, "attention", "own"): 1,
    (ACROSS, "attention", "others"): -1,
    (ACROSS, "orders", "own"): -1,
    (ACROSS, "orders", "others"): -1,
    # The same, once; what is shown less sells less and is ordered less.
    (OVERSTOCK, "attention", "own"): 1,
    (OVERSTOCK, "orders", "own"): -1,
    (OVERSTOCK, "orders", "others"): -1,
    # What is scarce gives its place to the others, which sell more; what was sold is ordered again.
    (SURGE, "attention", "own"): -1,
    (SURGE, "orders", "own"): 1,
    (SURGE, "orders", "others"): 1,
    # The same, but what was not there was not sold either.
    (DELAY, "attention", "own"): -1,
    (DELAY, "orders", "own"): -1,
    (DELAY, "orders", "others"): 1,
}
"""Signs by what happens, what answers and of which product (docs/theory.md, sections 1 to 3)."""
FIRST_SEEN = {ACROSS: 0, OVERSTOCK: 0, SURGE: 1, DELAY: 1}
"""Lag at which a policy sees what happened: where attention is read; orders are summed."""


def middle(values: pd.Series, form: str) -> str:
    """Interquartile mean over seeds, and its interval."""
    numbers = values.to_numpy()
    return _shown(interquartile_mean(numbers), bootstrap_interval(numbers), form)


def gain(rows: pd.DataFrame) -> str:
    """Over the best tuned pair, interquartile mean over seeds."""
    shown = middle(rows["gain"], "+,.2f")
    return shown if apart(bootstrap_interval(rows["gain"].to_numpy())) else f"*{shown}*"


def paired(rows: pd.DataFrame, base: pd.DataFrame) -> str:
    """How much more profit than `base`, seed by seed."""
    difference, found = paired_difference(rows, base)
    shown = _shown(difference, found, "+,.2f")
    return shown if apart(found) else f"*{shown}*"


def chance(better: pd.DataFrame, than: pd.DataFrame) -> str:
    """That a run of one kind gains more than one of another."""
    gains = (rows["gain"].to_numpy() for rows in (better, than))
    return _shown(*probability_of_improvement(*gains), ".2f")


def mean(values: pd.Series) -> str:
    """Mean over seeds with its bootstrap interval, small numbers."""
    return _shown(values.mean(), bootstrap((values.to_numpy(),), np.mean), ".2e")


def answer(values: np.ndarray, predicted: int = 0) -> str:
    """Mean over seeds with its t-interval; bold where it clearly has the other sign."""
    average, found = interval(values)
    shown, sign = _shown(average, found, "+.3g"), apart(found)
    mark = "*" if sign == 0 else "**" if sign == -predicted else ""
    return f"{mark}{shown}{mark}"


def effects(rows: pd.DataFrame) -> pd.DataFrame:
    """One number for each answer that the theory speaks about: scenario, policy, seed, kind, what,
    of, value. `rows` as from `agents.study.insights.insights_of`."""
    first = rows["lag"] == rows["kind"].map(FIRST_SEEN)
    read = first | (rows["what"] == "orders")
    predicted = pd.MultiIndex.from_frame(rows[["kind", "what", "of"]]).isin(list(PREDICTED))
    keys = ["scenario", "policy", "seed", "kind", "what", "of"]
    return rows[read & predicted].groupby(keys, sort=False, as_index=False)["value"].sum()


def values_of(found: pd.DataFrame, policy: str, effect: Effect) -> np.ndarray:
    """An answer of one policy on one store, by seed; `found` as from `effects`."""
    own = found[found["policy"] == policy].set_index(["kind", "what", "of"]).loc[[effect]]
    return own.sort_values("seed")["value"].to_numpy()


def _shown(value: float, found: Interval, form: str) -> str:
    low, high = found
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"
