"""Scenario files: what is wrong is refused by name, what is right survives a round trip."""

import json

import chex
import numpy as np
import pytest

from jaxsim import scenarios
from jaxsim.scenarios import generate
from jaxsim.scenarios.scenario import Scenario, ScenarioError, load, parse

REGISTERED = (
    "backlog", "boutique", "boutique-v1", "grocery", "grocery-dry", "grocery-dry-v1",
    "grocery-v1", "lost-sales", "loyal", "marketplace-200", "newsvendor", "pair", "scarce",
)  # fmt: skip
PAIR = json.loads((scenarios.FOLDER / "pair.json").read_text())

WRONG = {
    "negative price": ({"price": [10.0, -1.0]}, ["price[1]", "-1", "0"]),
    "lead time beyond the pipeline": ({"lead_time": 9}, ["lead_time", "9", "max_lead_time"]),
    "shelf life beyond the rows": ({"shelf_life": 4}, ["shelf_life", "4", "max_shelf_life=0"]),
    "expired on arrival": (
        {
            "max_shelf_life": 2,
            "shelf_life": 2,
            "max_lead_time": 3,
            "lead_time": 3,
            "arrival_age": 3,
        },
        ["shelf_life", "2", "3 periods old", "above arrival_age"],
    ),
    "paid for waste": ({"disposal": -0.5}, ["disposal", "-0.5", "0"]),
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
    "a category too few": ({"category": ["a"]}, ["category", "1", "2"]),
    "a weight for no category": (
        {"no_purchase": [[1.0, 1.0], [1.0, 1.0]]},
        ["no_purchase", "2", "rows of 1"],
    ),
    "ragged weights": (
        {"category": ["a", "b"], "no_purchase": [[1.0, 1.0], [1.0]]},
        ["no_purchase", "1, 2"],
    ),
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


STRANGE = {
    "an integer of 5,000 digits": '{"price": ' + "9" * 5_000 + "}",
    "a price of 400 digits": json.dumps(PAIR | {"price": 123}).replace("123", "9" * 400),
    "a thousand levels": '{"price": ' + "[" * 1_000 + "]" * 1_000 + "}",
    "many levels": '{"price": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "half a character": json.dumps(PAIR | {"about": "?"}).replace('"?"', '"\\ud800"'),
    "a field of many words": json.dumps(PAIR | {"pri\n\x1b[31mce" * 300: 1}),
    "a value of many lines": json.dumps(PAIR | {"price": "\u2028\n" * 300}),
    "a family of many lines": json.dumps(PAIR | {"family": "a\nb" * 300}),
}  # fmt: skip


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_a_strange_file_is_refused_in_one_printable_line_of_at_most_300_characters(tmp_path, text):
    path = tmp_path / "shop.json"
    path.write_text(text)
    with pytest.raises(ScenarioError) as refused:
        load(path)
    said = str(refused.value)
    assert said.startswith(str(path)) and said.isprintable() and len(said) <= 300


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


def test_files_are_what_the_code_that_writes_them_says():
    for scenario in generate.every():
        assert scenarios.get(scenario.name) == scenario
    first = scenarios.get("boutique")
    assert scenarios.get("boutique-v1") == first.model_copy(update={"name": "boutique-v1"})


def test_numbers_stand_for_everybody():
    body = PAIR | {"price": 7.0, "cost": 3, "lead_time": 1}
    params = parse(body, "shop.json").params()
    np.testing.assert_array_equal(params.price, [7, 7])
    np.testing.assert_array_equal(params.cost, [3, 3])
    assert params.lead_time.dtype == np.int32 and params.price.dtype == np.float32


def test_categories_are_numbered_as_they_appear():
    body = PAIR | {"category": ["milk", "bread"]}
    assert parse(body, "shop.json").params().category.tolist() == [0, 1]
    assert parse(body, "shop.json").params().no_purchase.tolist() == [[1.0, 1.0]] * 2
    by_segment = parse(body | {"no_purchase": [2.0, 3.0]}, "shop.json").params()
    assert by_segment.no_purchase.tolist() == [[2.0, 2.0], [3.0, 3.0]]
    by_both = parse(body | {"no_purchase": [[2.0, 3.0], [4.0, 5.0]]}, "shop.json").params()
    assert by_both.no_purchase.tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert parse(PAIR, "shop.json").params().no_purchase.shape == (2, 1)


def test_a_field_left_out_that_now_means_something_else_is_told(tmp_path, caplog):
    path = tmp_path / "shop.json"
    for more, lines in (
        ({}, 0), ({"penalty": 1.0}, 1), ({"penalty": 1.0, "charge_missed": False}, 0),
        ({"penalty": 1.0, "hide_stockouts": False}, 0), ({"goodwill_rate": 0.1}, 1),
    ):  # fmt: skip
        caplog.clear()
        path.write_text(json.dumps(PAIR | more))
        load(path)
        assert len(caplog.records) == lines, more
    assert "charge_missed: left out" in caplog.text and "shop.json" in caplog.text


def test_the_store_from_real_data_is_what_it_says():
    scenario = scenarios.get("grocery")
    margin = 1 - np.array(scenario.cost) / np.array(scenario.price)
    assert (len(scenario.products), len(scenario.segments)) == (20, 8)
    assert (margin > 0).all() and np.median(margin) < 0.25
    assert len(scenario.categories) == 5 and not scenario.hide_stockouts
    dry = scenarios.get("grocery-dry")
    same = set(Scenario.model_fields) - {"name", "about", "sources", "holding", "capacity"}
    differing = {f for f in same if getattr(dry, f) != getattr(scenario, f)}
    assert differing <= {"overflow", "shelf_life", "max_shelf_life"}, differing
    yearly = 365 * np.array(dry.holding) / np.array(dry.cost)
    np.testing.assert_allclose(yearly, 0.25, rtol=0.01)
