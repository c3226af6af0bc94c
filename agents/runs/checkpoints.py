"""Checkpoints of a training: everything it needs to go on, written by orbax, complete or absent.

Each is a folder checkpoints/ITERATION of a run: arrays as orbax writes them, and beside them a
JSON of what is no array, the settings among it. Nothing is unpickled. Of several processes the
first alone reads and writes: the others send it their stores and receive what it read.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from agents.devices import gathered, is_first
from agents.errors import RunError
from agents.learning.train_state import TrainState
from agents.learning.training import NEVER, Snapshot
from agents.runs import processes
from agents.runs.run_folder import BY_THE_FIRST

LAST_KEPT = 3


class Checkpoints:
    """The checkpoints of one run: the last few and the best are kept. Use it as a context."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """`settings`: what must be the same for a training to go on, by name. Raises `RunError`."""
        self._root = (folder / "checkpoints").absolute()
        self._settings = dict(settings)
        self._failed = False  # a failed save was reported
        keep = checkpoint_managers.AnyPreservationPolicy(
            [
                checkpoint_managers.LatestN(LAST_KEPT),
                checkpoint_managers.BestN(
                    get_metric_fn=lambda metrics: metrics["greedy_profit"],
                    n=1,
                    keep_checkpoints_without_metrics=False,
                ),
            ]
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=keep,
            cleanup_tmp_directories=True,
            multiprocessing_options=BY_THE_FIRST,
            create=False,
        )
        if not is_first():
            return
        with self._writing():
            self._root.mkdir(exist_ok=True)
            self._manager = ocp.CheckpointManager(
                self._root, options=options, item_names=("state", "about")
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not is_first():
            return
        try:
            self._manager.close()
        except Exception as failed:
            if error is None and not self._failed:
                raise self._unwritable(failed) from None

    @property
    def newest(self) -> int | None:
        """The iteration of the newest whole checkpoint."""
        return processes.from_first(self._newest)

    def check_settings(self) -> dict[str, Any]:
        """The newest checkpoint's own description.

        Raises `RunError` where it is damaged, or belongs to a training with other settings.
        """
        return processes.from_first(self._check_settings)

    def _newest(self) -> int | None:
        self._manager.reload()
        return max(self._manager.all_steps(), default=None)

    def _check_settings(self) -> dict[str, Any]:
        where, about = self._root / str(self._newest()), self._read("about", ocp.args.JsonRestore())
        try:
            theirs = about["settings"]
            differing = [
                f"{name} {_short(theirs[name])} there, {_short(value)} here"
                for name, value in self._settings.items()
                if theirs[name] != value
            ]
        except (TypeError, KeyError) as error:
            raise RunError(f"{where}: not a checkpoint of this version ({error})") from None
        if differing:
            raise RunError(
                f"out: {self._root.parent} holds a training with other settings "
                f"({'; '.join(differing)}); choose another --out, or remove the folder"
            )
        return about

    def restore(self, like: Snapshot) -> Snapshot | None:
        """Where the training stood at the newest checkpoint, None where there is none. `like`:
        shapes. Raises `RunError` where it is damaged, or of a training with other settings."""
        if self.newest is None:
            return None
        about = self.check_settings()
        shapes = _arrays(like.train_state, like.kept)
        named, found = _by_name(shapes), {}
        if is_first():
            found = self._read("state", ocp.args.StandardRestore(_wanted(named)))
        train_state, kept = _from_names(processes.arrays_from_first(found, named), shapes)
        profit = about["kept_profit"]
        return Snapshot(
            train_state=train_state.replace(key=jax.random.wrap_key_data(train_state.key)),
            kept=kept,
            kept_profit=NEVER if profit is None else profit,
            iteration=about["iteration"],
            store_periods=about["store_periods"],
            seconds=about["seconds"],
        )

    def save(self, snapshot: Snapshot, is_best: bool) -> None:
        """Begins to save, and goes on while the files are written. Raises `RunError`, also where
        an earlier save has failed by now."""
        profit = snapshot.kept_profit
        about = {
            "iteration": snapshot.iteration,
            "store_periods": snapshot.store_periods,
            "seconds": snapshot.seconds,
            "kept_profit": None if profit == NEVER else profit,
            "settings": self._settings,
        }
        state = _by_name(_arrays(snapshot.train_state, snapshot.kept))
        if jax.process_count() > 1:  # orbax would have each process write its own part
            state = gathered(state)
        if not is_first():
            return
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(state),
            about=ocp.args.JsonSave(about),
        )
        metrics = {"greedy_profit": profit} if is_best else None
        with self._writing():
            self._manager.save(snapshot.iteration, args=items, metrics=metrics)

    def finish(self) -> None:
        """Waits for all files. Raises `RunError` where they could not be written."""
        if not is_first():
            return
        with self._writing():
            self._manager.wait_until_finished()

    def _read(self, item: str, how: Any) -> Any:
        newest = self._newest()
        try:
            return self._manager.restore(newest, args=ocp.args.Composite(**{item: how}))[item]
        except Exception as error:  # a damaged file can raise anything
            raise RunError(
                f"{self._root / str(newest)}: not a whole checkpoint of this version "
                f"({_reason(error)}); remove it to go on from the one before, or train into "
                "another --out"
            ) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: Exception) -> RunError:
        self._failed = True
        return RunError(
            f"out: {self._root} cannot be written ({_reason(error)}); "
            "the checkpoints that were whole stay as they are"
        )


def _arrays(train_state: TrainState, kept: Any) -> tuple[TrainState, Any]:
    """What is saved as arrays: the key as its numbers. Shapes stay shapes."""
    numbers = jax.random.key_data
    if isinstance(train_state.key, jax.ShapeDtypeStruct):
        return train_state.replace(key=jax.eval_shape(numbers, train_state.key)), kept
    return train_state.replace(key=numbers(train_state.key)), kept


def _wanted(shapes: dict[str, Any]) -> dict[str, Any]:
    """What orbax is asked for: of several processes the first reads all of it into its memory."""
    if jax.process_count() == 1:
        return shapes
    return {name: np.empty(shape.shape, shape.dtype) for name, shape in shapes.items()}


def _by_name(tree: Any) -> dict[str, Any]:
    """The leaves by their paths, but for empty ones, which cannot be saved and need not be."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves if leaf.size}


def _from_names(found: dict[str, Any], shapes: Any) -> Any:
    """The tree of `shapes` with the leaves found."""

    def leaf(path: Any, shape: jax.ShapeDtypeStruct) -> Any:
        return found[jax.tree_util.keystr(path)] if shape.size else jnp.zeros(shape.shape)

    return jax.tree_util.tree_map_with_path(leaf, shapes)


def _reason(error: Exception) -> str:
    """An error in one line: the operating system's word where it has one."""
    code = re.search(r"os_error_code='(\d+)'", str(error))
    if code is not None:
        return os.strerror(int(code.group(1)))
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _short(value: Any) -> str:
    return str(value)[:60]
