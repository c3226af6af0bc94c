"""Every number of docs/reading-the-study.md is what the files in results/ say.

Under each paragraph with numbers stands a comment with a line for each of them, in order, and a
line `true = …` for each claim in words. The expressions are evaluated with the functions below.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agents.evaluation.statistics import LEVEL, Estimate, estimate, paired_difference
from agents.study import results_tables
from agents.study.results_pictures import CLOCKS
from agents.study.results_tables import PREDICTED, effects, values_of
from agents.sweeps.sweep_folder import read_table
from agents.theory.convergence import SHELF, tiny_store

ROOT = Path(__file__).parents[3]
PARAGRAPHS = (ROOT / "docs" / "reading-the-study.md").read_text(encoding="utf-8").split("\n\n")
ROWS = read_table(ROOT / "results", "study.csv")
LEARNED = ROWS[ROWS["part"] == "regimes"]
ANSWERS = pd.read_csv(ROOT / "results" / "insights.csv")
CONVERGING = pd.read_csv(ROOT / "results" / "convergence.csv")
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


def sign_of(cell: str) -> int:
    """Of a difference as the page shows it: 0 where its table does not tell it from 0."""
    return 0 if cell.startswith("*") else 1 if cell.startswith("+") else -1


def sign(store: str, regime: str) -> int:
    """Of the gain over the best tuned pair."""
    pairs = ROWS[(ROWS["part"] == "heuristic") & (ROWS["scenario"] == store)]
    own = LEARNED[LEARNED["scenario"] == store]
    cells = {name: gain for name, _, gain, _ in results_tables.methods(own, pairs).lines}
    return sign_of(cells[regime])


def mtma_sign(store: str, regime: str) -> int:
    """Of how much more `mtma` earns."""
    pairs = ROWS[(ROWS["part"] == "heuristic") & (ROWS["scenario"] == store)]
    own = LEARNED[LEARNED["scenario"] == store]
    cells = {name: more for name, _, _, more in results_tables.methods(own, pairs).lines}
    return sign_of(cells[regime])


def clock_sign(store: str, regime: str) -> int:
    """Of how much more than `joint` a way to learn earns, in the table of clocks."""
    lines = results_tables.clocks(LEARNED, CLOCKS).lines
    return sign_of({line[:2]: line[3] for line in lines}[store, regime])


def more(store: str, regime: str, base: str) -> Estimate:
    return paired_difference(runs(store, regime), runs(store, base))


def part(name: str, variant: str, base: str = "mtma") -> Estimate:
    changed = ROWS[(ROWS["part"] == name) & (ROWS["variant"] == variant)]
    return paired_difference(changed, runs("boutique", base))


def part_sign(name: str, variant: str, base: str = "mtma") -> int:
    lines = results_tables.parts(ROWS[ROWS["part"] == name], runs("boutique", base)).lines
    return sign_of({line[0]: line[2] for line in lines}[variant])


def variants_of(*names: str) -> set[tuple[str, str]]:
    chosen = ROWS[ROWS["part"].isin(names)]
    return set(zip(chosen["part"], chosen["variant"], strict=True))


def ends(measure: str, learner: str = "score") -> pd.Series:
    """What is left at the end of what it was at the start, by schedule."""
    own = CONVERGING[CONVERGING["learner"] == learner]
    last, first = own[own["updates"] == own["updates"].max()], own[own["updates"] == 0]
    return last.groupby("schedule")[measure].mean() / first[measure].mean()


def scatter(measure: str, learner: str) -> float:
    """Standard deviation over seeds at the end, under the schedule that satisfies the
    conditions."""
    last = CONVERGING[CONVERGING["updates"] == CONVERGING["updates"].max()]
    own = last[(last["learner"] == learner) & last["satisfies"]]
    return own[measure].std(ddof=1)


def found(store: str) -> pd.DataFrame:
    return effects(ANSWERS[ANSWERS["scenario"] == store])


def differences(store: str, effect: tuple[str, str, str]) -> np.ndarray:
    learned, tuned = (values_of(found(store), policy, effect) for policy in ("learned", "tuned"))
    return learned - tuned


def told(store: str) -> list[tuple]:
    """The store's table of answers; the exact policy has a column on `pair` alone."""
    policies = ["learned", "tuned", *(["exact"] if store == "pair" else [])]
    return results_tables.answers(found(store), policies).lines


def changed(store: str) -> list[tuple[str, str, str]]:
    """Answers of learned departments that are not those of the tuned pair."""
    return [line[0] for line in told(store) if sign_of(line[-1])]


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
    return pairs["profit"].mean()


def counted(store: str, stars: int) -> int:
    """Answers of learned departments with so many marks: none as predicted, one not to be told from
    0, two against the theory."""
    cells = [line[2] for line in told(store)]
    return sum(len(cell) - len(cell.lstrip("*")) == stars for cell in cells)


def reach(found: Estimate) -> tuple[float, float]:
    return found.low, found.high


KNOWN = {
    "level": LEVEL,
    "stores": list(LEARNED["scenario"].unique()),
    "regimes": list(LEARNED["regime"].unique()),
    "seeds": LEARNED["seed"].nunique(),
    "states": (SHELF + 1) ** tiny_store().products,
    "lossy": LOSSY,
    "PREDICTED": PREDICTED,
    "gain": lambda *which: gains(*which).mean(),
    "low": lambda *which: estimate(gains(*which)).low,
    "high": lambda *which: estimate(gains(*which)).high,
    "sign": sign,
    "mtma_sign": mtma_sign,
    "clock_sign": clock_sign,
    "profit_of_the_pair": best_pair,
    "more": lambda *which: more(*which).mean,
    "more_interval": lambda *which: reach(more(*which)),
    "spread": lambda *which: gains(*which).std(ddof=1),
    "drop": lambda *which: runs(*which)["worst_drop"].max(),
    "speed": lambda *which: runs(*which)["to_99_percent"].median(),
    "part": lambda *which: part(*which).mean,
    "part_interval": lambda *which: reach(part(*which)),
    "part_sign": part_sign,
    "parts": variants_of,
    "fell": lambda *which: ends(*which)["conditions satisfied"],
    "beside": lambda schedule, *which: (
        ends(*which)[schedule] / ends(*which)["conditions satisfied"]
    ),
    "scatter": scatter,
    "as_predicted": partial(counted, stars=0),
    "against": partial(counted, stars=2),
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
    assert len(claims) > 80 and ("16.91", 'gain("grocery", "mtma")') in claims
