"""Files of runs and studies: written completely or not at all, by the first process alone."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agents.devices import is_first
from agents.errors import DISK, DiskError, RunError
from jaxsim import version
from jaxsim.files import appearing

FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""How a text begins that a spreadsheet would calculate, or take a quote from."""


def open_folder(folder: Path) -> Path:
    """Makes the folder and proves that it can be written to. Raises `RunError`.

    Of several processes the first alone does this.
    """
    if is_first():
        with writing(folder, "out"):
            folder.mkdir(parents=True, exist_ok=True)
            with appearing(folder / "writable") as probe:
                probe.touch()
            (folder / "writable").unlink()
    return folder


@contextmanager
def writing(path: Path, field: str = "") -> Iterator[None]:
    """Raises `RunError` in place of an `OSError`; `field` is the setting that named the path."""
    try:
        yield
    except OSError as error:
        name = f"{field}: {path}" if field else f"{path}:"
        raise unwritable(f"{name} cannot be written ({error.strerror})", error.errno) from None


def unwritable(message: str, number: int | None) -> RunError:
    """The error for a failure of the operating system with that number: a disk's, or a path's."""
    return DiskError(message) if number in DISK else RunError(message)


def write_text(path: Path, text: str) -> None:
    """Raises `RunError`."""
    if is_first():
        with writing(path), appearing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, body: Any) -> None:
    """A document, readable. Raises `RunError`."""
    write_text(path, json_text(body))


def json_text(body: Any) -> str:
    """A document as text. JSON has no word for numbers that are not finite: they become null, and
    the writer says why beside them."""
    return json.dumps(_finite(body), indent=2, default=_plain, allow_nan=False) + "\n"


def write_table(path: Path, table: pd.DataFrame, float_format: str | None = None) -> None:
    """Rows as CSV or, where the name ends so, Parquet. Raises `RunError`."""
    if path.suffix == ".parquet":
        if is_first():
            with writing(path), appearing(path) as temporary:
                table.to_parquet(temporary, index=False)
    else:
        write_text(path, csv_text(table, float_format))


def csv_text(table: pd.DataFrame, float_format: str | None = None) -> str:
    """Rows as CSV. A text that a spreadsheet would take for a formula gets an apostrophe before it;
    `unquoted` takes it off."""
    shown = table.copy()
    for name in shown.select_dtypes(include=["object", "string"]):
        shown[name] = shown[name].map(lambda each: f"'{each}" if _is_formula(each) else each)
    return shown.to_csv(index=False, float_format=float_format)


def unquoted(table: pd.DataFrame) -> pd.DataFrame:
    """A table that was read, with the texts that `csv_text` was given."""
    for name in table.select_dtypes(include=["object", "string"]):
        table[name] = table[name].map(
            lambda each: each[1:] if isinstance(each, str) and each.startswith("'") else each
        )
    return table


def read_json(path: Path) -> Any:
    """The document in a JSON file. Raises `RunError`."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(f"{path}: not a readable file of a run ({error})") from None


def key_of(**settings: Any) -> str:
    """A short name for all that numbers depend on: a hash of these settings and of the version that
    is running. What is kept under it is found again by the same settings alone."""
    text = json.dumps(settings | {"version": version()}, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _finite(value: Any) -> Any:
    """The same document with None in place of numbers that are not finite."""
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        return None
    return value


def _plain(value: Any) -> Any:
    """JSON for the types that configurations and summaries hold."""
    if isinstance(value, np.generic):
        return value.item()
    return str(value)


def _is_formula(value: Any) -> bool:
    if not isinstance(value, str) or not value.startswith(FORMULA):
        return False
    try:
        return not math.isfinite(float(value))  # a number is what it looks like
    except ValueError:
        return True
