"""What was measured so far, on disk after every row, and the time that is left for more."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.errors import RunError
from agents.files import read_json, write_json

Row = dict[str, Any]
KEY = ("part", "name", "scenario", "stores")
"""What tells rows apart."""
UNSAID = (
    "products", "periods_a_call", "seconds_least", "seconds_most", "repeats",
    "product_periods_per_s",
)  # fmt: skip
"""Left to the file when a row is printed."""
MACHINE = ("device", "jax", "xla_flags", "tiny")
"""What all rows of a file have in common."""


@dataclass
class Ledger:
    """The rows of a folder's results.json, which appears whole and anew with every row."""

    path: Path
    machine: dict[str, Any]
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def opened(cls, path: Path, machine: dict[str, Any]) -> "Ledger":
        """With the rows that are there. Raises `RunError` where they are another machine's."""
        if not path.exists():
            return cls(path, machine)
        body = read_json(path)
        for name in MACHINE:
            if body["machine"].get(name) != machine[name]:
                raise RunError(
                    f"{path}: measured with {name} {body['machine'].get(name)}; allowed: "
                    f"{machine[name]}, or another --out"
                )
        return cls(path, body["machine"], body["rows"])

    def has(self, part: str, name: str, scenario: str, stores: int) -> bool:
        """Whether that row is there; one that ended before its time is to be measured again."""
        key = (part, name, scenario, stores)
        return any(_key(row) == key and not row.get("unfinished") for row in self.rows)

    def add(self, row: Row) -> None:
        """One more row, in place of one with the same key, on disk at once."""
        row = row | {name: self.machine[name] for name in ("device", "jax")}
        self.rows = [each for each in self.rows if _key(each) != _key(row)] + [row]
        write_json(self.path, {"machine": self.machine, "rows": self.rows})
        print(said(row), flush=True)


@dataclass(frozen=True)
class Deadline:
    """A moment after which nothing new is begun."""

    at: float  # of `time.monotonic`

    @property
    def left(self) -> float:
        """Seconds."""
        return self.at - time.monotonic()

    @property
    def is_past(self) -> bool:
        return self.left <= 0


def said(row: Row) -> str:
    """A row in one line: where it stands, then its numbers."""
    where = ", ".join(str(row[name]) for name in KEY)
    shown = {
        name: float(f"{value:.4g}") if isinstance(value, float) else value
        for name, value in row.items()
        if name not in (*KEY, *MACHINE, *UNSAID) and isinstance(value, int | float | str)
    }
    return f"{where}: {json.dumps(shown, ensure_ascii=False)}"


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEY)
