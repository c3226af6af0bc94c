"""Whether a folder is a sweep's."""

from pathlib import Path

SETTINGS = "sweep.json"


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds a sweep, or a program of the study, and not a single run."""
    return (folder / SETTINGS).exists()
