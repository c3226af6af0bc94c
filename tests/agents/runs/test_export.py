"""An exported department decides as the evaluator's does, and alone."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from agents.errors import RunError
from agents.policies.departments import Departments
from agents.policies.heuristics import HeuristicParams
from agents.policies.recommendation import Recommendation, RecommendationActor
from agents.policies.replenishment import Replenishment, ReplenishmentActor
from agents.runs import serving
from agents.runs.export import write
from agents.runs.export_schema import inputs_of
from agents.runs.serving import ServedDepartment, ServingError
from jaxsim import choice, scenarios, store, views
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.view_columns import columns_of

SCENARIO = scenarios.get("pair")
PARAMS = SCENARIO.params()
PERISHABLE = SCENARIO.model_copy(update={"max_shelf_life": 4, "shelf_life": 4}).params()
DEPARTMENTS = ("replenishment", "recommendation")
# The departments are an argument, as in an evaluation: constants might be rounded elsewhere.
ACT = jax.jit(lambda pair, *inputs: jax.vmap(pair.act, (None, 0, 0, None))(*inputs))
ADVANCE = jax.jit(jax.vmap(store.step, (0, 0, 0, None)))
ATTENTION = jax.jit(jax.vmap(choice.mean_attention, (0, None)))
RESET = jax.jit(jax.vmap(store.reset, (0, None)))
STORES, PERIODS = 40, 6


def departments(memories: tuple[str, str], sees_other: bool, recommender: str) -> Departments:
    """Departments whose weights are far from where training starts."""
    heuristic = HeuristicParams(recommender, safety=0.3, fractile=0.5, cap=3.0)
    sight = "department" if sees_other else "own half"
    pair = Departments(
        Replenishment(None, heuristic, ReplenishmentActor(8, memories[0]), sight),
        Recommendation(None, heuristic, RecommendationActor(8, memories[1]), sight),
    )
    key = jax.random.key(0)
    state = jax.eval_shape(store.reset, key, PARAMS)
    rng = np.random.default_rng(3)

    def with_weights(department):
        shapes = jax.eval_shape(department.weights_for, key, state, PARAMS)

        def draw(leaf):
            return rng.normal(0, 0.5, leaf.shape).astype(np.float32)

        return department.replace(weights=jax.tree.map(draw, shapes))

    return Departments(with_weights(pair.replenishment), with_weights(pair.recommendation))


@pytest.fixture(scope="module")
def remembering() -> Departments:
    return departments(("ewma", "ewma"), True, "balancing")


@pytest.fixture(scope="module")
def siloed() -> Departments:
    return departments(("gru", "none"), False, "margin")


def written(pair: Departments, folder: Path) -> dict[str, ServedDepartment]:
    for name in DEPARTMENTS:
        write(name, getattr(pair, name), SCENARIO, folder / name)
    return {name: serving.load(folder / name) for name in DEPARTMENTS}


def fields_of(
    department: ServedDepartment, states: State, slates: jax.Array | None = None
) -> dict[str, np.ndarray]:
    """Inputs of one store or many; without slates nothing is shown."""
    asked = department.schema["properties"].keys() - {"memory", "attention"}
    fields = {name: np.asarray(getattr(states, name)) for name in asked}
    if "attention" in department.schema["properties"]:
        given = np.zeros_like(states.on_hand) if slates is None else ATTENTION(slates, PARAMS)
        fields["attention"] = np.asarray(given)
    return fields


@pytest.fixture(scope="module")
def served(
    remembering: Departments, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, ServedDepartment]:
    return written(remembering, tmp_path_factory.mktemp("exports"))


def test_actions_are_the_evaluator_s(remembering, served) -> None:
    compare(remembering, served)


def test_actions_of_a_silo_are_the_evaluator_s(siloed, tmp_path) -> None:
    compare(siloed, written(siloed, tmp_path))
    program = bytearray((tmp_path / "replenishment" / serving.PROGRAM).read_bytes())
    assert jax.export.deserialize(program).platforms == ("cpu", "cuda")


def compare(pair: Departments, served: dict[str, ServedDepartment]) -> None:
    """Both decide in the same stores for some periods, each with its own memory."""
    keys = jax.random.split(jax.random.key(2), STORES)
    states = RESET(keys, PARAMS)
    carried = jax.vmap(lambda _: pair.start(PARAMS))(jnp.arange(STORES))
    carried_alone = {name: each.start(STORES) for name, each in served.items()}
    seen = []
    for _ in range(PERIODS):
        action, carried = ACT(pair, keys[0], carried, states, PARAMS)
        alone = {
            name: each.decide(fields_of(each, states, action.slate) | carried_alone[name])
            for name, each in served.items()
        }
        np.testing.assert_array_equal(alone["replenishment"].pop("order"), action.order)
        np.testing.assert_array_equal(alone["recommendation"].pop("slate"), action.slate)
        carried_alone = alone
        seen.append(np.asarray(action.order))
        states, _ = ADVANCE(keys, states, action, PARAMS)
        keys = jax.vmap(jax.random.fold_in, (0, None))(keys, 1)
    assert len(np.unique(seen)) > 3  # the comparison saw different orders


def test_one_store_is_a_batch_of_one(served) -> None:
    states = RESET(jax.random.split(jax.random.key(0), STORES), PARAMS)
    for department in served.values():
        batch = fields_of(department, states) | department.start(STORES)
        many = department.decide(batch)
        one = department.decide({name: each[1] for name, each in batch.items()})
        for name, value in one.items():
            np.testing.assert_array_equal(value, many[name][1])
            assert list(value.shape) == department.schema["outputs"][name]["shape"]
            assert value.dtype == department.schema["outputs"][name]["dtype"]


def test_plain_lists_will_do(served) -> None:
    state = store.reset(jax.random.key(0), PARAMS)
    department = served["replenishment"]
    inputs = fields_of(department, state) | department.start()
    plain = json.loads(json.dumps({name: value.tolist() for name, value in inputs.items()}))
    np.testing.assert_array_equal(
        department.decide(plain)["order"], department.decide(inputs)["order"]
    )


MISTAKES = {
    "unknown": ({"stock": 1}, "stock: unknown field; allowed: on_hand, pipeline"),
    "missing": ({"backlog": None}, "backlog: is missing"),
    "shape": ({"on_hand": np.zeros(3)}, r"on_hand: has shape \(3,\); allowed: \(2,\)"),
    "batch": ({"sold": np.zeros((4, 2))}, r"sold: has shape \(4, 2\); allowed: \(2,\)"),
    "empty": ({"on_hand": np.zeros((0, 2))}, r"pipeline: has shape"),
    "ragged": ({"pipeline": [[1.0, 2.0], [1.0]]}, "pipeline: is not an array"),
    "type": ({"forecast": np.array(["1", "2"])}, "forecast: has type <U1; allowed: integers or"),
    "flag": ({"lost": np.array([True, False])}, "lost: has type bool"),
    "float period": ({"period": 1.5}, "period: has type float64; allowed: integers"),
    "negative": ({"on_hand": np.array([1.0, -2.0])}, "on_hand: -2.0; allowed: whole numbers"),
    "part of a unit": ({"on_hand": np.array([1.0, 2.5])}, "on_hand: 2.5; allowed: whole numbers"),
    "not a number": ({"forecast": np.array([1.0, np.nan])}, "forecast: nan; allowed: numbers from"),
    "too much": ({"fatigue": np.full((2, 2), 1.1)}, "fatigue: 1.1; allowed: numbers from 0.0 to 1"),
    "memory": ({"memory": np.zeros((2, 4))}, r"memory: has shape \(2, 4\); allowed: \(2, 9\)"),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "said"), MISTAKES.values(), ids=MISTAKES)
def test_bad_inputs_are_refused_by_name(served, wrong, said) -> None:
    department = served["replenishment"]
    state = store.reset(jax.random.key(0), PARAMS)
    inputs = fields_of(department, state) | department.start() | wrong
    with pytest.raises(ServingError, match=said):
        department.decide({name: each for name, each in inputs.items() if each is not None})


def test_a_batch_of_nothing_is_refused(served) -> None:
    for department in served.values():
        fields = department.schema["properties"].items()
        nothing = {name: np.zeros((0, *each["shape"]), each["dtype"]) for name, each in fields}
        with pytest.raises(ServingError, match="a batch of 0 stores; allowed: 1 or more"):
            department.decide(nothing)


def ordering_view(state: State, params: Params) -> views.View:
    return views.with_todays_slates(views.replenishment_view(state, params), state.on_hand)


def test_schema_lists_every_column_of_the_views() -> None:
    for params in (PARAMS, PERISHABLE):
        state = jax.eval_shape(store.reset, jax.random.key(0), params)
        for name, see in (
            ("replenishment", ordering_view),
            ("recommendation", views.recommendation_view),
        ):
            view = jax.eval_shape(see, state, params)
            for part, columns in columns_of(name, params).items():
                assert len(columns) == getattr(view, part).shape[-1], (name, part)


def test_siloed_departments_are_not_asked_for_the_other_half(remembering, siloed) -> None:
    def asked(department):
        return set(inputs_of(department, PARAMS))

    shared = asked(remembering.recommendation)
    assert shared - asked(siloed.recommendation) == {"on_hand", "pipeline", "sold", "memory"}
    assert asked(remembering.replenishment) - asked(siloed.replenishment) == {
        "fatigue", "attention",
    }  # fmt: skip
    ordering, blind = siloed.replenishment, siloed.recommendation
    for department, ages in ((ordering, {"expiring"}), (blind, set())):
        assert set(inputs_of(department, PERISHABLE)) - asked(department) == ages
    # One that starts from a rule that looks at stock must be told of it.
    aware = siloed.recommendation.replace(heuristic=remembering.recommendation.heuristic)
    assert asked(aware) == shared - {"sold", "memory"}


def test_a_folder_that_holds_something_is_left_alone(siloed, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match=r"out: .* is there already; allowed: a new"):
        write("replenishment", siloed.replenishment, SCENARIO, tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]


@pytest.fixture(scope="module")
def exported(siloed, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "orders"
    write("replenishment", siloed.replenishment, SCENARIO, out)
    return out


def with_tensors(folder: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
    tensors = safetensors.numpy.load_file(folder / serving.TENSORS)
    change(tensors)
    (folder / serving.TENSORS).write_bytes(safetensors.numpy.save(tensors))


def foreign_program(folder: Path) -> None:
    double = jax.export.export(jax.jit(lambda x: 2 * x))(jax.ShapeDtypeStruct((3,), jnp.float32))
    (folder / serving.PROGRAM).write_bytes(double.serialize())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def no_bounds(folder: Path) -> None:
    text = (folder / serving.SCHEMA).read_text()
    (folder / serving.SCHEMA).write_text(text.replace('"minimum"', '"least"'))


STRANGE = {
    "tensors cut short": (lambda out: cut(out / serving.TENSORS), "not the tensors of"),
    "a tensor more": (
        lambda out: with_tensors(out, lambda each: each.update(more=np.ones(2))), "takes other",
    ),
    "a weight that is not finite": (
        lambda out: with_tensors(out, lambda each: each["store/price"].fill(np.nan)),
        "store/price is not finite; allowed: finite",
    ),
    "a foreign program": (foreign_program, "program.jax: takes other tensors or inputs"),
    "no program": (lambda out: (out / serving.PROGRAM).write_bytes(b""), "not a program of jax"),
    "a schema of nothing": (lambda out: (out / serving.SCHEMA).write_text("{}"), "not the schema"),
    "a schema without ranges": (no_bounds, "not the schema of an exported department"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "said"), STRANGE.values(), ids=STRANGE)
def test_what_is_not_what_was_exported_is_refused_checked_or_not(
    exported, tmp_path, change, said
) -> None:
    out = shutil.copytree(exported, tmp_path / "out")
    change(out)
    with pytest.raises(ServingError, match="is not the file that was exported"):
        serving.load(out)
    with pytest.raises(ServingError, match=said):
        serving.load(out, unchecked=True)


@pytest.mark.parametrize(
    "sums", ["", "0" * 64 + "  ../../outside\n", "0" * 64 + "  schema.json\n", None]
)
def test_checksums_that_do_not_list_the_three_files_are_refused(exported, tmp_path, sums) -> None:
    out = shutil.copytree(exported, tmp_path / "out")
    assert {each.name for each in out.iterdir()} == {
        serving.TENSORS, serving.SCHEMA, serving.PROGRAM, serving.SUMS,
    }  # fmt: skip
    (out / serving.SUMS).unlink()
    if sums is not None:
        (out / serving.SUMS).write_text(sums)
    with pytest.raises(ServingError, match=r"is damaged|has no SHA256SUMS; allowed: .* unchecked"):
        serving.load(out)
    assert serving.load(out, unchecked=True).schema["products"] == SCENARIO.products


def test_the_loader_imports_nothing_of_this_project() -> None:
    program = """
import sys
import agents.runs.serving
ours = {name for name in sys.modules if name.split(".")[0] in ("agents", "jaxsim")}
assert ours == {"agents", "agents.runs", "agents.runs.serving"}, ours
"""
    subprocess.run([sys.executable, "-c", program], check=True)
