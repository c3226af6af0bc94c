"""What the accelerator's benchmark does without one: rows are kept, skipped, refused, compared."""

import json
import time
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from agents.errors import ConfigError, RunError
from benchmarks.accelerator import differences, page, picture, profiling, programs, seeds, stepping
from benchmarks.accelerator.__main__ import Settings, refuse_unknown
from benchmarks.accelerator.ledger import Deadline, Ledger, said
from benchmarks.accelerator.programs import Work
from benchmarks.accelerator.sizes import TINY

MACHINE = {"device": "a device", "jax": "1.0", "xla_flags": "", "tiny": True}
WORK = Work(
    part="step",
    name="adding",
    scenario="pair",
    stores=3,
    products=2,
    periods=4,
    call=lambda numbers: numbers + 1,
    start=lambda: jnp.zeros(3),
)


@pytest.fixture
def soon() -> Deadline:
    """Ten minutes from the start of the test, however long the suite has run."""
    return Deadline(time.monotonic() + 600)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.opened(tmp_path / "results.json", MACHINE)


def test_every_row_is_on_disk_at_once_and_found_again(ledger: Ledger, soon: Deadline) -> None:
    programs.measured([WORK], ledger, soon, TINY)
    again = Ledger.opened(ledger.path, MACHINE)
    assert again.has(*WORK.key) and again.rows == ledger.rows
    assert [each.name for each in ledger.path.parent.iterdir()] == ["results.json"]
    (row,) = json.loads(ledger.path.read_text())["rows"]
    assert row["store_periods_per_s"] == pytest.approx(12 / row["seconds"])
    assert row["product_periods_per_s"] == pytest.approx(24 / row["seconds"])
    assert (row["device"], row["jax"], row["repeats"]) == ("a device", "1.0", TINY.repeats)
    assert row["seconds_least"] <= row["seconds"] <= row["seconds_most"]
    assert row["program_bytes"] > 0 and row["compile_seconds"] > 0


def test_what_is_there_is_not_measured_again(ledger: Ledger, soon: Deadline) -> None:
    ledger.add(programs.left_out(WORK, "too large"))
    other = replace(WORK, stores=5, start=lambda: jnp.zeros(5))
    programs.measured([WORK, other], ledger, soon, TINY)
    assert [row.get("left_out") for row in ledger.rows] == ["too large", None]


def test_what_ended_before_its_time_is_measured_again(ledger: Ledger) -> None:
    row = programs.row(WORK, [1.0], 0.0)
    ledger.add(row | {"unfinished": True})
    assert not ledger.has(*WORK.key)
    ledger.add(row | {"unfinished": False})
    assert ledger.has(*WORK.key) and len(ledger.rows) == 1


def test_nothing_is_begun_after_the_deadline(ledger: Ledger) -> None:
    programs.measured([WORK], ledger, Deadline(time.monotonic()), TINY)
    assert ledger.rows == [] and not ledger.path.exists()


def test_a_call_that_fails_is_a_row_with_the_reason(ledger: Ledger) -> None:
    def too_much(*_: object) -> None:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory\nmore")

    compiled = next(programs.compiled_together([WORK], 1))[1]
    assert isinstance(compiled, programs.Compiled)
    row = programs.timed(replace(compiled, start=too_much), repeats=1)
    assert row["left_out"] == "RESOURCE_EXHAUSTED: out of memory" and row["program_bytes"] > 0


def test_rows_of_another_machine_are_refused_in_one_line(ledger: Ledger) -> None:
    ledger.add(programs.row(WORK, [1.0], 0.0))
    with pytest.raises(RunError, match="device a device; allowed: another device, or") as caught:
        Ledger.opened(ledger.path, MACHINE | {"device": "another device"})
    assert "\n" not in str(caught.value)


def test_flags_are_checked_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match="only: stepp; allowed: correctness, step, "):
        refuse_unknown(Settings(only=("stepp",), tiny=True))
    refuse_unknown(Settings(tiny=True))


def test_a_row_is_said_in_one_line() -> None:
    row = programs.row(WORK, [0.5], 0.25) | {"curve": [1, 2]}
    assert said(row).startswith('step, adding, pair, 3: {"seconds": 0.5, ')
    assert "curve" not in said(row) and "\n" not in said(row)


def test_differences_are_bounded_and_what_is_no_number_is_beyond_them() -> None:
    assert differences.is_within({"units": 0.1, "money": 0.0}, {"units": 0.1})
    assert not differences.is_within({"units": float("nan")}, {"units": 1.0})
    tree = {"key": jax.random.key(0), "numbers": jnp.arange(4.0)}
    assert differences.share_of_bytes(tree, tree) == 0.0
    other = tree | {"numbers": jnp.arange(4.0).at[1].set(-1.0)}  # the sign is in one byte of 24
    assert differences.share_of_bytes(tree, other) == pytest.approx(1 / 24)


def test_seeds_are_held_against_one(ledger: Ledger) -> None:
    for count, seconds in ((1, 1.0), (4, 2.0)):
        work = replace(WORK, part=seeds.PART, stores=3 * count, more={"seeds": count})
        ledger.add(programs.row(work, [seconds], 0.0))
    seeds.compared(ledger)
    assert [row.get("ratio_to_one_seed") for row in ledger.rows] == [None, 2.0]


def test_kernels_are_added_up_by_name() -> None:
    found = profiling.summary([("a", 1.0), ("b", 5.0), ("a", 2.0)])
    assert (found["kernels_run"], found["kernel_seconds"]) == (3, 8.0)
    assert [(each["name"], each["calls"]) for each in found["top_kernels"]] == [("b", 1), ("a", 2)]


def test_the_picture_is_drawn_of_what_there_is(tmp_path: Path) -> None:
    rows = [programs.row(replace(WORK, stores=each), [1.0], 0.0) for each in (3, 5)]
    picture.draw([*rows, programs.left_out(WORK, "too large")], MACHINE, tmp_path / "a.png")
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


def test_the_page_that_is_kept_is_that_of_its_data() -> None:
    kept = Path(page.__file__).with_name("h200.json")
    body = json.loads(kept.read_text())
    assert page.as_markdown(body["rows"], body["machine"]) == kept.with_suffix(".md").read_text()


def test_calls_are_as_long_as_the_sizes_say() -> None:
    few, many = stepping.works("pair", replace(TINY, step_stores=(1, 2**12)))[::2]
    assert (few.periods, many.periods) == (TINY.periods[1], TINY.periods[0])
