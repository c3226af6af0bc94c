"""The exact policy of `pair` answers as the theory predicts, and the page says what rows say."""

import re

import pandas as pd
import pytest

from agents.evaluation.tuning import TunedPair
from agents.learning.config import TrainConfig
from agents.policies.exact_policy import policy_of, solved
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from agents.study import insights, results_insights
from agents.study.results_insights import PREDICTED
from jaxsim import scenarios


@pytest.fixture(scope="module")
def exact_rows() -> pd.DataFrame:
    """The exact policy in the place of learned departments, beside slates that ignore stock."""
    pair = scenarios.get("pair")
    optimum = solved(pair.params())
    assert optimum is not None
    heuristic = HeuristicParams("popularity", safety=0.5, fractile=0.5)
    blind = TunedPair("popularity+base-stock", HeuristicPair(heuristic), 0.0)
    config = TrainConfig(evaluation_stores=512, evaluation_periods=40, burn_in=20)
    return insights.insights_of(config, pair, [policy_of(optimum)] * 3, blind)


def test_the_exact_policy_has_the_predicted_signs(exact_rows):
    verdicts = results_insights._verdicts(results_insights.effects(exact_rows), "exact")
    assert len(verdicts) == len(PREDICTED)
    assert {effect for effect, verdict in verdicts.items() if verdict < 1} == set()


def test_policies_meet_the_same_customers_and_agree_with_themselves(exact_rows):
    by_policy = exact_rows.drop(columns="name").set_index("policy")
    mine, right = (
        by_policy.loc[policy].query("kind != 'agreement'").reset_index(drop=True)
        for policy in ("learned", "exact")
    )
    pd.testing.assert_frame_equal(mine, right)
    agreed = exact_rows[exact_rows["kind"] == "agreement"].set_index(["policy", "what"])["value"]
    assert set(agreed.loc["learned", "gap_percent"]) == {0.0}
    assert set(agreed.loc["learned", "same_slate"]) == {1.0}
    assert (agreed.loc["tuned", "gap_percent"] > 1).all()


def test_what_ignores_stock_does_not_answer_with_its_slates(exact_rows):
    blind = exact_rows[(exact_rows["policy"] == "tuned") & (exact_rows["what"] == "attention")]
    across = blind[blind["kind"] == "across"]
    assert len(across) == 2 * 3 and not across["value"].any()


def test_the_page_holds_learned_departments_against_the_exact_policy(exact_rows):
    page = "\n".join(results_insights.insights(exact_rows))
    assert "learned: slates the same in 100.0 % of cases; rank correlation of orders 1.00;" in page
    found = re.search(r"Of (\d+) answers that learning changed, (\d+) are nearer", page)
    assert found is not None and found[1] == found[2] and int(found[1]) > 0


def rows_of(signs: dict[tuple[str, str, str], list[float]]) -> pd.DataFrame:
    """Learned departments of three seeds that answer so, beside a tuned pair that never does."""
    rows = [
        dict(
            scenario="boutique", policy=policy, name=name, seed=seed, product="hat", units=6.0,
            kind=kind, what=what, of=of, lag=lag, value=share * value,
        )
        for (kind, what, of), values in signs.items()
        for seed, value in enumerate(values)
        for lag, share in enumerate((0.75, 0.25) if kind != "across" else (1.0,))
        for policy, name, share in (("learned", "mtma", share), ("tuned", "margin+capped", 0.0))
    ]  # fmt: skip
    return pd.DataFrame(rows)


AS_PREDICTED = {effect: [1.0 * sign, 1.1 * sign, 1.2 * sign] for effect, sign in PREDICTED.items()}
SURGE = ("surge", "orders", "own")
DELAY = ("delay", "attention", "own")


def test_the_page_says_where_everything_is_as_predicted():
    page = "\n".join(results_insights.insights(rows_of(AS_PREDICTED)))
    assert "**Nowhere does learned behaviour clearly disagree with the theory.**" in page
    assert "boutique: 13 of 13 signs as predicted, 0 not to be told from 0, 0 against" in page
    assert "- *One more unit of a product*: it is shown more (+1.1 [+0.852, +1.35]);" in page
    assert "| surge | its orders | more | +1.1 [+0.852, +1.35] | *+0 [+0, +0]* |" in page
    assert "Attention is farthest off at lag 0, by +0.825." in page
    assert "next to `margin+capped` on the same customers: *across*: it is shown more" in page
    assert "exact policy, in the states" not in page


def test_the_page_says_where_learned_behaviour_disagrees():
    changed = AS_PREDICTED | {SURGE: [-1.0, -1.1, -1.2], DELAY: [-1.0, 1.0, 1.2]}
    page = "\n".join(results_insights.insights(rows_of(changed)))
    assert "**Learned behaviour disagrees with the theory in places.**" in page
    assert "11 of 13 signs as predicted, 1 not to be told from 0, 1 against the theory" in page
    assert "(surge, its orders)" in page
    assert "**against the theory, less of it is ordered** (-1.1 [-1.35, -0.852])" in page
    assert "whether it is shown less cannot be told from 0" in page
    assert "| surge | its orders | more | **-1.1 [-1.35, -0.852]** |" in page


def test_attention_is_read_when_it_can_first_answer_and_orders_are_summed():
    found = results_insights.effects(rows_of(AS_PREDICTED))
    own = found[(found["policy"] == "learned") & (found["seed"] == 0)]
    values = own.set_index(["kind", "what", "of"])["value"]
    assert values["surge", "orders", "own"] == 1.0
    assert values["surge", "attention", "own"] == -0.25
    assert values["overstock", "attention", "own"] == 0.75
