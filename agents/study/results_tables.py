"""What stands in the tables of RESULTS.md, from the rows of the CSV files in results/.

Brackets are 95 % t-intervals over seeds, of each number alone. Marks take all differences of a
table together (Holm, 1979): italics where one is not told from 0, bold where it has clearly not the
sign that theory predicts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from agents.evaluation.statistics import (
    FEWEST,
    Estimate,
    estimate,
    paired_difference,
    told_apart,
)
from agents.study.insights import ACROSS, DELAY, OVERSTOCK, SURGE
from agents.study.variants import MAIN

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


@dataclass(frozen=True)
class Compared:
    """A table's lines with their statistics as text, and what it says of them below."""

    lines: list[tuple]
    note: str


THE_PAIR = "best tuned pair"
PRIMARY = {
    THE_PAIR: "over the best tuned pair",
    "silo": "over `silo`",
    "joint": "over `joint`: three clocks or one",
    "mtma-score": "over `mtma-score`: slope or score",
}
"""What `mtma` is held against in the comparisons that were named before any run, with their titles:
the pair, and three methods."""


def primary(learned: pd.DataFrame) -> Compared:
    """How much more the main method earns than each of `PRIMARY`, by store: store, and a text for
    each, one family over all stores."""
    by_store = list(learned.groupby("scenario", sort=False))
    columns = [[_of_main(own, base) for _, own in by_store] for base in PRIMARY]
    cells, note = _marked(*columns, form="+,.2f")
    return Compared(
        [(store, *text) for (store, _), text in zip(by_store, cells, strict=True)], note
    )


def methods(own: pd.DataFrame, pairs: pd.DataFrame) -> Compared:
    """The methods on one store: name, rows, gain over the best tuned pair, and how much more `mtma`
    earns, both seed by seed. The tuned pair itself comes first."""
    main = own[own["variant"] == MAIN]
    named = list(own.groupby("variant", sort=False))
    gains = [estimate(rows["gain"].to_numpy()) for _, rows in named]
    more = [None if name == MAIN else _paired(main, rows) for name, rows in named]
    cells, note = _marked([None, *gains], [None, *more], form="+,.2f")
    return Compared([(*each, *text) for each, text in zip(
        [(THE_PAIR, pairs), *named], cells, strict=True)], note)  # fmt: skip


def clocks(learned: pd.DataFrame, kinds: Iterable[str]) -> Compared:
    """Methods that differ in their clocks, on every store: store, name, rows, and how much more
    than `joint` each earns."""
    lines, more = [], []
    for store, own in learned.groupby("scenario", sort=False):
        joint = own[own["variant"] == "joint"]
        for name, rows in own[own["variant"].isin(list(kinds))].groupby("variant", sort=False):
            lines.append((store, name, rows))
            more.append(None if name == "joint" else _paired(rows, joint))
    cells, note = _marked(more, form="+,.2f")
    return Compared([(*line, *text) for line, text in zip(lines, cells, strict=True)], note)


def ceilings(long: pd.DataFrame, learned: pd.DataFrame) -> list[tuple]:
    """What long trainings of the main method earn over its usual ones, by store: store, what was
    longer, seeds, mean gain of each, and the difference in percent of profit, on the same seeds."""
    lines = []
    for (store, name), rows in long.groupby(["scenario", "variant"], sort=False):
        usual = learned[(learned["scenario"] == store) & (learned["variant"] == MAIN)]
        usual = usual[usual["seed"].isin(rows["seed"])]
        more = 100 * (rows["profit"].mean() / usual["profit"].mean() - 1)
        lines.append((store, name, len(rows), usual["gain"].mean(), rows["gain"].mean(), more))
    return lines


def distances(learned: pd.DataFrame, most: pd.DataFrame) -> list[tuple]:
    """What the main method earns of what can be earned, by store: store, mean profit, the proven
    bound, the profit in percent of it, and how far it is below the optimum, in percent (NaN where
    that is not known). `most` is bounds.csv."""
    lines = []
    for _, (store, bound, optimum) in most.iterrows():
        own = learned[(learned["scenario"] == store) & (learned["variant"] == MAIN)]
        if len(own):
            profit = own["profit"].mean()
            lines.append((store, profit, bound, 100 * profit / bound, 100 * (1 - profit / optimum)))
    return lines


def parts(variants: pd.DataFrame, base: pd.DataFrame) -> Compared:
    """One part of the method changed: name, gain over the best tuned pair, difference to `base`,
    which is the first line and has no name."""
    named = list(variants.groupby("variant", sort=False))
    gains = [estimate(rows["gain"].to_numpy()) for rows in [base, *(rows for _, rows in named)]]
    differences = [None, *(_paired(rows, base) for _, rows in named)]
    cells, note = _marked(gains, differences, form="+,.2f")
    names = ["", *(name for name, _ in named)]
    return Compared([(name, *text) for name, text in zip(names, cells, strict=True)], note)


def answers(found: pd.DataFrame, policies: Sequence[str]) -> Compared:
    """How policies answer on one store: effect, predicted sign, the answer of each policy, and
    that of the learned departments less the tuned pair's. `found` as from `effects`."""
    of = {each: [values_of(found, each, effect) for effect in PREDICTED] for each in policies}
    less = [mine - other for mine, other in zip(of["learned"], of["tuned"], strict=True)]
    columns = [[estimate(values) for values in column] for column in (*of.values(), less)]
    signs = [*([list(PREDICTED.values())] * len(policies)), [0] * len(less)]
    cells, note = _marked(*columns, form="+.3g", predicted=signs)
    return Compared([(*each, *text) for each, text in zip(
        PREDICTED.items(), cells, strict=True)], note)  # fmt: skip


def middle(values: pd.Series, form: str) -> str:
    """Mean over seeds, and its interval."""
    return _shown(estimate(values.to_numpy()), form)


def effects(rows: pd.DataFrame) -> pd.DataFrame:
    """One number for each answer that the theory speaks about: scenario, policy, seed, kind, what,
    of, value. `rows` as from `agents.study.insights.insights_of`."""
    first = rows["lag"] == rows["kind"].map(FIRST_SEEN)
    read = first | (rows["what"] == "orders")
    predicted = pd.MultiIndex.from_frame(rows[["kind", "what", "of"]]).isin(list(PREDICTED))
    keys = ["scenario", "policy", "seed", "kind", "what", "of"]
    return rows[read & predicted].groupby(keys, sort=False)["value"].sum().reset_index()


def values_of(found: pd.DataFrame, policy: str, effect: Effect) -> np.ndarray:
    """An answer of one policy on one store, by seed; `found` as from `effects`."""
    own = found[found["policy"] == policy].set_index(["kind", "what", "of"]).loc[[effect]]
    return own.sort_values("seed")["value"].to_numpy()


def _of_main(own: pd.DataFrame, base: str) -> Estimate | None:
    """How much more the main method earns than `base` on one store."""
    main = own[own["variant"] == MAIN]
    if base == THE_PAIR:
        return estimate(main["gain"].to_numpy()) if len(main) else None
    return _paired(main, own[own["variant"] == base])


def _paired(rows: pd.DataFrame, base: pd.DataFrame) -> Estimate | None:
    """How much more profit than `base`; none where there is nothing to compare."""
    return paired_difference(rows, base) if len(rows) and len(base) else None


def _marked(
    *columns: Sequence[Estimate | None],
    form: str,
    predicted: Sequence[Sequence[int]] | None = None,
) -> tuple[list[tuple[str, ...]], str]:
    """The lines of a table's columns of differences, marked as one family, and the sentence on how
    many they are. `predicted`: signs from theory, in the shape of the columns, 0 for none."""
    family = [each for column in columns for each in column if each is not None]
    signs = iter(told_apart(family))
    expected = predicted or [[0] * len(column) for column in columns]
    cells = [
        ["" if each is None else _mark(each, next(signs), sign, form)
         for each, sign in zip(column, wanted, strict=True)]
        for column, wanted in zip(columns, expected, strict=True)
    ]  # fmt: skip
    return list(zip(*cells, strict=True)), _note(family)


def _mark(found: Estimate, sign: int, predicted: int, form: str) -> str:
    mark = "*" if sign == 0 else "**" if sign == -predicted else ""
    return f"{mark}{_shown(found, form)}{mark}"


def _note(family: Sequence[Estimate]) -> str:
    seeds = sorted({each.seeds for each in family})
    said = " or ".join(map(str, seeds))
    if not family or seeds[0] < FEWEST:
        return f"Seeds: {said}. Fewer than {FEWEST} say nothing about others: there is no interval."
    return f"Comparisons in this table: {len(family)}, over {said} seeds."


def _shown(found: Estimate, form: str) -> str:
    if found.seeds < FEWEST:
        return f"{found.mean:{form}}"
    return f"{found.mean:{form}} [{found.low:{form}}, {found.high:{form}}]"
