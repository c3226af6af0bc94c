"""Checkpoints hold everything, are whole or absent, and are read without unpickling."""

import dataclasses
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.errors import DiskError, RunError
from agents.learning.config import TrainConfig
from agents.learning.training import Snapshot
from agents.policies.heuristics import HeuristicParams
from agents.runs.checkpoints import Checkpoints
from agents.runs.unread import given_up_in_silence
from jaxsim import scenarios
from tests.interrupted import files, no_file_beyond

HEURISTIC = HeuristicParams(recommender="margin", safety=1.0, fractile=0.5)
TRAINER = TrainConfig(stores=8, horizon=4, width=24).trainer(HEURISTIC)
SETTINGS = {"seed": 0, "out of a store": [1.0, None]}
unpickled: list[str] = []  # classes, from the moment the hook below is set


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    """A training somewhere on its way: any numbers of the right shapes."""
    pair = scenarios.get("pair").params()
    shapes = jax.eval_shape(TRAINER.init, jax.random.key(0), pair).replace(key=jnp.zeros(()))
    rng = np.random.default_rng(0)

    def filled(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        return jnp.asarray(100 * rng.standard_normal(leaf.shape), leaf.dtype)

    train_state = jax.tree.map(filled, shapes).replace(key=jax.random.key(3))
    names = "replenishment", "recommendation"
    kept = {name: getattr(train_state, name) for name in names}
    return Snapshot(train_state, kept, 0.1 + 0.2, 10, 2**40 + 1, 1.5)


def shapes_of(snapshot: Snapshot) -> Snapshot:
    return Snapshot(*jax.eval_shape(lambda: (snapshot.train_state, snapshot.kept)))


def assert_same(one: Snapshot, other: Snapshot) -> None:
    for leaf, theirs in zip(leaves_of(one), leaves_of(other), strict=True):
        assert leaf.dtype == theirs.dtype
        np.testing.assert_array_equal(leaf, theirs)


def leaves_of(snapshot: Snapshot) -> list[np.ndarray]:
    train_state = snapshot.train_state
    numbers = snapshot.kept_profit, snapshot.iteration, snapshot.store_periods, snapshot.seconds
    key = jax.random.key_data(train_state.key)
    leaves = jax.tree.leaves((train_state.replace(key=key), snapshot.kept, numbers))
    return [np.asarray(leaf) for leaf in leaves]


def test_what_is_restored_is_what_was_saved_and_nothing_is_unpickled(snapshot, tmp_path):
    with Checkpoints(tmp_path, SETTINGS) as checkpoints:
        assert checkpoints.newest is None and checkpoints.restore(snapshot, print) is None
        checkpoints.save(snapshot, is_best=True, metrics="")
    sys.addaudithook(lambda event, args: event == "pickle.find_class" and unpickled.append(args[1]))
    with Checkpoints(tmp_path, SETTINGS) as checkpoints:
        restored = checkpoints.restore(shapes_of(snapshot), print)
    assert restored is not None
    assert_same(restored, snapshot)
    assert not unpickled


@pytest.fixture(scope="module")
def two(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with checkpoints of iterations 10 and 20, and as many rows of metrics."""
    folder = tmp_path_factory.mktemp("two")
    rows = [f"{number},{number / 3}\n" for number in range(1, 21)]
    with Checkpoints(folder, SETTINGS) as checkpoints:
        for iteration in (10, 20):
            metrics = "iteration,profit\n" + "".join(rows[:iteration])
            (folder / "metrics.csv").write_text(metrics)
            checkpoints.save(dataclasses.replace(snapshot, iteration=iteration), False, metrics)
    return folder


def flipped(path: Path, at: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


def digit_changed(path: Path) -> None:
    path.write_text(path.read_text().replace('"seconds": 1.5', '"seconds": 1.7'))


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def largest(folder: Path) -> Path:
    return max(folder.iterdir(), key=lambda each: each.stat().st_size)


DAMAGES = {
    "a bit of an array": lambda two: flipped(largest(two / "state/ocdbt.process_0/d"), 30_000),
    "a digit of what was kept": lambda two: digit_changed(two / "about/metadata"),
    "half of it": lambda two: (two / "about/metadata").write_bytes(b'{"iteration": 2'),
    "half of where arrays are": lambda two: halved(largest(two / "state/d")),
    "another step": lambda two: shutil.copytree(two.with_name("10"), two, dirs_exist_ok=True),
    "the last row": lambda two: flipped(two.parent.parent / "metrics.csv", -2),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_gone_on_from(
    snapshot, two, tmp_path, damage
):
    folder, said = shutil.copytree(two, tmp_path / "run"), []
    damage(folder / "checkpoints" / "20")
    with Checkpoints(folder, SETTINGS) as checkpoints:
        restored = checkpoints.restore(shapes_of(snapshot), said.append)
        assert restored is not None
        assert_same(restored, dataclasses.replace(snapshot, iteration=10))
        checkpoints.save(dataclasses.replace(snapshot, iteration=20), False, "")
        checkpoints.finish()
        assert checkpoints.newest == 20
    (line,) = said
    assert "checkpoints/20: not a whole checkpoint" in line and "now 20.damaged" in line


def test_reads_that_a_damaged_array_ends_are_given_up_without_tracebacks(monkeypatch):
    printed = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: printed.append(str(found.exc_value)))
    with given_up_in_silence():
        for said in ("Event loop is closed", "something else"):
            sys.unraisablehook(SimpleNamespace(exc_value=RuntimeError(said), object=None))
    assert printed == ["something else"]


def test_where_no_checkpoint_is_whole_nothing_is_touched(snapshot, two, tmp_path):
    folder = shutil.copytree(two, tmp_path / "run")
    flipped(folder / "metrics.csv", 20)
    before = files(folder)
    with (
        Checkpoints(folder, SETTINGS) as checkpoints,
        pytest.raises(RunError, match=r"20: .*does not hold its rows\); no other is whole"),
    ):
        checkpoints.restore(shapes_of(snapshot), print)
    assert files(folder) == before


def test_a_full_disk_is_one_clear_line_and_earlier_checkpoints_stay(snapshot, tmp_path):
    checkpoints = Checkpoints(tmp_path, SETTINGS)
    checkpoints.save(snapshot, is_best=True, metrics="")
    checkpoints.finish()
    # Full until the files are closed: what is still being written must not find room again.
    with no_file_beyond(100), pytest.raises(DiskError, match="cannot be written") as refused:
        later = Snapshot(snapshot.train_state, snapshot.kept, iteration=20)
        with checkpoints:
            checkpoints.save(later, is_best=False, metrics="")
            checkpoints.finish()
    assert str(tmp_path) in str(refused.value) and "\n" not in str(refused.value)
    with Checkpoints(tmp_path, SETTINGS) as checkpoints:
        assert checkpoints.newest == 10
        restored = checkpoints.restore(shapes_of(snapshot), print)
    assert restored is not None
    assert_same(restored, snapshot)


def test_a_checkpoint_of_another_shape_is_refused(snapshot, tmp_path):
    with Checkpoints(tmp_path, SETTINGS) as checkpoints:
        checkpoints.save(snapshot, is_best=False, metrics="")
    like = shapes_of(snapshot)
    wider = Snapshot(
        like.train_state.replace(average=(jax.ShapeDtypeStruct((3,), jnp.float32),)), like.kept
    )
    with (
        Checkpoints(tmp_path, SETTINGS) as checkpoints,
        pytest.raises(RunError, match="10: not a whole checkpoint of this version"),
    ):
        checkpoints.restore(wider, print)


def test_settings_that_differ_are_named(snapshot, tmp_path: Path):
    with Checkpoints(tmp_path, SETTINGS) as checkpoints:
        checkpoints.save(snapshot, is_best=False, metrics="")
    with (
        Checkpoints(tmp_path, SETTINGS | {"seed": 1}) as checkpoints,
        pytest.raises(RunError, match=r"other settings \(seed 0 there, 1 here\)"),
    ):
        checkpoints.check_settings()
