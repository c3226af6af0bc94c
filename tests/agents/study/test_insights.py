"""The exact policy of `pair` answers as the theory predicts, and tables say what rows say."""

import pandas as pd
import pytest

from agents.evaluation.statistics import estimate
from agents.evaluation.tuning import TunedPair
from agents.learning.config import TrainConfig
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from agents.study import insights, results_tables
from agents.study.results_page import page_of
from agents.study.results_tables import PREDICTED
from jaxsim import scenarios
from jaxsim.exact.policy import policy_of, solved


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
    found = results_tables.effects(exact_rows)
    for effect, sign in PREDICTED.items():
        answer = estimate(results_tables.values_of(found, "exact", effect))
        assert min(sign * answer.low, sign * answer.high) > 0, effect


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


def test_learned_departments_stand_beside_the_exact_policy(exact_rows):
    page = page_with(exact_rows)
    assert "| pair | learned | 1.000 | 1.000 | 1.000 | 0.000 |" in page
    assert "| pair | `left` | `popularity+base-stock` | 6 | 3 |" in page
    assert "|  | answers | of | theory | learned | tuned | exact | learned less tuned |" in page


def page_with(answers: pd.DataFrame) -> str:
    """A study's page with these answers."""
    numbers = ("profit", "gain", "availability", "service_level", "waste", "holding_paid")
    row: dict[str, object] = dict.fromkeys(numbers, 1.0)
    row |= dict(regime="silo", variant="silo", scenario="pair", store_periods=9)
    rows = [
        row | dict(part=part, seed=seed) for part in ("regimes", "heuristic") for seed in (0, 1)
    ]
    return page_of(pd.DataFrame(rows), answers=answers)


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


BY_SEED = (1.09, 1.1, 1.11)
AS_PREDICTED = {effect: [sign * size for size in BY_SEED] for effect, sign in PREDICTED.items()}
SURGE = ("surge", "orders", "own")
DELAY = ("delay", "attention", "own")


def test_answers_are_marked_where_they_are_not_the_predicted_ones():
    page = page_with(rows_of(AS_PREDICTED))
    assert "| surge | orders | it | more | +1.1 [+1.08, +1.12] | *+0 [+0, +0]* | +1.1 [" in page
    bold = page.count("**")
    changed = AS_PREDICTED | {SURGE: [-1.09, -1.1, -1.11], DELAY: [-1.0, 1.0, 1.2]}
    page = page_with(rows_of(changed))
    assert "| surge | orders | it | more | **-1.1 [-1.12, -1.08]** | *+0 [+0, +0]* |" in page
    assert "| delay | attention | it | less | *+0.1 [" in page
    assert page.count("**") == bold + 2


def test_attention_is_read_when_it_can_first_answer_and_orders_are_summed():
    found = results_tables.effects(rows_of(AS_PREDICTED))
    own = found[(found["policy"] == "learned") & (found["seed"] == 0)]
    values = own.set_index(["kind", "what", "of"])["value"]
    assert values["surge", "orders", "own"] == pytest.approx(1.09)
    assert values["surge", "attention", "own"] == pytest.approx(-0.25 * 1.09)
    assert values["overstock", "attention", "own"] == pytest.approx(0.75 * 1.09)
