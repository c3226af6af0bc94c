"""Files as shops export them, as tables of text: separators, encodings and packing are found.

Types are never guessed: every cell of a file is text until `jaxsim.calibration.transactions` says
what its column holds.
"""

import csv
import gzip
import io
import itertools
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import duckdb

from jaxsim.calibration.columns import CalibrationError
from jaxsim.calibration.files import PACKED, TABLES, files_of

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "|"}
SAMPLE = 1 << 16
"""Characters of a file that show how it is separated."""
CHUNK = 1 << 20
MEMORY = "400MB"
"""What the database may hold in memory; the rest waits on disk."""


@dataclass(frozen=True)
class Part:
    """One file."""

    path: Path
    """As the user knows it."""
    header: list[str]
    """Names of its columns."""
    query: str
    """SQL of its rows: text columns c0, c1, …, and `spare`, the cell beyond the header's last."""
    plain: Path | None = None
    """Its text in UTF-8; None for Parquet."""
    separator: str = ""
    skipped: int = 0
    """Rows before the header."""
    notes: tuple[str, ...] = ()
    """What was found out about it, in words."""

    def row(self, number: int) -> int:
        """The row of a spreadsheet, the header being 1, that holds the `number`-th row of data from
        0: blank lines count."""
        if self.plain is None:
            return number + 2
        with self.plain.open(encoding="utf-8-sig", newline="") as text:
            csv.field_size_limit(1 << 30)
            filled = (
                at for at, row in enumerate(csv.reader(text, delimiter=self.separator)) if row
            )
            before = self.skipped + 1 + number
            return next(itertools.islice(filled, before, None), before) + 1 - self.skipped


@contextmanager
def database(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in a folder, with little memory. Raises `CalibrationError` where the disk
    is full."""
    connection = duckdb.connect(str(scratch / "rows.duckdb"))
    try:
        connection.execute(f"SET memory_limit='{MEMORY}'; SET threads=2")
        connection.execute(f"SET temp_directory={quoted(scratch / 'spilled')}")
        yield connection
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise CalibrationError(f"transactions: {first_line(error)}") from None
    finally:
        connection.close()


def open_parts(path: Path, scratch: Path, connection: duckdb.DuckDBPyConnection) -> list[Part]:
    """The files that a path, a folder or a pattern names, in the order of their names; `scratch` is
    for copies in UTF-8. Raises `CalibrationError`."""
    parts = []
    for number, each in enumerate(files_of(path)):
        copy = scratch / f"part-{number}"
        try:
            parquet = each.name.lower().endswith(TABLES)
            parts.append(_table(each, copy, connection) if parquet else _text(each, copy))
        except (OSError, EOFError, zipfile.BadZipFile, csv.Error, duckdb.Error) as error:
            why = first_line(error).replace(str(copy), each.name)
            raise CalibrationError(f"transactions: {each} cannot be read ({why})") from None
    return parts


def quoted(text: str | Path) -> str:
    """A text in SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def named(column: str) -> str:
    """A column's name in SQL."""
    return '"' + column.replace('"', '""') + '"'


def _table(path: Path, copy: Path, connection: duckdb.DuckDBPyConnection) -> Part:
    """A Parquet file. Numbers become texts with six decimals, so that none can be misread."""
    copy.symlink_to(path.resolve())  # a name without signs that mean something in a pattern
    rows = f"read_parquet({quoted(copy)}, hive_partitioning=false)"
    about = connection.sql(f"SELECT * FROM {rows} LIMIT 0")
    texts = [
        f"{_text_of(named(name), str(kind))} AS c{number}"
        for number, (name, kind) in enumerate(zip(about.columns, about.types, strict=True))
    ]
    return Part(path, list(about.columns), f"SELECT {', '.join(texts)}, NULL AS spare FROM {rows}")


def _text_of(column: str, kind: str) -> str:
    if kind in ("FLOAT", "DOUBLE"):
        whole = f"{column} = trunc({column}) AND abs({column}) < 1e15"
        return (
            f"CASE WHEN {whole} THEN CAST(CAST({column} AS BIGINT) AS VARCHAR) "
            f"WHEN isfinite({column}) THEN printf('%.6f', {column}) "
            f"WHEN NOT isnan({column}) THEN CAST({column} AS VARCHAR) END"
        )
    if kind.startswith("DECIMAL"):
        return f"CAST(CAST({column} AS DECIMAL(38, 12)) AS VARCHAR)"
    return f"CAST({column} AS VARCHAR)"


def _text(path: Path, copy: Path) -> Part:
    """A text file, copied to UTF-8 where it is anything else."""
    encoding = _encoding(path)
    if encoding == "utf-8-sig" and not path.name.lower().endswith(PACKED[1:]):
        copy.symlink_to(path.resolve())
    else:
        with _unpacked(path) as packed, copy.open("w", encoding="utf-8", newline="") as plain:
            text = io.TextIOWrapper(packed, encoding, errors="replace", newline="")
            shutil.copyfileobj(text, plain, CHUNK)
    with copy.open(encoding="utf-8-sig", newline="") as text:
        sample = text.read(SAMPLE)
    if "\0" in sample:
        raise CalibrationError(f"transactions: {path} cannot be read (it is no text)")
    marked = sample[:4].lower() == "sep=" and sample[4:5] in SEPARATORS
    if marked:
        separator, sample = sample[4], sample.split("\n", 1)[-1]
    else:
        separator = _separator(sample)
    header = next((row for row in csv.reader(io.StringIO(sample), delimiter=separator) if row), [])
    if not header:
        raise CalibrationError(f"transactions: {path} cannot be read (it is empty)")
    names = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(header)))
    query = (
        f"SELECT * FROM read_csv({quoted(copy)}, auto_detect=false, header=true, "
        f"skip={int(marked)}, delim={quoted(separator)}, quote='\"', escape='\"', "
        "null_padding=true, strict_mode=false, parallel=false, hive_partitioning=false, "
        f"columns={{{names}, 'spare': 'VARCHAR'}})"
    )
    notes = (f"separated by {SEPARATORS[separator]}",)
    notes += ("in Windows' letters (cp1252)",) if encoding == "cp1252" else ()
    return Part(path, [name.strip() for name in header], query, copy, separator, int(marked), notes)


def _separator(sample: str) -> str:
    """The one that splits most of the first rows, all alike."""

    def columns(separator: str) -> int:
        rows = list(itertools.islice(csv.reader(io.StringIO(sample), delimiter=separator), 50))
        widths = [len(row) for row in rows[:-1] or rows if row]
        alike = sum(abs(width - widths[0]) <= 1 for width in widths)
        return widths[0] if widths and alike >= 0.8 * len(widths) else 0

    return max(SEPARATORS, key=columns)


def _encoding(path: Path) -> str:
    """UTF-8 or UTF-16, with or without a mark of it; else that of Western Windows."""
    with _unpacked(path) as packed:
        head = packed.read(4)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if b"\0" in head:
        return "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
    with _unpacked(path) as packed:
        text = io.TextIOWrapper(packed, "utf-8-sig", newline="")
        try:
            while text.read(CHUNK):
                pass
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    name = path.name.lower()
    if name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            inside = [each for each in archive.namelist() if not each.startswith("__MACOSX")]
            inside = [each for each in inside if not each.endswith("/")]
            if len(inside) != 1:
                raise CalibrationError(
                    f"transactions: {path} holds {len(inside)} files; allowed: one"
                )
            with archive.open(inside[0]) as packed:
                yield packed
    elif name.endswith(".gz"):
        with gzip.open(path) as packed:
            yield cast(IO[bytes], packed)
    else:
        with path.open("rb") as packed:
            yield packed


def first_line(error: Exception) -> str:
    """What an error says, without the lines that explain it, or its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
