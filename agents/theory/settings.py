"""The settings of the theory as a study."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TheoryConfig:
    """Solve small stores exactly: known answers, and what coordination is worth."""

    out: Path = Path("runs/theory")
    """Folder for theory.json, report.html and pictures. Files of an earlier run are replaced."""
