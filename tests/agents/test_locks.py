"""One process at a time writes to a folder, and a folder holds one kind of thing."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from agents import locks
from agents.errors import RunError
from jaxsim.files import appearing


def test_a_folder_is_one_process_s_and_the_second_is_told_whose(tmp_path):
    folder = tmp_path / "run"
    with (
        locks.opened(folder, "a training"),
        pytest.raises(RunError, match=f"is being written to by process {os.getpid()} on "),
        locks.opened(folder, "a training"),
    ):
        pass
    assert not list(folder.iterdir())
    with locks.opened(folder, "a training"):  # free again
        pass


@pytest.mark.parametrize(
    ("file", "said"), [("config.json", "a training"), ("sweep.json", "a sweep")]
)
def test_a_folder_of_another_kind_is_refused(tmp_path, file, said):
    (tmp_path / file).write_text("{}")
    with (
        pytest.raises(RunError, match=f"holds {said}; allowed: a new folder, or one of a page"),
        locks.opened(tmp_path, "a page"),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [file]
    with locks.opened(tmp_path, said):
        pass


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = [leftover(tmp_path / name, dead.pid) for name in ("summary.json", "chunk")]
    left[0].write_text("half of")
    left[1].mkdir()
    (left[1] / "runs.csv").touch()
    living = leftover(tmp_path / "summary.json", os.getppid())
    living.touch()
    with locks.opened(tmp_path, "a training"):
        assert {path.name for path in tmp_path.iterdir()} == {".lock", living.name}
    beside = leftover(tmp_path / "page.html", dead.pid)
    beside.touch()
    with appearing(tmp_path / "page.html") as page:
        page.touch()
    assert {path.name for path in tmp_path.iterdir()} == {living.name, "page.html"}


def leftover(path: Path, process: int) -> Path:
    return path.with_name(f".{path.name}.{platform.node()}.{process}")
