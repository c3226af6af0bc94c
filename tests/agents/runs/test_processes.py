"""On four devices and in two processes a training, an evaluation and a sweep are what they are on
one device. Devices are forced on the host, in processes of their own."""

import json
import signal
import socket
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agents.runs import processes
from tests.interrupted import ROOT, saved, state
from tests.spread import CHUNK, DEVICES, command, environment

MANY = CHUNK * 50_021  # a prime: chunks are as long as in the other trainings


def compared(out: Path, what: str) -> dict:
    """What one process with four devices finds."""
    subprocess.run(command(out, what), cwd=ROOT, env=environment(DEVICES), check=True)
    return json.loads((out / "found.json").read_text())


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict:
    return compared(tmp_path_factory.mktemp("found"), "learner")


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """A folder where two processes of two devices have trained."""
    out = tmp_path_factory.mktemp("two")
    for process in started(out, CHUNK):
        assert process.wait(200) == 0, process.stderr and process.stderr.read()
    return out


def started(out: Path, iterations: int) -> list[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    return [
        subprocess.Popen(
            command(out if number == 0 else out / "other", iterations, port, number),
            cwd=ROOT, env=environment(DEVICES // 2), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for number in (0, 1)
    ]  # fmt: skip


@pytest.mark.parametrize("what", ["learner", "metrics"])
def test_four_devices_learn_what_one_does(found, what):
    """Gradients among it, by way of the optimizers' moments: they are not clipped alike by luck."""
    assert found[what] < 1e-4


@pytest.mark.slow
def test_a_sweep_on_four_devices_learns_what_one_run_does(tmp_path):
    differences = compared(tmp_path, "sweep")
    assert differences.keys() == {"run", "metrics"} and max(differences.values()) < 1e-4


@pytest.mark.slow
def test_two_devices_share_the_runs_of_a_sweep_whatever_its_programs_make_use_of(tmp_path):
    """`pair` has one need, so that no program reads of which need a product is."""
    found = compared(tmp_path, "chunk")
    assert found["profit"] == 0 and found["earned"] > 1


def test_an_evaluation_on_four_devices_is_that_on_one_to_the_bit(found):
    assert found["totals"] == 0


def test_devices_only_reduce(found):
    """Slopes of both departments, the critic's steps in a scan, and statistics: a handful in the
    program's text, and nothing but sums."""
    counts = found["collectives"]
    assert 3 <= counts.pop("all-reduce") <= 12
    assert set(counts.values()) == {0}


@pytest.mark.slow
def test_two_processes_learn_what_one_does(two, tmp_path):
    """With the same four devices, to the last bit or nearly so; and the first alone writes."""
    one = tmp_path
    subprocess.run(command(one, CHUNK), cwd=ROOT, env=environment(DEVICES), check=True)
    theirs = pd.read_csv(two / "metrics.csv")
    pd.testing.assert_frame_equal(theirs, pd.read_csv(one / "metrics.csv"), rtol=1e-5, atol=1e-6)
    for name, leaf in state(one, CHUNK).items():
        np.testing.assert_allclose(
            state(two, CHUNK)[name], leaf, rtol=1e-4, atol=1e-5, err_msg=name
        )
    assert not (two / "other").exists()


@pytest.mark.slow
@pytest.mark.parametrize("dies", [1, 0])
def test_a_dead_process_ends_the_others_and_the_last_checkpoint_is_whole(two, tmp_path, dies):
    processes = started(tmp_path, MANY)
    first = processes[0].stdout
    assert first is not None
    for line in first:
        if line.strip() == "20":
            break
    processes[dies].send_signal(signal.SIGKILL)
    _, error = processes[1 - dies].communicate(timeout=60)
    assert processes[1 - dies].returncode not in (0, -signal.SIGKILL)
    assert "another process of this training is gone" in error or "another task died" in error
    newest = max(saved(tmp_path))
    assert newest >= 10 and state(tmp_path, newest)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("asked", "listens"),
    [("127.0.0.1:8476", "127.0.0.1:8476"), ("localhost:8476", "127.0.0.1:8476"),
     ("192.0.2.1:8476", None), ("no-such-machine.invalid:8476", None)],
)  # fmt: skip
def test_the_first_process_listens_where_it_was_asked_to_or_says_that_it_does_not(
    asked, listens, caplog
):
    found = processes.listens_on(processes.LaunchConfig(coordinator=asked))
    assert found in (listens, listens and listens.replace("127.0.0.1", "[::1]"))
    assert ("listening on all its interfaces" in caplog.text) == (listens is None)
