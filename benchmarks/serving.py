"""Latency of exported departments: one decision, and 10,000 stores. `python -m benchmarks.serving`

Departments of the default size on `grocery`, exported and loaded; weights do not change the time.
Inputs are NumPy arrays, outputs too, and the checks of the inputs are in the time. The first
call of each size, which compiles, is left out.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import jax
import numpy as np
import tyro

from agents import files
from agents.learning.config import TrainConfig
from agents.policies.heuristics import HeuristicParams
from agents.policies.recommendation import Recommendation, RecommendationActor
from agents.policies.replenishment import Replenishment, ReplenishmentActor
from agents.runs import serving
from agents.runs.export import write
from agents.runs.export_schema import Department
from jaxsim import scenarios, store
from jaxsim.params import Params


@dataclass(frozen=True)
class Settings:
    """What is measured."""

    scenario: str = "grocery"
    """The store."""
    stores: int = 10_000
    """Stores in the batch."""
    repeats: int = 50
    """Timed calls of each size."""
    out: Path | None = None
    """A JSON file for the numbers, beside the table."""


def departments_of(params: Params) -> dict[str, Department]:
    """Untrained, of the default width and memories."""
    sizes = TrainConfig()
    heuristic = HeuristicParams(recommender="balancing", safety=0.3, fractile=0.5, cap=3.0)
    order = ReplenishmentActor(sizes.width, sizes.replenishment_memory)
    slate = RecommendationActor(sizes.width, sizes.recommendation_memory)
    departments = {
        "replenishment": Replenishment(None, heuristic, order),
        "recommendation": Recommendation(None, heuristic, slate),
    }
    return {name: with_weights(each, params) for name, each in departments.items()}


def with_weights(department: Department, params: Params) -> Department:
    """Small random weights of the right shapes."""
    key, rng = jax.random.key(0), np.random.default_rng(0)
    state = jax.eval_shape(store.reset, key, params)
    shapes = jax.eval_shape(department.weights_for, key, state, params)

    def draw(leaf):
        return rng.normal(0, 0.1, leaf.shape).astype(np.float32)

    return department.replace(weights=jax.tree.map(draw, shapes))


def load_exported(name: str, department: Department, scenario: str) -> serving.ServedDepartment:
    with tempfile.TemporaryDirectory() as folder:
        write(name, department, scenarios.get(scenario), Path(folder) / name)
        return serving.load(Path(folder) / name)


def milliseconds(
    served: serving.ServedDepartment, inputs: serving.Arrays, repeats: int
) -> list[float]:
    served.decide(inputs)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        served.decide(inputs)
        times.append(1000 * (time.perf_counter() - start))
    return times


def measure(settings: Settings) -> list[dict]:
    """One row for each department and size."""
    params = scenarios.get(settings.scenario).params()
    keys = jax.random.split(jax.random.key(0), settings.stores)
    states = jax.device_get(jax.vmap(store.reset, (0, None))(keys, params))
    rows = []
    for name, department in departments_of(params).items():
        served = load_exported(name, department, settings.scenario)
        known = dict(vars(states), attention=np.zeros_like(states.on_hand))
        asked = served.schema["properties"].keys() - {"memory"}
        batch = {field: known[field] for field in asked} | served.start(settings.stores)
        one = {field: np.asarray(value[0]) for field, value in batch.items()}
        for stores, inputs in ((1, one), (settings.stores, batch)):
            times = milliseconds(served, inputs, settings.repeats)
            rows.append(
                {
                    "department": name,
                    "stores": stores,
                    "median_ms": median(times),
                    "least_ms": min(times),
                    "most_ms": max(times),
                }
            )
    return rows


def main(settings: Settings) -> None:
    rows = measure(settings)
    device = f"{jax.devices()[0].device_kind}, JAX {jax.__version__}"
    print(f"{device}, {settings.scenario}, {settings.repeats} calls each (ms)")
    print(f"{'department':<16} {'stores':>7} {'median':>9} {'least':>9} {'most':>9}")
    for row in rows:
        times = "".join(f"{row[f'{what}_ms']:10.3f}" for what in ("median", "least", "most"))
        print(f"{row['department']:<16} {row['stores']:7d}{times}")
    if settings.out:
        files.write_json(settings.out, {"device": device, "rows": rows})


if __name__ == "__main__":
    main(tyro.cli(Settings))
