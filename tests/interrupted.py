"""Trainings in processes of their own, stopped and killed, and what they leave compared."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental.compilation_cache import compilation_cache

ROOT = Path(__file__).parent.parent


def cache_options(folder: Path) -> dict[str, str | float]:
    return {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
    }


@contextmanager
def compiled_into(folder: Path) -> Iterator[None]:
    """This process keeps its compiled programs in a folder, and finds them there."""
    before = {name: getattr(jax.config, name) for name in cache_options(folder)}
    compilation_cache.reset_cache()
    for name, value in cache_options(folder).items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def environment_with(folder: Path) -> dict[str, str]:
    """The environment of processes that share their compiled programs with each other."""
    options = {name.upper(): str(value) for name, value in cache_options(folder).items()}
    return os.environ | options | {"TF_CPP_MIN_LOG_LEVEL": "3"}


def stopped(
    command: list[str], environment: dict[str, str], number: int, moment: str, later: float = 0.0
) -> int:
    """Starts a training and sends it a signal, some seconds after it first prints a line that
    holds `moment`; its exit code."""
    process = subprocess.Popen(
        command,
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
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
    for checkpoint in (folder / "checkpoints").glob("[0-9]*"):
        if int(checkpoint.name) > iteration:
            shutil.rmtree(checkpoint)
    return folder


def assert_same(one: Path, other: Path, iteration: int) -> None:
    """The same metrics and the same state at that iteration, byte for byte."""
    assert (one / "metrics.csv").read_bytes() == (other / "metrics.csv").read_bytes()
    theirs = state(other, iteration)
    for name, leaf in state(one, iteration).items():
        assert np.asarray(leaf).tobytes() == np.asarray(theirs[name]).tobytes(), name


def state(run: Path, iteration: int) -> dict[str, np.ndarray]:
    """Every array of a checkpoint."""
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore((run / "checkpoints" / str(iteration) / "state").absolute())


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
