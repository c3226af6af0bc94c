"""Checkpoints of a training: everything it needs to go on, written by orbax, complete or absent.

Each is a folder checkpoints/ITERATION of a run: arrays as orbax writes them, and beside them a
JSON of what is no array: the settings, a digest of every array and of the rows of metrics until
then. What does not match its digest is not gone on from. Nothing is unpickled. Of several processes
the first alone reads and writes: the others send it their stores and receive what it read.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from agents import checksums, schemas
from agents.devices import gathered, is_first
from agents.errors import RunError, in_short
from agents.files import unwritable
from agents.learning.train_state import TrainState
from agents.learning.training import NEVER, Snapshot
from agents.runs import processes, run_folder
from agents.runs.run_folder import BY_THE_FIRST
from agents.runs.run_schemas import About
from agents.runs.unread import given_up_in_silence

LAST_KEPT = 3
DAMAGED = ".damaged"
"""Ends the name of the folder of a checkpoint that is not gone on from."""


class Checkpoints:
    """The checkpoints of one run: the last few and the best are kept. Use it as a context."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """`settings`: what must be the same for a training to go on, by name. Raises `RunError`."""
        self._folder = folder
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
        """The iteration of the newest checkpoint."""
        return processes.from_first(lambda: next(iter(self._steps()), None))

    def check_settings(self) -> None:
        """Raises `RunError` where the newest checkpoint whose description is whole belongs to a
        training with other settings, or where none is whole."""
        processes.from_first(self._check_settings)

    def restore(self, like: Snapshot, announce: Callable[[str], None]) -> Snapshot | None:
        """Where the training stood at the newest whole checkpoint, None where there is none at all.
        Newer ones that are damaged are announced, and set aside under another name. `like`: shapes.
        Raises `RunError` where all are damaged, or where nothing can be written."""
        if self.newest is None:
            return None
        shapes = _arrays(like.train_state, like.kept)
        named, found, about = _by_name(shapes), {}, {}
        if is_first():
            with given_up_in_silence():
                found, about = self._newest_whole(named, announce)
        about = About(**processes.from_first(lambda: about))
        train_state, kept = _from_names(processes.arrays_from_first(found, named), shapes)
        return Snapshot(
            train_state=train_state.replace(key=jax.random.wrap_key_data(train_state.key)),
            kept=kept,
            kept_profit=NEVER if about.kept_profit is None else about.kept_profit,
            iteration=about.iteration,
            store_periods=about.store_periods,
            seconds=about.seconds,
        )

    def _steps(self) -> list[int]:
        """Iterations of the checkpoints, newest first."""
        self._manager.reload()
        return sorted(self._manager.all_steps(), reverse=True)

    def _check_settings(self) -> None:
        refused = []
        for step in self._steps():
            try:
                differing = self._differing(self._about(step))
            except RunError as damage:
                refused.append(damage)
                continue
            if differing:
                raise RunError(
                    f"out: {self._root.parent} holds a training with other settings "
                    f"({'; '.join(differing)}); choose another --out, or remove the folder"
                )
            return
        raise refused[0]

    def _newest_whole(
        self, named: dict[str, Any], announce: Callable[[str], None]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arrays and description of the newest whole checkpoint."""
        refused: dict[int, RunError] = {}
        for step in self._steps():
            try:
                about, arrays = self._whole(step, named)
            except RunError as damage:
                refused[step] = damage
                continue
            for damaged, why in refused.items():
                announce(f"{why}; it is now {damaged}{DAMAGED}")
                with self._writing():
                    self._set_aside(self._root / str(damaged))
            self._manager.reload()  # it would not save an iteration that it believes to have
            return arrays, about.model_dump()
        newest = next(iter(refused.values()))
        raise RunError(f"{newest}; no other is whole: remove the folder, or choose another --out")

    def _whole(self, step: int, named: dict[str, Any]) -> tuple[About, dict[str, Any]]:
        """One checkpoint, held against its digests. Raises `RunError`."""
        about = self._about(step)
        if self._differing(about):
            raise self._damaged(step, "it is of another training")
        if about.metrics not in (None, run_folder.metrics_digest(self._folder, step)):
            raise self._damaged(step, f"{run_folder.METRICS} does not hold its rows")
        arrays = self._read(step, "state", ocp.args.StandardRestore(_wanted(named)))
        if about.arrays is not None and (now := _digests(arrays)) != about.arrays:
            wrong = {name for name in now if now[name] != about.arrays.get(name)}
            raise self._damaged(step, f"array {min(wrong, default='')} is not the one saved")
        return about, arrays

    def _about(self, step: int) -> About:
        """The description of one checkpoint. Raises `RunError`."""
        body = self._read(step, "about", ocp.args.JsonRestore())
        path = self._root / str(step) / "about"
        about = schemas.parse(json.dumps(body).encode(), path, About)
        if about.iteration != step:
            raise self._damaged(step, f"it is of iteration {about.iteration}")
        if about.sha256 is not None and _digest_of(body) != about.sha256:
            raise self._damaged(step, "its description is not the one saved")
        return about

    def _differing(self, about: About) -> list[str]:
        """The settings of a checkpoint that are not this training's."""
        return [
            f"{name} {_short(about.settings.get(name))} there, {_short(value)} here"
            for name, value in self._settings.items()
            if about.settings.get(name) != value
        ]

    @staticmethod
    def _set_aside(checkpoint: Path) -> None:
        """Out of the way of the one that will be saved in its place."""
        aside = checkpoint.with_name(checkpoint.name + DAMAGED)
        shutil.rmtree(aside, ignore_errors=True)
        checkpoint.rename(aside)

    def save(self, snapshot: Snapshot, is_best: bool, metrics: str) -> None:
        """Begins to save, and goes on while the files are written; `metrics` is the text of the
        rows until now. Raises `RunError`, also where an earlier save has failed by now."""
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
        about |= {"arrays": _digests(state), "metrics": checksums.digest(metrics.encode())}
        about = json.loads(schemas.text_of(about, About))
        about["sha256"] = _digest_of(about)
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(state),
            about=ocp.args.JsonSave(about),
        )
        earned = {"greedy_profit": profit} if is_best else None
        with self._writing():
            begun = self._manager.save(snapshot.iteration, args=items, metrics=earned)
            if not begun and snapshot.iteration not in self._manager.all_steps():
                raise RuntimeError(f"iteration {snapshot.iteration} was not saved")

    def finish(self) -> None:
        """Waits for all files. Raises `RunError` where they could not be written."""
        if not is_first():
            return
        with self._writing():
            self._manager.wait_until_finished()

    def _read(self, step: int, item: str, how: Any) -> Any:
        try:
            return self._manager.restore(step, args=ocp.args.Composite(**{item: how}))[item]
        except Exception as error:  # a damaged file can raise anything
            raise self._damaged(step, _reason(error)) from None

    def _damaged(self, step: int, why: str) -> RunError:
        return RunError(f"{self._root / str(step)}: not a whole checkpoint of this version ({why})")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: Exception) -> RunError:
        self._failed = True
        return unwritable(
            f"out: {self._root} cannot be written ({_reason(error)}); "
            "the checkpoints that were whole stay as they are",
            _number(error),
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


def _digests(arrays: Mapping[str, Any]) -> dict[str, str]:
    """A digest of every array: of its type, its shape and its numbers to the bit."""
    found = {}
    for name, leaf in arrays.items():
        array = np.asarray(leaf)
        kind = f"{array.dtype.name} {array.shape} ".encode()
        found[name] = checksums.digest(kind + array.tobytes())
    return found


def _digest_of(about: Mapping[str, Any]) -> str:
    """Of a checkpoint's description, but for the digest in it."""
    rest = {name: value for name, value in about.items() if name != "sha256"}
    return checksums.digest(json.dumps(rest, sort_keys=True).encode())


def _reason(error: Exception) -> str:
    """An error in one line: the operating system's word where it has one."""
    number = _number(error)
    if number is not None:
        return os.strerror(number)
    return in_short(error)


def _number(error: Exception) -> int | None:
    """The operating system's number of an error, if it is one of its."""
    code = re.search(r"os_error_code='(\d+)'", str(error))
    return int(code.group(1)) if code else getattr(error, "errno", None)


def _short(value: Any) -> str:
    return str(value)[:60]
