"""Terminals of any kind: narrow ones, those that know few letters, and pipes."""

import codecs
import io
import os
import sys

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

UNLIMITED = 10_000
"""Columns of a pipe: whoever reads it may fold its lines."""
SPELT = {
    "±": "+/-", "−": "-", "–": "-", "—": "-", "×": "x", "…": "...", "→": "->", "≤": "<=",
    "≥": ">=", "’": "'", "“": '"', "”": '"', "·": ".",
}  # fmt: skip
"""How signs are spelt for a terminal that does not know them."""


def open_console() -> Console:
    """Standard output. What is printed is text, never markup: names may have brackets. Signs that a
    terminal does not know are spelt otherwise instead of ending the program."""
    codecs.register_error("spelt", _spelt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="spelt")
    console = Console(markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = UNLIMITED
    return console


def show(console: Console, table: Table) -> None:
    """Prints a table; one whose numbers do not fit beside each other as a block of lines for each
    row, so that none is cut."""
    unlimited = console.options.update(max_width=UNLIMITED)
    needed = Measurement.get(console, unlimited, table).maximum
    if needed <= console.width or not any(column.no_wrap for column in table.columns):
        console.print(table)
        return
    if table.title:
        console.print(table.title, style="italic")
    headings = [str(column.header) for column in table.columns]
    longest = max(map(len, headings))
    for row in zip(*(column.cells for column in table.columns), strict=True):
        console.print()
        for heading, cell in zip(headings, row, strict=True):
            if cell != "":
                console.print(f"{heading:<{longest}}  {cell}", soft_wrap=True)
    if table.caption:
        console.print(f"\n{table.caption}", style="dim italic")


def _spelt(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unknown = error.object[error.start : error.end]
    escaped = unknown.encode("ascii", "backslashreplace").decode()
    spelt = "".join(SPELT.get(each, "") for each in unknown)
    return (spelt if all(each in SPELT for each in unknown) else escaped), error.end
