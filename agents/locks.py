"""One process at a time writes to a folder, and a folder holds one kind of thing."""

import contextlib
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from agents.devices import is_first
from agents.errors import RunError
from agents.files import open_folder, writing
from jaxsim.files import clear_leftovers

LOCK = ".lock"
KINDS = {
    "config.json": "a training",
    "sweep.json": "a sweep",
    "program.jax": "an exported department",
}
"""What a folder holds, by a file that only such folders have."""


@contextmanager
def opened(folder: Path, kind: str) -> Iterator[Path]:
    """A folder that can be written to, holds nothing of another kind, and is this process's alone
    until the end; of several processes the first's. What a killed process left half-written is
    removed. Raises `RunError`, which names the process that has it."""
    open_folder(folder)
    if not is_first():
        yield folder
        return
    for file, other in KINDS.items():
        if other != kind and (folder / file).exists():
            raise RunError(f"out: {folder} holds {other}; allowed: a new folder, or one of {kind}")
    with _locked(folder):
        clear_leftovers(folder)
        yield folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The operating system gives the lock back whatever becomes of the process."""
    path = folder / LOCK
    lock = FileLock(path, timeout=0)
    try:
        with writing(folder, "out"):
            _acquire(lock, folder)
        with contextlib.suppress(OSError):  # a full disk has room for the lock, but for no name
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            path.write_text(f"process {os.getpid()} on {platform.node()} since {now}")
        yield
    finally:
        if lock.is_locked:
            path.unlink(missing_ok=True)
            lock.release()


def _acquire(lock: FileLock, folder: Path) -> None:
    try:
        lock.acquire()
    except Timeout:
        holder = ""
        with contextlib.suppress(OSError):
            holder = (folder / LOCK).read_text(errors="replace")[:120]
        raise RunError(
            f"out: {folder} is being written to by {holder or 'another process'}; wait for its "
            "end, stop it, or choose another --out"
        ) from None
