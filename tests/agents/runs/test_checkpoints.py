"""Checkpoints hold everything, are whole or absent, and are read without unpickling."""

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.runs.checkpoints import Checkpoints, Standing
from agents.learning.config import TrainConfig
from agents.policies.heuristics import knobs_of
from agents.runs.run_folder import RunError
from jaxsim import scenarios

KNOBS = knobs_of("margin", "base-stock", jnp.array([1.0, 0.5, 0, 1, 1, 1.0, 0.0]))
TRAINER = TrainConfig(stores=8, horizon=4, width=4).trainer(KNOBS)
SETTINGS = {"seed": 0, "out of a store": [1.0, None]}
unpickled: list[str] = []  # classes, from the moment the hook below is set


@pytest.fixture(scope="module")
def standing() -> Standing:
    """A training somewhere on its way: any numbers of the right shapes."""
    pair = scenarios.get("pair").params()
    shapes = jax.eval_shape(TRAINER.init, jax.random.key(0), pair).replace(key=jnp.zeros(()))
    rng = np.random.default_rng(0)

    def filled(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        return jnp.asarray(100 * rng.standard_normal(leaf.shape), leaf.dtype)

    learner = jax.tree.map(filled, shapes).replace(key=jax.random.key(3))
    assert any(leaf.size == 0 for leaf in jax.tree.leaves(learner))  # no memory at all
    kept = {"replenishment": learner.replenishment, "recommendation": learner.recommendation}
    return Standing(learner, kept, 0.1 + 0.2, 10, 2**40 + 1, 1.5)


def shapes_of(standing: Standing) -> Standing:
    return Standing(*jax.eval_shape(lambda: (standing.learner, standing.kept)))


def assert_same(one: Standing, other: Standing) -> None:
    for leaf, theirs in zip(leaves_of(one), leaves_of(other), strict=True):
        assert leaf.dtype == theirs.dtype
        np.testing.assert_array_equal(leaf, theirs)


def leaves_of(standing: Standing) -> list[np.ndarray]:
    learner = standing.learner
    numbers = standing.kept_profit, standing.iteration, standing.store_periods, standing.seconds
    key = jax.random.key_data(learner.key)
    return [*map(np.asarray, jax.tree.leaves((learner.replace(key=key), standing.kept, numbers)))]


def test_what_is_restored_is_what_was_saved_and_nothing_is_unpickled(standing, tmp_path):
    with Checkpoints(tmp_path, SETTINGS) as checkpoints:
        assert checkpoints.newest is None and checkpoints.restore(standing) is None
        checkpoints.save(standing, is_best=True)
    sys.addaudithook(lambda event, args: event == "pickle.find_class" and unpickled.append(args[1]))
    with Checkpoints(tmp_path, SETTINGS) as checkpoints:
        restored = checkpoints.restore(shapes_of(standing))
    assert restored is not None
    assert_same(restored, standing)
    assert not unpickled


def test_a_full_disk_is_one_clear_line_and_earlier_checkpoints_stay(standing, tmp_path):
    checkpoints = Checkpoints(tmp_path, SETTINGS)
    checkpoints.save(standing, is_best=True)
    checkpoints.finish()
    # Full until the files are closed: what is still being written must not find room again.
    with no_file_beyond(100), pytest.raises(RunError, match="cannot be written") as refused:
        later = Standing(standing.learner, standing.kept, iteration=20)
        with checkpoints:
            checkpoints.save(later, is_best=False)
            checkpoints.finish()
    assert str(tmp_path) in str(refused.value) and "\n" not in str(refused.value)
    with Checkpoints(tmp_path, SETTINGS) as checkpoints:
        assert checkpoints.newest == 10
        restored = checkpoints.restore(shapes_of(standing))
    assert restored is not None
    assert_same(restored, standing)


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


def test_a_checkpoint_of_another_shape_is_refused(standing, tmp_path):
    with Checkpoints(tmp_path, SETTINGS) as checkpoints:
        checkpoints.save(standing, is_best=False)
    like = shapes_of(standing)
    wider = Standing(
        like.learner.replace(average=(jax.ShapeDtypeStruct((3,), jnp.float32),)), like.kept
    )
    with (
        Checkpoints(tmp_path, SETTINGS) as checkpoints,
        pytest.raises(RunError, match="10: not a whole checkpoint of this version"),
    ):
        checkpoints.restore(wider)


def test_settings_that_differ_are_named(standing, tmp_path: Path):
    with Checkpoints(tmp_path, SETTINGS) as checkpoints:
        checkpoints.save(standing, is_best=False)
    with (
        Checkpoints(tmp_path, SETTINGS | {"seed": 1}) as checkpoints,
        pytest.raises(RunError, match=r"other settings \(seed 0 there, 1 here\)"),
    ):
        checkpoints.check_settings()
