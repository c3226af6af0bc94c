"""Where people keep their numbers: TensorBoard by default; Weights & Biases and MLflow if asked.

A row of metrics is logged at the store-periods it was reached with, as soon as its chunk is done.
A training that is taken up again goes on in the same log and writes no step twice.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agents import checksums, files, schemas
from agents.errors import ConfigError
from agents.learning.config import LogName
from agents.runs.run_schemas import Identities

Write = Callable[[pd.DataFrame], None]

PROJECT = "closing-the-loop"
IDENTITIES = "logs.json"
"""The file in a run folder that remembers under which names the services know the run."""

FLUSH_SECONDS = 10

CLOCKS = {f"{clock}_{part}" for clock in ("critic", "fast", "slow") for part in ("rate", "updates")}


def check(names: tuple[LogName, ...]) -> None:
    """Raises `ConfigError` for a log whose extra is not installed."""
    for name in names:
        if name != "tensorboard" and find_spec(name) is None:
            raise ConfigError(f"log: {name} is not installed; pip install -e '.[{name}]' brings it")


@contextmanager
def writing(
    names: tuple[LogName, ...], folder: Path, settings: Mapping[str, Any], done: int
) -> Iterator[Write]:
    """A function that writes rows of metrics to every log named, closed when the training ends.

    `folder` is the run's and its name the run's; `done` are the store-periods already logged: 0
    begins anew. Rows are those of `metrics.csv`; what is not a number is left out.
    """
    with ExitStack() as stack:
        writers = [stack.enter_context(LOGS[name](folder, settings, done)) for name in names]

        def write(frame: pd.DataFrame) -> None:
            for writer in writers:
                writer(frame)

        yield write


def scalars(frame: pd.DataFrame) -> Iterator[tuple[int, dict[str, float]]]:
    """Step and values of each row, tagged `clocks/` (rates, counts of updates) or `training/`."""
    for row in frame.drop(columns="iteration").to_dict("records"):
        step = int(row.pop("store_periods"))
        yield (
            step,
            {
                f"{'clocks' if name in CLOCKS else 'training'}/{name}": float(value)
                for name, value in row.items()
                if np.isfinite(value)
            },
        )


@contextmanager
def _tensorboard(folder: Path, settings: Mapping[str, Any], done: int) -> Iterator[Write]:
    """Event files under tensorboard/. What a stopped training wrote beyond `done` is not shown:
    the new file begins with the mark by which TensorBoard drops it."""
    from tensorboardX import SummaryWriter

    events = folder / "tensorboard"
    if not done:
        shutil.rmtree(events, ignore_errors=True)
    with SummaryWriter(
        str(events),
        purge_step=done + 1 if done else None,
        flush_secs=FLUSH_SECONDS,
        filename_suffix=f".{done}",  # files are named by the second
    ) as writer:

        def write(frame: pd.DataFrame) -> None:
            for step, values in scalars(frame):
                for tag, value in values.items():
                    writer.add_scalar(tag, value, step)

        yield write


@contextmanager
def _wandb(folder: Path, settings: Mapping[str, Any], done: int) -> Iterator[Write]:
    """A run of Weights & Biases, which itself ignores steps that it has."""
    import wandb  # pyright: ignore[reportMissingImports]

    known = _identities(folder).get("wandb") if done else None
    with wandb.init(
        project=PROJECT, name=folder.name, dir=folder, config=dict(settings), id=known,
        resume="allow",
    ) as run:  # fmt: skip
        _remember(folder, "wandb", run.id)

        def write(frame: pd.DataFrame) -> None:
            for step, values in scalars(frame):
                run.log(values, step=step)

        yield write


@contextmanager
def _mlflow(folder: Path, settings: Mapping[str, Any], done: int) -> Iterator[Write]:
    """A run of MLflow, where MLFLOW_TRACKING_URI says; steps that it has are skipped."""
    import mlflow  # pyright: ignore[reportMissingImports]

    known = _identities(folder).get("mlflow") if done else None
    mlflow.set_experiment(PROJECT)
    with mlflow.start_run(run_id=known, run_name=None if known else folder.name) as run:
        identity = run.info.run_id
        _remember(folder, "mlflow", identity)
        seen = mlflow.MlflowClient().get_metric_history(identity, "training/profit")
        last = max((metric.step for metric in seen), default=0)
        if not known:
            mlflow.log_params(dict(settings))

        def write(frame: pd.DataFrame) -> None:
            for step, values in scalars(frame):
                if step > last:
                    mlflow.log_metrics(values, step=step)

        yield write


LOGS: dict[LogName, Callable[[Path, Mapping[str, Any], int], AbstractContextManager[Write]]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
}


def _identities(folder: Path) -> dict[str, str]:
    """Of every service that was asked, the name it gave the run. Raises `RunError`."""
    path = folder / IDENTITIES
    if not path.exists():
        return {}
    found = schemas.parse(checksums.bytes_of(path), path, Identities)
    return found.model_dump(exclude_none=True)


def _remember(folder: Path, name: str, identity: str) -> None:
    files.write_json(folder / IDENTITIES, _identities(folder) | {name: identity})
