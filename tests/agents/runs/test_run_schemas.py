"""What files of a run may hold."""

import pytest
from pydantic import ValidationError

from agents import schemas
from agents.policies.heuristics import ORDER_RULES, RECOMMENDERS
from agents.runs.run_schemas import Heuristics

NUMBERS = ("stock_weight", "safety", "fractile", "spread", "cap", "gap", "least_margin")


def pair(name: str) -> dict:
    heuristic = dict.fromkeys(NUMBERS, 0.5) | {"recommender": 0}
    return {"name": name, "profit_when_tuned": 1.0, "heuristic": heuristic}


def test_a_store_that_shows_every_product_has_the_pairs_of_one_recommender() -> None:
    few = [pair(f"{next(iter(RECOMMENDERS))}+{rule}") for rule in ORDER_RULES]
    assert '"safety": 0.5' in schemas.text_of({"pairs": few}, Heuristics)
    for wrong in ([], [*few, few[0]], [*few, pair("popularity+nothing")]):
        with pytest.raises(ValidationError, match="allowed: one or more of 30"):
            schemas.text_of({"pairs": wrong}, Heuristics)
