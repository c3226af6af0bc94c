"""A peer's own Python environment: made once by venv and pip, kept in the user's cache."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
READY = ".ready"


class NotInstalled(RuntimeError):
    """A peer that could not be installed: one line that names the reason."""


def default_folder() -> Path:
    """Where environments are kept: the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "closing-the-loop" / "peers"


def python_of(
    name: str, requirements: tuple[str, ...], folder: Path, bare: tuple[str, ...] = ()
) -> Path:
    """The interpreter of the environment that has `requirements`, made if it is not there. `bare`
    are installed after them, without what they themselves ask for.

    An environment is known by its requirements: another version makes another one. Raises
    `NotInstalled`.
    """
    home = home_of(name, (*requirements, *bare), folder)
    python, ready = home / "bin" / "python", home / READY
    if not ready.exists():
        _run(name, [sys.executable, "-m", "venv", "--clear", str(home)])
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        _run(name, [*pip, *requirements])
        if bare:
            _run(name, [*pip, "--no-deps", *bare])
        ready.touch()
    return python


def home_of(name: str, requirements: tuple[str, ...], folder: Path) -> Path:
    """The folder of an environment; the file `READY` in it says that it is whole."""
    known = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:10]
    return folder.absolute() / f"{name}-{known}"


def _run(name: str, command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    except OSError as error:
        raise NotInstalled(f"{name}: {error}") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["no reason given"]
        raise NotInstalled(f"{name}: {said[0].strip()}")
