"""A training killed at twenty random moments ends as if undisturbed. Slow: `make stress`."""

import random
import signal
import subprocess
import sys

import pytest

from tests.interrupted import QUIET, ROOT, assert_same, stopped

ITERATIONS, KILLS = 2000, 20


@pytest.mark.slow
def test_killed_twenty_times_it_ends_as_if_undisturbed(tmp_path):
    command = [
        *(sys.executable, "train.py", "--scenario", "pair", "--iterations", str(ITERATIONS)),
        *("--stores", "16", "--horizon", "4", "--width", "4", "--save-seconds", "0"),
        *("--evaluation-stores", "16", "--evaluation-periods", "20", "--evaluations", "4"),
        "--out",
    ]
    killed, undisturbed = [*command, tmp_path / "killed"], [*command, tmp_path / "undisturbed"]
    subprocess.run(undisturbed, cwd=ROOT, env=QUIET, check=True)
    rng = random.Random(0)
    for number in [signal.SIGTERM, signal.SIGINT, *[signal.SIGKILL] * (KILLS - 2)]:
        moment = rng.choice(["compiling", *["store-periods/s"] * 3])
        code = stopped(killed, number, moment, rng.uniform(0, 2))
        assert code in (-number, 128 + number)
    subprocess.run(killed, cwd=ROOT, env=QUIET, check=True)
    assert_same(tmp_path / "killed", tmp_path / "undisturbed", ITERATIONS)
