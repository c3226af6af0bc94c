"""From the rows of insights to words: what the theory predicts, and whether it is so."""

import numpy as np
import pandas as pd

from agents.evaluation.simulation import interval
from agents.evaluation.statistics import Interval, apart
from agents.study import markdown
from agents.study.insights import (
    ACROSS,
    AGREEMENT,
    DELAY,
    EXACT,
    LEARNED,
    OVERSTOCK,
    SURGE,
    TUNED,
)

PREDICTED: dict[tuple[str, str, str], int] = {
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
HAPPENED = {
    ACROSS: "One more unit of a product",
    OVERSTOCK: "{units:.0f} units of `{product}` too many",
    SURGE: "`{product}` wanted as on one day in a hundred",
    DELAY: "`{product}` delivered a day late",
}
ANSWERED = {
    ("attention", "own"): "it is shown {}",
    ("attention", "others"): "the others are shown {}",
    ("orders", "own"): "{} of it is ordered",
    ("orders", "others"): "{} of the others is ordered",
}
COLUMNS = {
    ("attention", "own"): "attention to it",
    ("attention", "others"): "attention to the others",
    ("orders", "own"): "its orders",
    ("orders", "others"): "orders of the others",
}
AGREED = {
    "same_slate": ("slates the same in {:.1f} % of cases", 100),
    "order_correlation": ("rank correlation of orders {:.2f}", 1),
    "same_signs": ("sign the same of {:.0f} % of clear answers to one more unit", 100),
    "gap_percent": ("profit {:.2f} % lower", 1),
}
"""Of `agents.evaluation.agreement.Agreement`: words, and what the number is multiplied by."""
Effect = tuple[str, str, str]
Estimate = tuple[float, Interval]


def insights(rows: pd.DataFrame) -> list[str]:
    """The section of the page; `rows` as from `agents.study.insights.insights_of`."""
    found = effects(rows)
    parts = [
        f"How the departments of `mtma` answer, of the first {rows['seed'].nunique()} seeds, "
        "beside the tuned pair that they started from and the exact policy where there is one "
        "([results/insights.csv](results/insights.csv)). *Across* products: one more unit of a "
        "product, mean over products. Over time: the best-selling product is shocked once; "
        "attention (mean over customers) is read when the departments can first tell, orders "
        "(units) are summed over all lags drawn. Brackets are 95 % t-intervals over seeds, each "
        "with customers of its own, the same for all policies. The signs that theory predicts are "
        "those of the exact policy of `pair` (`docs/theory.md`), computed there and not proved for "
        "other stores. In the tables **bold is against the theory**, and *italics cannot be told "
        "from 0*.",
        against_theory(found),
    ]
    for scenario, own in rows.groupby("scenario", sort=False):
        of_store = found[found["scenario"] == scenario]
        parts += [
            f"### How learned departments answer on {scenario}",
            "\n".join(reading(own, of_store)),
            table(own, of_store),
            beyond_the_pair(own, of_store),
            beside_the_exact(own, of_store),
            f"![Responses over time on {scenario}](results/insights-{scenario}.png)",
        ]
    return [part for part in parts if part]


def effects(rows: pd.DataFrame) -> pd.DataFrame:
    """One number for each answer that the theory speaks about: scenario, policy, seed, kind, what,
    of, value."""
    first = rows["lag"] == rows["kind"].map(FIRST_SEEN)
    read = first | (rows["what"] == "orders")
    answers = pd.MultiIndex.from_frame(rows[["kind", "what", "of"]])
    predicted = answers.isin(list(PREDICTED))
    keys = ["scenario", "policy", "seed", "kind", "what", "of"]
    return rows[read & predicted].groupby(keys, sort=False, as_index=False)["value"].sum()


def against_theory(found: pd.DataFrame) -> str:
    """Where the learned departments do not do what the theory predicts, over all stores."""
    said = []
    for scenario, own in found.groupby("scenario", sort=False):
        verdicts = _verdicts(own, LEARNED)
        counts = [sum(each == verdict for each in verdicts.values()) for verdict in (1, -1, 0)]
        wrong = [
            f"{kind}, {COLUMNS[what, of]}"
            for (kind, what, of), verdict in verdicts.items()
            if verdict < 0
        ]
        line = (
            f"{scenario}: {counts[0]} of {len(verdicts)} signs as predicted, "
            f"{counts[2]} not to be told from 0, {counts[1]} against the theory"
        )
        said.append(line + (f" ({'; '.join(wrong)})" if wrong else ""))
    disagree = any("(" in each for each in said)
    first = "Learned behaviour disagrees with the theory in places"
    if not disagree:
        first = "Nowhere does learned behaviour clearly disagree with the theory"
    return f"**{first}.** {'. '.join(said)}."


def reading(rows: pd.DataFrame, found: pd.DataFrame) -> list[str]:
    """What the learned departments do, in a line for each thing that happens."""
    verdicts, lines = _verdicts(found, LEARNED), []
    for kind, happened in HAPPENED.items():
        clauses = [
            _clause(effect, verdicts[effect], _estimate(found, LEARNED, effect))
            for effect in PREDICTED
            if effect[0] == kind
        ]
        line = f"- *{happened.format(**rows.iloc[0])}*: {'; '.join(clauses)}"
        lines.append(f"{line}{_timing(rows, kind)}.")
    return lines


def table(rows: pd.DataFrame, found: pd.DataFrame) -> str:
    """Every answer of every policy beside the predicted sign."""
    policies = [each for each in (LEARNED, TUNED, EXACT) if each in set(found["policy"])]
    names = rows.drop_duplicates("policy").set_index("policy")["name"]
    titles = {LEARNED: "learned", TUNED: f"tuned pair, `{names[TUNED]}`", EXACT: "exact"}
    header, lines = ["", "answers", "theory", *(titles[each] for each in policies)], []
    verdicts = {policy: _verdicts(found, policy) for policy in policies}
    for effect, sign in PREDICTED.items():
        marks = [{1: "", 0: "*", -1: "**"}[verdicts[policy][effect]] for policy in policies]
        cells = [
            f"{mark}{_shown(_estimate(found, policy, effect))}{mark}"
            for policy, mark in zip(policies, marks, strict=True)
        ]
        lines.append([effect[0], COLUMNS[effect[1:]], "more" if sign > 0 else "less", *cells])
    return markdown.table(header, lines, names=3)


def beyond_the_pair(rows: pd.DataFrame, found: pd.DataFrame) -> str:
    """What learning changed: clear differences to the tuned pair on the same customers."""
    name = rows.loc[rows["policy"] == TUNED, "name"].iloc[0]
    changed = _changed(found)
    said = []
    for kind in HAPPENED:
        clauses = [
            f"{_said(effect[1:], apart(estimate[1]))} ({_shown(estimate)})"
            for effect, estimate in changed.items()
            if effect[0] == kind
        ]
        said += [f"*{kind}*: {', '.join(clauses)}"] * bool(clauses)
    what = "; ".join(said) if said else "nothing that can be told from 0"
    return f"What learning changed, next to `{name}` on the same customers: {what}."


def beside_the_exact(rows: pd.DataFrame, found: pd.DataFrame) -> str:
    """How often the learned departments decide as the exact policy does, and what that costs."""
    measured = rows[rows["kind"] == AGREEMENT]
    if measured.empty:
        return ""
    numbers = measured.groupby(["policy", "what"])["value"].mean()
    of_policy = [
        "; ".join(words.format(by * numbers[policy, what]) for what, (words, by) in AGREED.items())
        for policy in (LEARNED, TUNED)
    ]
    nearer = [
        abs(learned - exact) < abs(tuned - exact)
        for learned, tuned, exact in (
            (_values(found, policy, effect).mean() for policy in (LEARNED, TUNED, EXACT))
            for effect in _changed(found)
        )
    ]
    return (
        f"Beside the exact policy, in the states that each leads to, learned: {of_policy[0]}. "
        f"Tuned pair: {of_policy[1]}. Of {len(nearer)} answers that learning changed, "
        f"{sum(nearer)} are nearer to the exact ones. The exact policy was solved for a store "
        "whose deliveries are never late: when it orders on a delay is no guide."
    )


def _changed(found: pd.DataFrame) -> dict[Effect, Estimate]:
    """Answers of the learned departments that clearly differ from the tuned pair's, and by how
    much: pairs of the same customers."""
    differences = {
        effect: interval(_values(found, LEARNED, effect) - _values(found, TUNED, effect))
        for effect in PREDICTED
    }
    return {effect: each for effect, each in differences.items() if apart(each[1])}


def _clause(effect: Effect, verdict: int, estimate: Estimate) -> str:
    answer, sign = effect[1:], PREDICTED[effect]
    if verdict == 0:
        return f"whether {_said(answer, sign)} cannot be told from 0 ({_shown(estimate)})"
    if verdict < 0:
        return f"**against the theory, {_said(answer, -sign)}** ({_shown(estimate)})"
    return f"{_said(answer, sign)} ({_shown(estimate)})"


def _timing(rows: pd.DataFrame, kind: str) -> str:
    """When attention is farthest from where it would have been, if it moves at all."""
    learned = rows[(rows["policy"] == LEARNED) & (rows["kind"] == kind) & (rows["of"] == "own")]
    attention = learned[learned["what"] == "attention"].groupby("lag")["value"].mean()
    moved = attention.to_numpy()
    if kind == ACROSS or not moved.any():
        return ""
    lag = int(np.abs(moved).argmax())
    return f". Attention is farthest off at lag {lag}, by {moved[lag]:+.3g}"


def _said(answer: tuple[str, str], sign: int) -> str:
    return ANSWERED[answer].format("more" if sign > 0 else "less")


def _verdicts(found: pd.DataFrame, policy: str) -> dict[Effect, int]:
    """By answer: 1 as predicted, -1 against the theory, 0 not to be told from 0."""
    return {
        effect: sign * apart(_estimate(found, policy, effect)[1])
        for effect, sign in PREDICTED.items()
    }


def _estimate(found: pd.DataFrame, policy: str, effect: Effect) -> Estimate:
    return interval(_values(found, policy, effect))


def _values(found: pd.DataFrame, policy: str, effect: Effect) -> np.ndarray:
    """By seed."""
    own = found[found["policy"] == policy].set_index(["kind", "what", "of"]).loc[[effect]]
    return own.sort_values("seed")["value"].to_numpy()


def _shown(estimate: Estimate) -> str:
    mean, (low, high) = estimate
    return f"{mean:+.3g} [{low:+.3g}, {high:+.3g}]"
