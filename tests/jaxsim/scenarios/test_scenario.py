"""Scenario files: what is wrong is refused by name, what is right survives a round trip."""

import json

import chex
import numpy as np
import pytest

from jaxsim import scenarios
from jaxsim.scenarios.scenario import Scenario, ScenarioError, load, parse

REGISTERED = (
    "backlog", "boutique", "grocery", "grocery-dry", "lost-sales", "marketplace-200",
    "newsvendor", "pair",
)  # fmt: skip
PAIR = json.loads((scenarios.FOLDER / "pair.json").read_text())

WRONG = {
    "negative price": ({"price": [10.0, -1.0]}, ["price[1]", "-1", "0"]),
    "lead time beyond the pipeline": ({"lead_time": 9}, ["lead_time", "9", "max_lead_time"]),
    "fraction of a period": ({"lead_time": 1.5}, ["lead_time", "1.5", "integer"]),
    "slate beyond the catalogue": ({"slot_weight": [1.0, 0.5, 0.2]}, ["slot_weight", "3", "2"]),
    "rising slot weights": ({"slot_weight": [1.0, 1.0001]}, ["slot_weight", "1.0001"]),
    "first slot not full": ({"slot_weight": [0.5]}, ["slot_weight", "0.5", "first 1"]),
    "NaN": ({"holding": float("nan")}, ["holding", "NaN", "finite"]),
    "infinity": ({"utility": [[0.0, float("inf")]]}, ["utility[0][1]", "Infinity", "finite"]),
    "unknown field": ({"prise": 3.0}, ["prise", "unknown", "price"]),
    "wrong number of products": ({"cost": [1.0, 2.0, 3.0]}, ["cost", "3", "2"]),
    "wrong shape of a matrix": ({"utility": [[0.0]]}, ["utility", "1", "2"]),
    "ragged matrix": ({"season": [[1.0, 1.0], [1.0]]}, ["season", "rows"]),
    "text for a number": ({"price": "ten"}, ["price", "ten", "number"]),
    "text for a truth": ({"backlogged": "yes"}, ["backlogged", "yes", "boolean"]),
    "share above one": ({"substitution": 1.5}, ["substitution", "1.5", "1"]),
    "season of nothing": ({"season": [[0.0, 0.0]]}, ["season", "0"]),
    "floor above one": ({"goodwill_floor": 1.2}, ["goodwill_floor", "1.2", "1"]),
    "repeated names": ({"products": ["a", "a"]}, ["products", "distinct"]),
    "unknown family": ({"family": "normal"}, ["family", "normal", "poisson"]),
}


@pytest.mark.parametrize(("wrong", "named"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_by_name(wrong, named):
    body = PAIR | wrong
    if wrong.get("season", [[]])[0] == [1.0, 1.0]:
        body |= {"segments": ["a", "b"], "utility": [[0.0, 0.0]] * 2, "arrivals": 1.0}
        body |= {"no_purchase": 1.0, "lift": 0.0, "fatigue_weight": 0.0}
    with pytest.raises(ScenarioError) as refused:
        parse(body, "shop.json")
    said = str(refused.value)
    assert said.startswith("shop.json: ") and "\n" not in said
    for word in named:
        assert word in said, said


def test_a_missing_field_is_named():
    with pytest.raises(ScenarioError, match="arrivals: is missing"):
        parse({k: v for k, v in PAIR.items() if k != "arrivals"}, "shop.json")


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", '{"name": 3}'])
def test_a_file_that_is_no_scenario_is_refused(tmp_path, text):
    path = tmp_path / "shop.json"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=r"shop\.json"):
        load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match=r"none\.json"):
        load(tmp_path / "none.json")


def test_the_registry_holds_what_is_promised():
    assert scenarios.DEFAULT == "grocery"
    assert set(REGISTERED) <= set(scenarios.names())
    with pytest.raises(ScenarioError, match=r"did you mean grocery\?"):
        scenarios.get("grocer")


@pytest.mark.parametrize("name", REGISTERED)
def test_a_scenario_survives_being_saved(tmp_path, name):
    scenario = scenarios.get(name)
    assert scenario.name == name and scenario.about
    scenario.save(tmp_path / "again.json")
    again = scenarios.get(str(tmp_path / "again.json"))
    assert again == scenario
    chex.assert_trees_all_equal(again.params(), scenario.params())
    assert [file.name for file in tmp_path.iterdir()] == ["again.json"]


def test_numbers_stand_for_everybody():
    body = PAIR | {"price": 7.0, "cost": 3, "lead_time": 1}
    params = parse(body, "shop.json").params()
    np.testing.assert_array_equal(params.price, [7, 7])
    np.testing.assert_array_equal(params.cost, [3, 3])
    assert params.lead_time.dtype == np.int32 and params.price.dtype == np.float32


def test_the_store_from_real_data_is_what_it_says():
    scenario = scenarios.get("grocery")
    margin = 1 - np.array(scenario.cost) / np.array(scenario.price)
    assert (len(scenario.products), len(scenario.segments)) == (20, 8)
    assert (margin > 0).all() and np.median(margin) < 0.25
    dry = scenarios.get("grocery-dry")
    same = set(Scenario.model_fields) - {"name", "about", "sources", "holding", "capacity"}
    differing = {f for f in same if getattr(dry, f) != getattr(scenario, f)}
    assert differing <= {"overflow", "penalty", "lead_time"}, differing
    yearly = 365 * np.array(dry.holding) / np.array(dry.cost)
    np.testing.assert_allclose(yearly, 0.25, rtol=0.01)
