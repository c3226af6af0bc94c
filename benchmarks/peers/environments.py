"""A peer's own Python environment: made once by venv and pip, kept in the user's cache."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class NotInstalled(RuntimeError):
    """A peer that could not be installed: one line that names the reason."""


def default_folder() -> Path:
    """Where environments are kept: the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "closing-the-loop" / "peers"


def python_of(name: str, requirements: tuple[str, ...], folder: Path) -> Path:
    """The interpreter of the environment that has `requirements`, made if it is not there.

    An environment is known by its requirements: another version makes another one. Raises
    `NotInstalled`.
    """
    known = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:10]
    home = folder.absolute() / f"{name}-{known}"
    python, ready = home / "bin" / "python", home / ".ready"
    if not ready.exists():
        _run(name, [sys.executable, "-m", "venv", "--clear", str(home)])
        _run(name, [str(python), "-m", "pip", "install", "--quiet", *requirements])
        ready.touch()
    return python


def _run(name: str, command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    except OSError as error:
        raise NotInstalled(f"{name}: {error}") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["no reason given"]
        raise NotInstalled(f"{name}: {said[0].strip()}")
