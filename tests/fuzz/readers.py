"""All that is read again of a run, a checkpoint, a sweep and an export, so that what damage
changes can be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from agents.evaluation.tuning import Effort
from agents.learning.training import Snapshot, prepared
from agents.report.sweeps import read_sweep
from agents.runs import run_folder, serving
from agents.runs.checkpoints import Checkpoints
from agents.runs.run_schemas import config_of
from agents.sweeps import sweep_folder
from agents.sweeps.baselines import Stores
from agents.sweeps.grid import PlannedRun, planned_runs
from agents.sweeps.sweep_schema import ONLY

Restored = tuple[int, str, bytes]
"""Of a checkpoint: its iteration, its other numbers, its arrays."""


def documents_of(run: Path) -> str:
    """All that a run says, but for its weights."""
    config = run_folder.read_config(run)
    tuned = [(pair.name, pair.profit, pair.policy) for pair in run_folder.read_heuristics(run)]
    scenario, summary = run_folder.read_scenario(run), run_folder.read_summary(run)
    return f"{config} {tuned} {scenario} {summary} {run_folder.read_metrics(run).to_csv()}"


def run_of(run: Path, like: Any) -> tuple[str, bytes]:
    """The same with its weights."""
    documents = documents_of(run)
    weights = run_folder.load_weights(run, run_folder.BEST, like)
    return documents, bytes_of(weights)


@dataclass(frozen=True)
class Swept:
    """A finished sweep, and what the command that made it knows."""

    folder: Path
    planned: list[PlannedRun]
    stores: Stores

    def documents(self) -> str:
        """All that it says of its settings, store, tuned pairs, baselines and runs."""
        settings, scenario = (
            sweep_folder.read_settings(self.folder), sweep_folder.read_scenario(self.folder),
        )  # fmt: skip
        tuned = [
            (pair.name, pair.profit, pair.policy)
            for pair in self.stores.tuned(self.planned[0].scenario)
        ]
        best = [self.stores.baseline(run) for run in self.planned]
        earned = [(each.name, each.profits.tolist(), each.kpis) for each in best]
        runs = [(run.config, run.summary, run.metrics.to_csv()) for run in read_sweep(self.folder)]
        return f"{settings} {scenario} {tuned} {earned} {runs}"

    def everything(self, like: Any) -> tuple[str, bytes]:
        """The same with the weights of its runs, and what its chunks say."""
        documents, finished = self.documents(), sweep_folder.finished_runs(self.folder)
        chunks = [
            sweep_folder.read_table(chunk, name).to_csv()
            for chunk in sorted((self.folder / sweep_folder.CHUNKS).iterdir())
            for name in (sweep_folder.RUNS, sweep_folder.HEURISTICS, sweep_folder.CURVES)
        ]
        weights = [
            bytes_of(sweep_folder.read_weights(self.folder, run.number, like))
            for run in self.planned
        ]
        return f"{documents} {finished} {chunks}", b"".join(weights)


def swept(folder: Path) -> Swept:
    """A sweep without a grid, before it is damaged."""
    settings = sweep_folder.read_settings(folder)
    config = config_of(settings.variants[ONLY])
    planned = planned_runs(config, sweep_folder.read_scenario(folder), {}, settings.seeds)
    effort = Effort().times(config.tuning_effort)
    return Swept(folder, planned, Stores(folder / sweep_folder.STORES, effort))


def export_of(out: Path) -> tuple[str, bytes]:
    """All that an exported department is."""
    served = serving.load(out)
    return str(served.schema), bytes_of(served.tensors)


def restored(
    place: Path, settings: dict[str, Any], like: Snapshot, into: list[Restored]
) -> Restored:
    """The newest whole checkpoint, also appended to a list."""
    with Checkpoints(place, settings) as checkpoints:
        snapshot = checkpoints.restore(like, lambda _: None)
    assert snapshot is not None
    key = jax.random.key_data(snapshot.train_state.key)
    data = bytes_of((snapshot.train_state.replace(key=key), snapshot.kept))
    into.append((snapshot.iteration, f"{snapshot.kept_profit} {snapshot.seconds}", data))
    return into[-1]


def shapes_of(run: Path) -> Snapshot:
    """The shapes of all that a training saves."""
    config, tuned = run_folder.read_config(run), run_folder.read_heuristics(run)
    training = prepared(config, run_folder.read_scenario(run).params(), tuned)
    shapes = jax.eval_shape(training.trainer.init, training.keys["learn"], training.params)
    return Snapshot(shapes, training.departments(shapes).weights)


def bytes_of(tree: Any) -> bytes:
    """All numbers of a tree."""
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree))
