"""A sweep on a Ray cluster of two machines, one of which is lost. Slow: `make stress`."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.interrupted import QUIET, ROOT, files

pytest.importorskip("ray", reason="ray is not installed: pip install -e '.[ray]'")
cluster_utils = pytest.importorskip("ray.cluster_utils")

RUNS = 6
BYTES = 80_000_000  # of a machine's store of objects


@pytest.fixture
def cluster() -> Iterator["cluster_utils.Cluster"]:
    machine = {"num_cpus": 1, "object_store_memory": BYTES, "include_dashboard": False}
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=machine)
    yield cluster
    cluster.shutdown()


def sweep(*arguments: str) -> list[str]:
    """A sweep of runs that take some seconds each."""
    return [
        *(sys.executable, str(ROOT / "train.py"), "sweep", "--scenario", "pair"),
        *("--learner", "score", "--seeds", str(RUNS), "--iterations", "2000", "--stores", "16"),
        *("--horizon", "4", "--width", "8", "--tuning-effort", "0.04", "--evaluations", "2"),
        *("--evaluation-stores", "16", "--evaluation-periods", "30", "--out", "sweep"),
        *arguments,
    ]


def is_busy(raylet: psutil.Process) -> bool:
    """Whether a task runs on a machine of the cluster."""
    names = (" ".join(each.cmdline()) for each in raylet.children(recursive=True))
    return any(name.startswith("ray::done_elsewhere") for name in names)


@pytest.mark.slow
def test_a_machine_is_lost_in_the_middle_and_the_folder_is_the_same(cluster, tmp_path: Path):
    here, there = tmp_path / "here", tmp_path / "there"
    for place in (here, there):
        place.mkdir()
    subprocess.run(sweep(), cwd=here, env=QUIET, check=True)
    lost = cluster.add_node(num_cpus=1, object_store_memory=BYTES)
    cluster.wait_for_nodes()
    process = subprocess.Popen(
        sweep("--engine", "ray", "--ray-address", cluster.address, "--task-cpus", "1"),
        cwd=there, env=QUIET, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    next(line for line in process.stdout if line.startswith(f"1.0 of {RUNS} runs"))
    (raylet,) = (each for each in lost.live_processes() if each[0] == "raylet")
    while not is_busy(psutil.Process(raylet[1].pid)):
        time.sleep(0.05)
    cluster.remove_node(lost, allow_graceful=False)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0 and "1 of 2 machines of the cluster are gone" in said
    assert files(there) == files(here)
