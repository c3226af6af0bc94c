"""A training killed at a hundred random moments ends as if undisturbed, and one on a full disk ends
in a line and goes on when there is room. Slow: `make stress`."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interrupted import QUIET, ROOT, assert_same, stopped

ITERATIONS, KILLS = 2000, 100


def command(out: Path) -> list[str]:
    """A training of the smallest sizes that saves after every chunk."""
    return [
        *(sys.executable, "train.py", "--scenario", "pair", "--iterations", str(ITERATIONS)),
        *("--stores", "16", "--horizon", "4", "--width", "4", "--save-seconds", "0"),
        *("--evaluation-stores", "16", "--evaluation-periods", "20", "--evaluations", "4"),
        *("--tuning-effort", "0.05", "--out", str(out)),
    ]


@pytest.mark.slow
def test_killed_a_hundred_times_it_ends_as_if_undisturbed(tmp_path):
    """Every moment is printed: after which line of the training, how many seconds later."""
    killed, undisturbed = command(tmp_path / "killed"), command(tmp_path / "undisturbed")
    subprocess.run(undisturbed, cwd=ROOT, env=QUIET, check=True)
    rng, moments = random.Random(0), []
    for number in [signal.SIGTERM, signal.SIGINT, *[signal.SIGKILL] * KILLS]:
        moment = rng.choice(["compiling", *["store-periods/s"] * 3])
        later = rng.uniform(0, 2)
        code = stopped(killed, number, moment, later)
        moments.append({"after": moment, "seconds": round(later, 3), "code": code})
        assert code in (-number, 128 + number, 0), moments
    print(json.dumps(moments))
    subprocess.run(killed, cwd=ROOT, env=QUIET, check=True)
    assert_same(tmp_path / "killed", tmp_path / "undisturbed", ITERATIONS)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes, where this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_a_disk_that_is_full_ends_a_training_in_a_line_and_room_lets_it_go_on(small_disk, tmp_path):
    undisturbed = tmp_path / "undisturbed"
    subprocess.run(command(undisturbed), cwd=ROOT, env=QUIET, check=True)
    filler, began = small_disk / "filler", "store-periods/s"
    process = subprocess.Popen(
        command(small_disk / "run"),
        cwd=ROOT, env=QUIET, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    next(line for line in process.stdout if began in line)
    fill(filler)
    _, said = process.communicate(timeout=300)
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert process.returncode == 1 and len(errors) == 1 and "No space left" in errors[0], said
    filler.unlink()
    remount = ["mount", "-o", "remount,size=64m", str(small_disk)]
    subprocess.run(remount, check=True)
    subprocess.run(command(small_disk / "run"), cwd=ROOT, env=QUIET, check=True)
    assert_same(small_disk / "run", undisturbed, ITERATIONS)


def fill(path: Path) -> None:
    """Takes all the room there is, and for a moment what becomes free."""
    with path.open("wb", buffering=0) as file:
        for _ in range(50):
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                time.sleep(0.01)
