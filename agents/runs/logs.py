"""Where people keep their numbers: TensorBoard by default; Weights & Biases and MLflow if asked.

A row of metrics is logged at the store-periods it was reached with, as soon as its chunk is done.
A training that is taken up again goes on in the same log and writes no step twice.
"""

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
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

LOG = logging.getLogger(__name__)

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
        writers = [stack.enter_context(_careful(name, folder, settings, done)) for name in names]

        def write(frame: pd.DataFrame) -> None:
            for writer in writers:
                writer(frame)

        yield write


@contextmanager
def _careful(
    name: LogName, folder: Path, settings: Mapping[str, Any], done: int
) -> Iterator[Write]:
    """A log whose failures are said once, and end that log and nothing else."""
    stack, failed = ExitStack(), []

    def tried(step: Callable[[], Any]) -> Any:
        try:
            return None if failed else step()
        except Exception as error:  # of a service's own library
            failed.append(error)
            LOG.warning("log: %s failed (%s); the training goes on without it", name, error)

    write = tried(lambda: stack.enter_context(LOGS[name](folder, settings, done)))
    try:
        yield lambda frame: tried(lambda: write(frame))
    finally:
        tried(stack.close)
        with suppress(Exception):  # one that failed is closed all the same
            stack.close()


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
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import (
        Event,  # pyright: ignore[reportAttributeAccessIssue]  protobuf makes them when it runs
        SessionLog,  # pyright: ignore[reportAttributeAccessIssue]
    )
    from tensorboardX.summary import scalar

    events = folder / "tensorboard"
    if not done:
        shutil.rmtree(events, ignore_errors=True)
    events.mkdir(exist_ok=True)
    # Written here and not by the library's own thread, whose failures nobody would hear of. Files
    # are named by the second.
    writer = EventsWriter(str(events / "events"), f".{done}")
    with closing(writer):
        if done:
            start = SessionLog(status=SessionLog.START)
            writer.write_event(Event(wall_time=time.time(), step=done + 1, session_log=start))

        def write(frame: pd.DataFrame) -> None:
            for step, values in scalars(frame):
                for tag, value in values.items():
                    event = Event(wall_time=time.time(), step=step, summary=scalar(tag, value))
                    writer.write_event(event)
            writer.flush()

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
