"""Logs hold what metrics.csv holds, and a training taken up again leaves one clean curve."""

import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from agents.errors import ConfigError
from agents.runs import logs
from tests.interrupted import no_file_beyond


def rows(iterations: range) -> pd.DataFrame:
    """Metrics of a training whose chunks end with a greedy evaluation."""
    numbers = np.array(iterations)
    return pd.DataFrame(
        {
            "iteration": numbers,
            "store_periods": numbers.astype("int64") * 3_000_000_000,
            "profit": np.sqrt(numbers),
            "fill_rate": 1 / numbers,
            "fast_rate": 0.004 / numbers,
            "slow_updates": numbers,
            "greedy_profit": np.where(numbers % 2 == 0, 7.5, np.nan),
        }
    )


def events_of(file: Path) -> list[Event]:
    """A TFRecord file: length, its checksum, an event, its checksum."""
    data, events = file.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        events.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return events


def curves(folder: Path) -> dict[str, dict[int, float]]:
    """Values by tag and step as TensorBoard shows them: a start drops what was beyond it."""
    found: dict[str, dict[int, float]] = {}
    for file in sorted((folder / "tensorboard").iterdir(), key=lambda f: f.stat().st_mtime_ns):
        for event in events_of(file):
            if event.session_log.status == SessionLog.START:
                for curve in found.values():
                    for step in [step for step in curve if step >= event.step]:
                        del curve[step]
            for value in event.summary.value:
                assert event.step not in found.get(value.tag, {}), "a step written twice"
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def write(folder: Path, done: int, *frames: pd.DataFrame) -> None:
    with logs.writing(("tensorboard",), folder, {}, done) as log:
        for frame in frames:
            log(frame)


def same_as(expected: pd.DataFrame, folder: Path) -> None:
    found = curves(folder)
    tags = dict(
        profit="training", fill_rate="training", greedy_profit="training", fast_rate="clocks",
        slow_updates="clocks",
    )  # fmt: skip
    assert set(found) == {f"{group}/{column}" for column, group in tags.items()}
    for column, group in tags.items():
        there = expected.dropna(subset=column)
        curve = found[f"{group}/{column}"]
        assert list(curve) == list(there["store_periods"])
        np.testing.assert_allclose(list(curve.values()), there[column], rtol=1e-6)


def test_event_files_hold_the_metrics(tmp_path):
    write(tmp_path, 0, rows(range(1, 3)), rows(range(3, 5)))
    same_as(rows(range(1, 5)), tmp_path)


def test_a_training_taken_up_again_writes_no_step_twice(tmp_path):
    write(tmp_path, 0, rows(range(1, 7)))
    write(tmp_path, 4 * 3_000_000_000, rows(range(5, 9)))  # stopped at 6, its last checkpoint at 4
    same_as(rows(range(1, 9)), tmp_path)


def test_a_new_training_begins_a_new_log(tmp_path):
    write(tmp_path, 0, rows(range(1, 7)))
    write(tmp_path, 0, rows(range(1, 3)))
    same_as(rows(range(1, 3)), tmp_path)


def test_no_log_writes_nothing(tmp_path):
    with logs.writing((), tmp_path, {}, 0) as log:
        log(rows(range(1, 3)))
    assert not list(tmp_path.iterdir())


def test_a_log_on_a_full_disk_is_said_once_and_hangs_nothing(tmp_path, caplog):
    with logs.writing(("tensorboard",), tmp_path, {}, 0) as log, no_file_beyond(300):
        for first in range(1, 60, 2):  # more than a queue between threads would hold
            log(rows(range(first, first + 2)))
    (record,) = caplog.records
    assert "log: tensorboard failed" in record.getMessage()
    assert "the training goes on without it" in record.getMessage()


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(logs, "find_spec", lambda name: None)
    logs.check(("tensorboard",))
    with pytest.raises(ConfigError, match=r"log: wandb is not installed; pip install .*\[wandb\]"):
        logs.check(("tensorboard", "wandb"))


def test_mlflow_holds_the_metrics_once(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    for done, iterations in ((0, range(1, 7)), (4 * 3_000_000_000, range(5, 9))):
        with logs.writing(("mlflow",), tmp_path, {"seed": 3}, done) as log:
            log(rows(iterations))
    (run,) = mlflow.search_runs(experiment_names=[logs.PROJECT], output_format="list")
    assert run.data.params == {"seed": "3"}
    for column, tag in (("profit", "training/profit"), ("fast_rate", "clocks/fast_rate")):
        history = mlflow.MlflowClient().get_metric_history(run.info.run_id, tag)
        assert [metric.step for metric in history] == list(rows(range(1, 9))["store_periods"])
        np.testing.assert_allclose([m.value for m in history], rows(range(1, 9))[column])
