"""Rows of the benchmark on a few stores, and the kernel written by hand against the store."""

import subprocess
import sys

import chex
import jax
import numpy as np
import pytest

from benchmarks import results, workloads
from benchmarks.measure import measure, peak_memory
from benchmarks.rows import too_large
from benchmarks.workloads import Row
from jaxsim import ranking, sampling


@pytest.fixture(scope="module")
def rows():
    return [measure(Row(name, 4, 2, periods=2), repeats=2) for name in ("random", "lost-sales")]


def test_a_row_says_what_was_timed(rows):
    for row in rows:
        assert row["per_second_least"] <= row["per_second"] <= row["per_second_most"]
        assert row["peak_memory_bytes"] > row["program_bytes"] > 0
        assert (row["unit"], row["stores"], row["repeats"]) == ("store-periods", 4, 2)


def test_the_peak_of_a_process_is_not_its_parents():
    held = np.ones(2**26)  # 512 MiB here
    code = "from benchmarks.measure import peak_memory; print(peak_memory())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(child.stdout) < held.nbytes + 2**27
    assert peak_memory() > held.nbytes


def test_the_page_shows_every_row_that_ran(rows):
    body = {
        "machine": {
            "device": "cpu",
            "threads": 2,
            "dtype": "float32",
            "versions": {},
            "load_average": 0.0,
        },
        "rows": [*rows, {"name": "step", "by": "jaxsim", "left_out": "too large"}],
    }
    lines = results.as_markdown(body).splitlines()
    shown = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    assert shown == ["row", "---", "random", "lost-sales"]
    assert "- step, jaxsim: too large" in lines


def test_rows_beyond_the_memory_are_left_out_with_a_reason():
    assert too_large(Row("step", 4, 2)) is None
    assert "GiB needed" in too_large(Row("step", 2**22, 2000))


def test_shuffled_slates_are_distinct_and_all_alike():
    uniforms = sampling.unit_interval(sampling.open_uniform(jax.random.key(0), (60_000, 3)))
    slates = np.asarray(ranking.shuffled_slate(uniforms, 4))
    assert all(len(set(slate)) == 3 for slate in slates[:500].tolist())
    _, counts = np.unique(slates, axis=0, return_counts=True)
    assert len(counts) == 24  # every ordered choice of 3 out of 4
    np.testing.assert_array_less(np.abs(counts - 2500), 4.8 * np.sqrt(2500))


def test_a_walk_in_blocks_is_the_walk(monkeypatch: pytest.MonkeyPatch):
    row = Row("step", 6, 2, periods=3)
    policy, params, walk = workloads.walk_of(row)
    whole = jax.jit(workloads.walking(params, policy, row.periods))(walk)
    monkeypatch.setattr(workloads, "BLOCK", 4)  # two stores
    program, walk = workloads.program_of(row)
    blocks = program(walk)
    chex.assert_trees_all_close(blocks.stores, whole.stores, rtol=1e-6)
    np.testing.assert_allclose(blocks.seen, whole.seen, rtol=1e-6)
    assert int(blocks.period) == row.periods
