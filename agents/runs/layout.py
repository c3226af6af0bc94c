"""The names of the files in a run folder, and whether a folder is one."""

from pathlib import Path

from agents.errors import RunError, nearest

CONFIG, SCENARIO, METRICS, SUMMARY, HEURISTICS = (
    "config.json", "scenario.json", "metrics.csv", "summary.json", "heuristics.json",
)  # fmt: skip


def check_is_run(folder: Path) -> None:
    """Raises `RunError`, naming the nearest run."""
    if not (folder / CONFIG).exists():
        near = nearest(str(folder), [str(each) for each in _runs_near(folder)])
        hint = f"did you mean {near}? " if near else ""
        raise RunError(
            f"{folder}: no run ({CONFIG} is not there); {hint}allowed: a folder of train"
        )


def _runs_near(folder: Path) -> list[Path]:
    """Folders of runs beside a folder and where runs are left by default."""
    files = [*folder.parent.glob(f"*/{CONFIG}"), *Path("runs").glob(f"*/{CONFIG}")]
    return sorted({file.parent for file in files})
