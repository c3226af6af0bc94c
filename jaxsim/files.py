"""Files and folders that appear complete or not at all."""

import glob
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, to write a file or a folder to.

    It is renamed to `path` when the block ends, and removed when the block fails. An existing file
    or folder of that name is replaced, and what a killed process left of it is removed. Raises
    `OSError` where writing fails.
    """
    temporary = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}")
    clear_leftovers(path.parent, path.name)
    try:
        yield temporary
        if temporary.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    finally:
        _remove(temporary)


def clear_leftovers(folder: Path, name: str | None = None) -> None:
    """Removes what processes of this machine that are no more were writing in a folder: of one
    name, or of any."""
    mine = f".{platform.node()}."
    pattern = f".{'*' if name is None else glob.escape(name)}{glob.escape(mine)}*"
    for path in folder.glob(pattern):
        process = path.name.rpartition(".")[2]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
