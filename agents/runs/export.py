"""One trained department as a folder that decides alone: weights, schema, compiled program."""

import json
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export
from jaxtyping import Array
from safetensors.numpy import save

from agents import checksums
from agents.errors import RunError
from agents.files import writing
from agents.learning.regimes import REGIMES
from agents.policies.replenishment import Replenishment
from agents.runs import run_folder
from agents.runs.export_schema import Department, has_memory, inputs_of, schema_of
from agents.runs.pipeline import load_departments
from agents.runs.serving import PROGRAM, SCHEMA, TENSORS
from agents.runs.settings import ExportConfig
from jaxsim.files import appearing
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.scenarios.scenario import Scenario

PLATFORMS = ("cpu", "cuda")


def export_run(config: ExportConfig) -> None:
    """Raises `RunError` or `ScenarioError`."""
    check_free(config.out)
    trained, tuned = run_folder.read_config(config.run), run_folder.read_heuristics(config.run)
    if REGIMES[trained.regime].one_network:
        raise RunError(
            f"regime: {trained.regime}; allowed: a regime with two departments, of which one can "
            "decide alone"
        )
    departments = load_departments(config.run, trained, tuned)
    scenario = run_folder.read_scenario(config.run)
    write(config.department, getattr(departments, config.department), scenario, config.out)


def check_free(out: Path) -> None:
    """Raises `RunError` if the folder is there and holds something."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise RunError(f"out: {out} is there already; allowed: a new or an empty folder")


def write(name: str, department: Department, scenario: Scenario, out: Path) -> None:
    """Writes the folder under a temporary name, then renames it. Raises `RunError`."""
    check_free(out)
    params = scenario.params()
    tensors = tensors_of(department, params)
    schema = schema_of(name, department, params, scenario)
    program = compile_program(department, params)
    out.parent.mkdir(parents=True, exist_ok=True)
    with writing(out, "out"), appearing(out) as folder:
        folder.mkdir()
        text = json.dumps(schema | {"versions": {"jax": jax.__version__}}, indent=2)
        files = {TENSORS: save(tensors), PROGRAM: program, SCHEMA: f"{text}\n".encode()}
        for file, data in files.items():
            (folder / file).write_bytes(data)
        checksums.seal(folder, {file: checksums.digest(data) for file, data in files.items()})


def tensors_of(department: Department, params: Params) -> dict[str, np.ndarray]:
    """Weights, the tuned heuristic and the store's numbers, by path. They are arguments of the
    program, as they are in an evaluation, so that both round alike."""
    leaves = jax.tree.leaves((department, params))
    return {
        name: np.array(leaf, order="C")
        for name, leaf in zip(_paths(department, params), leaves, strict=True)
    }


def compile_program(department: Department, params: Params) -> bytes:
    """`decide(tensors, inputs) -> outputs` for any number of stores, as a serialised
    `jax.export.Exported` for CPU and CUDA."""
    (batch,) = jax_export.symbolic_shape("stores")
    inputs = {
        field: jax.ShapeDtypeStruct((batch, *each.shape), each.kind)
        for field, each in inputs_of(department, params).items()
    }
    tensors = {
        name: jax.ShapeDtypeStruct(array.shape, array.dtype)
        for name, array in tensors_of(department, params).items()
    }
    decide = jax.jit(_program(department, params))
    return bytes(jax_export.export(decide, platforms=PLATFORMS)(tensors, inputs).serialize())


def _program(department: Department, params: Params) -> Callable[[dict, dict], dict]:
    """The department's decision as a function of named arrays."""
    names, structure = _paths(department, params), jax.tree.structure((department, params))
    blank = _blank_state(params)

    def decide(tensors: dict[str, Array], inputs: dict[str, Array]) -> dict[str, Array]:
        department, params = jax.tree.unflatten(structure, [tensors[name] for name in names])
        return jax.vmap(lambda fields: _decide(department, params, blank, fields))(inputs)

    return decide


def _decide(
    department: Department, params: Params, blank: State, fields: dict[str, Array]
) -> dict[str, Array]:
    fields = dict(fields)
    memory = fields.pop("memory") if has_memory(department) else department.start(params)
    attention = fields.pop("attention", jnp.zeros(params.products))
    state = blank.replace(**fields)
    if isinstance(department, Replenishment):
        order, memory = department.order(memory, state, params, attention)
        decision = {"order": order}
    else:
        slate, memory = department.slate(memory, state, params)
        decision = {"slate": slate}
    return decision if memory is None else decision | {"memory": memory}


def _blank_state(params: Params) -> State:
    """Stands for what the department does not look at."""
    n, k = params.products, params.segments
    shapes = dict.fromkeys(("on_hand", "backlog", "forecast", "sold", "lost"), (n,))
    shapes |= {"pipeline": (params.max_lead_time, n), "goodwill": (k,), "fatigue": (k, n)}
    if params.ages:
        shapes["expiring"] = (params.max_shelf_life, n)
    zeros = {field: jnp.zeros(shape) for field, shape in shapes.items()}
    return State(**zeros, market=jnp.zeros(()), period=jnp.zeros((), jnp.int32))


def _paths(department: Department, params: Params) -> list[str]:
    """Names like `weights/params/Dense_0/kernel` or `store/price`, in the order of the leaves."""
    named = {"department": department, "store": params}
    leaves, _ = jax.tree.flatten_with_path(named)
    paths = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    return [path.removeprefix("department/") for path in paths]
