"""Trainings in processes of their own, stopped and killed, and what they leave compared."""

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp

from agents import checksums

ROOT = Path(__file__).parent.parent
QUIET = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
"""The environment of a training: this one's, so that compiled programs are found again."""


def stopped(command: list[str], number: int, moment: str, later: float = 0.0) -> int:
    """Starts a training and sends it a signal, some seconds after it first prints a line that
    holds `moment`; its exit code."""
    process = subprocess.Popen(
        command,
        cwd=ROOT, env=QUIET, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="")
        if moment in line:
            break
    time.sleep(later)
    process.send_signal(number)
    print(process.communicate(timeout=300)[0])
    return process.returncode


def unfinished(run: Path, folder: Path, iteration: int) -> Path:
    """A copy of a run as it would be, had it been killed after that iteration was saved."""
    shutil.copytree(run, folder)
    (folder / "summary.json").unlink()
    for each in saved(folder):
        if each > iteration:
            shutil.rmtree(folder / "checkpoints" / str(each))
    return folder


def resealed(folder: Path, *names: str) -> None:
    """As if these files had been written so, and not been changed since."""
    sums = checksums.sums_of(folder) or {}
    checksums.seal(folder, sums | checksums.digests_of(folder, names))


def saved(run: Path) -> list[int]:
    """The iterations of its checkpoints, without one that was being written when it was killed."""
    names = [path.name for path in (run / "checkpoints").iterdir()]
    return [int(name) for name in names if name.isdigit()]


def assert_same(one: Path, other: Path, iteration: int) -> None:
    """The same metrics and the same state at that iteration, byte for byte."""
    assert (one / "metrics.csv").read_bytes() == (other / "metrics.csv").read_bytes()
    theirs = state(other, iteration)
    for name, leaf in state(one, iteration).items():
        assert np.asarray(leaf).tobytes() == np.asarray(theirs[name]).tobytes(), name


def state(run: Path, iteration: int) -> dict[str, np.ndarray]:
    """Every array of a checkpoint, whatever devices it was saved from."""
    path = (run / "checkpoints" / str(iteration) / "state").absolute()
    with ocp.PyTreeCheckpointer() as checkpointer:
        tree = checkpointer.metadata(path).item_metadata.tree
        plain = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in tree}
        return checkpointer.restore(path, args=ocp.args.PyTreeRestore(restore_args=plain))


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Files cannot grow beyond `size` bytes, as on a disk that is full."""
    before, handler = (
        resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )  # fmt: skip
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
