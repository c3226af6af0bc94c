"""Every number of docs/reading-the-study.md is what the files in results/ say.

Under each paragraph with numbers stands a comment with a line for each of them, in order, and a
line `true = …` for each claim in words. The expressions are evaluated with the functions below.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from agents.evaluation.simulation import interval
from agents.evaluation.statistics import (
    apart,
    bootstrap_interval,
    interquartile_mean,
    paired_difference,
)
from agents.study.results_tables import PREDICTED, effects, values_of
from agents.sweeps.sweep_folder import read_table
from agents.theory.convergence import SHELF, tiny_store
from tests.agents.study.verdicts import verdicts

ROOT = Path(__file__).parents[3]
PARAGRAPHS = (ROOT / "docs" / "reading-the-study.md").read_text(encoding="utf-8").split("\n\n")
ROWS = read_table(ROOT / "results" / "study.csv")
LEARNED = ROWS[ROWS["part"] == "regimes"]
ANSWERS = pd.read_csv(ROOT / "results" / "insights.csv")
CONVERGING = pd.read_csv(ROOT / "results" / "convergence.csv")
LEVEL = 0.05  # of the tests, after correction
CLOCKS = ("mtma", "joint"), ("mtma-reversed", "joint"), ("mtma", "mtma-reversed")
LOSSY = (
    ("credit of an order", "its own product only"),
    ("credit of an order", "others at 0.2"),
    ("critic, on one clock", "one for each department", "joint"),
    ("rate ratio", "slow rate 1/4 of the fast"),
    ("rate ratio", "slow rate 4 times the fast"),
)


def runs(store: str, regime: str) -> pd.DataFrame:
    return LEARNED[(LEARNED["scenario"] == store) & (LEARNED["regime"] == regime)]


def gains(store: str, regime: str) -> np.ndarray:
    return runs(store, regime)["gain"].to_numpy()


def p_values(samples: Mapping[tuple, np.ndarray], corrected: bool = True) -> dict[tuple, float]:
    """t-tests of each mean against zero, with Holm's correction for all of them (Holm 1979)."""
    raw = {name: stats.ttest_1samp(values, 0.0).pvalue for name, values in samples.items()}
    if not corrected:
        return raw
    found, largest = {}, 0.0
    for rank, name in enumerate(sorted(raw, key=raw.get)):
        largest = max(largest, min(1.0, (len(raw) - rank) * raw[name]))
        found[name] = largest
    return found


def run_by_run(rows: pd.DataFrame, base: pd.DataFrame) -> np.ndarray:
    """Differences of profit on the same seed."""
    difference = rows.set_index("seed")["profit"] - base.set_index("seed")["profit"]
    return difference.dropna().to_numpy()


def told_apart(samples: Mapping[tuple, np.ndarray]) -> set[tuple]:
    return {name for name, p in p_values(samples).items() if p < LEVEL}


def gains_for_sure(store: str, regime: str) -> int:
    """1 or -1 where the mean gain is told from zero, else 0."""
    sure = (store, regime) in told_apart(GAINS)
    return int(sure * np.sign(GAINS[store, regime].mean()))


def more(store: str, regime: str, base: str) -> tuple:
    return paired_difference(runs(store, regime), runs(store, base))


def part(name: str, variant: str, base: str = "mtma") -> tuple:
    changed = ROWS[(ROWS["part"] == name) & (ROWS["variant"] == variant)]
    return paired_difference(changed, runs("boutique", base))


def changes() -> dict[tuple, np.ndarray]:
    """Differences of every changed part to the method as it is, named as `LOSSY` is."""
    changed = ROWS[~ROWS["part"].isin(["regimes", "heuristic"])]
    found = {}
    for (name, variant), rows in changed.groupby(["part", "variant"]):
        base = ("joint",) if name == "critic, on one clock" else ()
        found[name, variant, *base] = run_by_run(rows, runs("boutique", *(base or ("mtma",))))
    return found


def ends(measure: str) -> pd.Series:
    """At the end, by schedule; `start`, the same at the start."""
    last = CONVERGING[CONVERGING["updates"] == CONVERGING["updates"].max()]
    first = CONVERGING[CONVERGING["updates"] == 0]
    return last.groupby("schedule")[measure].mean() / first[measure].mean()


def found(store: str) -> pd.DataFrame:
    return effects(ANSWERS[ANSWERS["scenario"] == store])


def differences(store: str, effect: tuple[str, str, str]) -> np.ndarray:
    learned, tuned = (values_of(found(store), policy, effect) for policy in ("learned", "tuned"))
    return learned - tuned


def changed(store: str) -> list[tuple[str, str, str]]:
    return [effect for effect in PREDICTED if apart(interval(differences(store, effect))[1])]


def nearer(effect: tuple[str, str, str]) -> bool:
    learned, tuned, exact = (
        values_of(found("pair"), policy, effect).mean() for policy in ("learned", "tuned", "exact")
    )
    return abs(learned - exact) < abs(tuned - exact)


def farthest(store: str, kind: str) -> int:
    """The lag at which attention to the shocked product is farthest off."""
    own = ANSWERS.query("scenario == @store and policy == 'learned' and kind == @kind")
    attention = own.query("what == 'attention' and of == 'own'").groupby("lag")["value"].mean()
    return int(attention.abs().idxmax())


def agreed(policy: str, what: str) -> float:
    return ANSWERS.query("policy == @policy and what == @what")["value"].mean()


def best_pair(store: str) -> float:
    pairs = ROWS[(ROWS["part"] == "heuristic") & (ROWS["scenario"] == store)]
    return interquartile_mean(pairs["profit"].to_numpy())


def counted(store: str, verdict: int) -> int:
    return sum(each == verdict for each in verdicts(found(store), "learned").values())


GAINS = {
    (store, regime): rows["gain"].to_numpy()
    for (store, regime), rows in LEARNED.groupby(["scenario", "regime"])
}
CLOCKS_COMPARED = {
    (store, *pair): run_by_run(*(runs(store, regime) for regime in pair))
    for store in LEARNED["scenario"].unique()
    for pair in CLOCKS
}
CHANGES = changes()

KNOWN = {
    "level": LEVEL,
    "gains_for_sure": gains_for_sure,
    "p_of_clocks": lambda *which, corrected=True: p_values(CLOCKS_COMPARED, corrected)[which],
    "clocks_told_apart": told_apart(CLOCKS_COMPARED),
    "comparisons_of_clocks": len(CLOCKS_COMPARED),
    "p_of_part": lambda *which, corrected=True: p_values(CHANGES, corrected)[which],
    "parts_told_apart": told_apart(CHANGES),
    "changes": len(CHANGES),
    "stores": list(LEARNED["scenario"].unique()),
    "regimes": list(LEARNED["regime"].unique()),
    "seeds": LEARNED["seed"].nunique(),
    "states": (SHELF + 1) ** tiny_store().products,
    "lossy": LOSSY,
    "PREDICTED": PREDICTED,
    "apart": apart,
    "gain": lambda *which: interquartile_mean(gains(*which)),
    "low": lambda *which: bootstrap_interval(gains(*which))[0],
    "high": lambda *which: bootstrap_interval(gains(*which))[1],
    "sign": lambda *which: apart(bootstrap_interval(gains(*which))),
    "profit_of_the_pair": best_pair,
    "more": lambda *which: more(*which)[0],
    "more_interval": lambda *which: more(*which)[1],
    "spread": lambda *which: gains(*which).std(ddof=1),
    "drop": lambda *which: runs(*which)["worst_drop"].max(),
    "speed": lambda *which: runs(*which)["to_99_percent"].median(),
    "part": lambda *which: part(*which)[0],
    "part_interval": lambda *which: part(*which)[1],
    "fell": lambda measure: ends(measure)["conditions satisfied"],
    "beside": lambda schedule, measure: (
        ends(measure)[schedule] / ends(measure)["conditions satisfied"]
    ),
    "as_predicted": partial(counted, verdict=1),
    "against": partial(counted, verdict=-1),
    "answer": lambda store, policy, *effect: values_of(found(store), policy, effect).mean(),
    "learned_less_tuned": lambda store, *effect: differences(store, effect).mean(),
    "changed": changed,
    "nearer": nearer,
    "farthest": farthest,
    "agreed": agreed,
}


def numbers_in(paragraph: str) -> list[str]:
    """As written; names in code, addresses of links and headings do not count."""
    words = re.sub(r"`[^`]*`|\]\([^)]*\)|^#.*", "", paragraph)
    return re.findall(r"-?\d+(?:,\d{3})*(?:\.\d+)?", words)


def claims_of(comment: str) -> list[tuple[str, str]]:
    lines = comment.strip().removeprefix("<!--").removesuffix("-->").strip().splitlines()
    return [tuple(line.split(" = ", 1)) for line in lines]


PAIRS = [
    (words, claims_of(comment) if comment.startswith("<!--") else [])
    for words, comment in zip(PARAGRAPHS, [*PARAGRAPHS[1:], ""], strict=True)
    if not words.startswith("<!--")
]


@pytest.mark.parametrize(("words", "claims"), PAIRS, ids=lambda each: str(each)[:30])
def test_the_data_says_what_the_paragraph_says(words: str, claims: list[tuple[str, str]]) -> None:
    assert numbers_in(words) == [number for number, _ in claims if number != "true"]
    for number, expression in claims:
        value = eval(expression, dict(KNOWN))
        if number == "true":
            assert value, expression
        else:
            decimals = len(number.partition(".")[2])
            assert f"{value:,.{decimals}f}" == number, expression


def test_numbers_are_found_and_claims_are_read():
    text = "Of 13 `x 1` [a 2](b3.md), -4.33 to 327,680."
    assert numbers_in(text) == ["13", "2", "-4.33", "327,680"]
    claims = [claim for _, each in PAIRS for claim in each]
    assert len(claims) > 80 and ("16.64", 'gain("grocery", "mtma")') in claims
