"""Which files of sales a path, a folder or a pattern names."""

from pathlib import Path

from jaxsim.calibration.columns import CalibrationError

TEXTS, TABLES = (".csv", ".tsv", ".txt"), (".parquet", ".pq")
PACKED = ("", ".gz", ".zip")
SUFFIXES = (*(text + packed for text in TEXTS for packed in PACKED), *TABLES)
ALLOWED = ".csv, .tsv or .txt, also .zip or .gz, and .parquet or .pq, in any case"


def files_of(path: Path) -> list[Path]:
    """In the order of their names. Raises `CalibrationError` where there is none."""
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if _readable(each) and each.is_file())
        if not found:
            raise CalibrationError(f"transactions: {path} has no file of sales; allowed: {ALLOWED}")
        return found
    if path.exists():
        if not _readable(path):
            raise CalibrationError(f"transactions: {path}; allowed: {ALLOWED}")
        return [path]
    if any(sign in path.name for sign in "*?["):
        found = sorted(each for each in path.parent.glob(path.name) if _readable(each))
        if found:
            return found
    raise CalibrationError(f"transactions: {path} does not exist")


def _readable(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".")
