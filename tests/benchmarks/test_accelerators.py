"""Programs for devices that are not there: what is counted in them, and that they compile."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from agents.errors import ConfigError
from benchmarks import aot
from benchmarks.accelerators import Settings
from benchmarks.hlo import counts_of, size_of

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
HloModule counted

%fused (all: f32[32,8], at: s32[]) -> f32[8] {
  %all = f32[32,8]{1,0} parameter(0)
  %at = s32[] parameter(1)
  %zero = s32[] constant(0)
  %row = f32[1,8]{1,0} dynamic-slice(%all, %at, %zero), dynamic_slice_sizes={1,8}
  %flat = f32[8]{0} bitcast(%row)
  ROOT %twice = f32[8]{0} add(%flat, %flat)
}

%body (now: (s32[], f32[32,8])) -> (s32[], f32[32,8]) {
  %now = (s32[], f32[32,8]{1,0}) parameter(0)
  %at = s32[] get-tuple-element(%now), index=0
  %all = f32[32,8]{1,0} get-tuple-element(%now), index=1
  %part = f32[8]{0} fusion(%all, %at), kind=kLoop, calls=%fused
  %moved = f32[8]{0} copy(%part)
  %summed = f32[8]{0} all-reduce(%moved), to_apply=%sum
  ROOT %next = (s32[], f32[32,8]{1,0}) tuple(%at, %all)
}

%condition (now: (s32[], f32[32,8])) -> pred[] {
  %now = (s32[], f32[32,8]{1,0}) parameter(0)
  %at = s32[] get-tuple-element(%now), index=0
  %most = s32[] constant(5)
  ROOT %less = pred[] compare(%at, %most), direction=LT
}

ENTRY %main (given: (s32[], f32[32,8])) -> (s32[], f32[32,8]) {
  %given = (s32[], f32[32,8]{1,0}) parameter(0)
  ROOT %loop = (s32[], f32[32,8]{1,0}) while(%given), condition=%condition, body=%body
}
"""


def test_a_loop_counts_as_often_as_it_runs_and_a_slice_as_what_it_takes():
    found = counts_of(PROGRAM)
    row, number, truth = 8 * 4, 4, 1
    in_a_turn = (row + number + row) + 2 * row + 2 * row + (2 * number + truth)
    assert (found.kernels, found.copies, found.collectives) == (10, 5, 5)
    assert found.bytes == 5 * in_a_turn
    assert found.flops == 5 * (8 + 8 + 1)  # the fusion's, the sum over devices', the comparison's


def test_a_shape_takes_whole_tiles():
    assert size_of("f32[100,10]{1,0}") == 4000
    assert size_of("f32[100,10]{1,0:T(8,128)}") == 4 * 104 * 128
    assert size_of("(pred[3]{0}, s32[])") == 3 + 4


def test_a_product_of_matrices_is_counted_in_a_program_that_jax_compiles():
    left, right = jnp.ones((8, 16)), jnp.ones((16, 4))
    program = jax.jit(lambda left, right: left @ right).lower(left, right).compile()
    assert counts_of(program.as_text()).flops == 2 * 8 * 16 * 4


def test_an_unknown_device_is_refused():
    with pytest.raises(ConfigError, match="devices: v6e; allowed: h100, h100 x 8, v5e"):
        Settings(devices=("v6e",)).validate()


@pytest.mark.slow
@pytest.mark.parametrize("device", ["h100", "v5e"])
def test_the_step_compiles_without_the_device(device, tmp_path):
    if missing := aot.TARGETS[device].missing:
        pytest.skip(f"needs {' and '.join(missing)}: pip install -e '.[aot]'")
    out = tmp_path / "found.json"
    command = [
        sys.executable, "-m", "benchmarks.accelerators", "--out", str(out),
        "--devices", device, "--programs", "step",
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True)
    (row,) = json.loads(out.read_text())["rows"]
    assert 0 < row["kernels_per_period"] < 200 and row["temporary_bytes"] > 0
    speeds = list(row["roofline_store_periods_per_s"].values())
    assert speeds == sorted(speeds) and speeds[-1] > 10**7
