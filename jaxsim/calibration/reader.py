"""One shop's files in a database: text cells, and what is made of each column.

A reader is used in this order: `load`, `dates`, `names`, `amounts`, `typed`. Each raises
`CalibrationError`, with the file, the column, the value and its row.
"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import duckdb
import pyarrow as pa

from jaxsim.calibration.amounts import (
    MOST,
    SHAPE,
    SIGNS,
    Decimal,
    Evidence,
    Seen,
    amount_sql,
    evidence,
)
from jaxsim.calibration.columns import CalibrationError
from jaxsim.calibration.days import TIME_OF_DAY, DateOrder, Unclear, read_days
from jaxsim.calibration.source import Part, first_line
from jaxsim.errors import printable

AMOUNTS = ("price", "cost", "quantity")
NAMES = ("product", "customer", "segment", "group")
MISSING = {
    "customer": "none: visitors are purchases / --conversion",
    "cost": "none: price less --margin",
}
MOST_DAYS = 200_000
"""Different texts of days in a column of dates."""
BLANKS = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8239) || chr(65279)"
FILLED = "(date IS NOT NULL OR product IS NOT NULL OR price IS NOT NULL)"
COUNTED = "[0-9]+([.,][0-9]*)?"
SECONDS = (1, 10**3, 10**6, 10**9)
OFFSET = "[0-9]:[0-9].*(Z|[+-][0-9]{2}:?[0-9]{2})$"


class Said(NamedTuple):
    """One line of what was read, and what was assumed."""

    what: str
    column: str
    found: str


@dataclass
class Reader:
    """A connection whose table `texts` has the shop's columns by role, as text."""

    connection: duckdb.DuckDBPyConnection
    parts: list[Part]
    columns: dict[str, str]
    """The file's column for each role that is used."""
    path: Path
    """What the user named."""
    days: str = ""
    """SQL of the text whose day is in the table `day_of`."""
    signs: dict[str, str] = field(default_factory=dict)
    """The decimal sign of each column of amounts."""

    def load(self) -> None:
        """Fills `texts`: a row for each row of the files, in their order; empty cells are NULL."""
        roles = ", ".join(f'"{role}" VARCHAR' for role in self.columns)
        self.connection.execute(f"CREATE TABLE texts (part INTEGER, spare VARCHAR, {roles})")
        for number, part in enumerate(self.parts):
            cells = [f"c{part.header.index(column)}" for column in self.columns.values()]
            trimmed = [f"nullif(trim({cell}, {BLANKS}), '')" for cell in ("spare", *cells)]
            try:
                self.connection.execute(
                    f"INSERT INTO texts SELECT {number}, {', '.join(trimmed)} FROM ({part.query})"
                )
            except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
                raise CalibrationError(
                    f"transactions: {part.path} cannot be read ({first_line(error)})"
                ) from None
        if not self._one(f"SELECT count(*) FROM texts WHERE {FILLED}"):
            raise CalibrationError(f"{self.path}: has no rows")
        if found := self._first("SELECT rowid, spare FROM texts WHERE spare IS NOT NULL"):
            part, row = self._place(found[0])
            raise CalibrationError(
                f"{part.path}: row {row} has more cells than the header, {shown(found[1])} beyond "
                "the last; allowed: as many, and quotes around a cell that holds the separator"
            )

    def dates(self, order: DateOrder | None, first_day: date | None) -> Said:
        """Finds the day of each text, in the table `day_of`."""
        self._refuse_empty("date", "a date")
        self.days = self._day_text()
        seen = self.connection.sql(
            f"SELECT {self.days} AS day_text, arg_min(date, rowid), min(rowid) FROM texts "
            f"WHERE {FILLED} GROUP BY 1 ORDER BY 3 LIMIT {MOST_DAYS}"
        ).fetchall()
        try:
            read = read_days((text for text, *_ in seen), order, first_day)
        except Unclear as unclear:
            raise CalibrationError(
                f"{self.path}: column {self.columns['date']!r} has {unclear}"
            ) from None
        for text, example, row in seen:
            if read.of[text] is None:
                self._refuse("date", example, row, "dates, such as 2024-03-01")
        of = pa.table({"day_text": list(read.of), "day": list(read.of.values())})
        self.connection.register("days_read", of)
        self.connection.execute("CREATE TABLE day_of AS SELECT day_text, day FROM days_read")
        offsets = self._one(f"SELECT bool_or(regexp_matches(date, '{OFFSET}')) FROM texts")
        clock = ", days as on each row's own clock" if offsets else ""
        return Said("date", self.columns["date"], f"{read.what}{clock}")

    def names(self, given: bool) -> list[Said]:
        """Looks for empty names. Customers in a column that nobody named (not `given`) are left out
        where some are missing."""
        said = []
        self._refuse_empty("product", "a name or number")
        if "customer" in self.columns:
            empty = self._one(f"SELECT count(*) FROM texts WHERE {FILLED} AND customer IS NULL")
            if empty and not given:
                column = self.columns.pop("customer")
                said.append(Said("customer", column, f"not used: empty in {_rows(empty)}"))
            else:
                self._refuse_empty("customer", "a name or number")
        for role in NAMES:
            if role in self.columns:
                number = self._one(
                    f'SELECT count(*) FROM (SELECT DISTINCT "{role}" FROM texts WHERE {FILLED})'
                )
                said.append(Said(role, self.columns[role], f"text, {number:,} different"))
        told = {line.what for line in said} | set(self.columns)
        return said + [Said(role, "", found) for role, found in MISSING.items() if role not in told]

    def amounts(self, decimal: Decimal | None) -> None:
        """Decides on the decimal sign of each column of amounts."""
        found = {}
        for role in [role for role in AMOUNTS if role in self.columns]:
            self._refuse_empty(role, "numbers from 0")
            column = f'"{role}"'
            shapes = self.connection.sql(
                f"SELECT arg_min({column}, rowid), min(rowid) FROM texts "
                f"WHERE {column} IS NOT NULL GROUP BY {SHAPE.format(column)} ORDER BY 2 LIMIT 10000"
            ).fetchall()
            found[role] = evidence(Seen(*shape) for shape in shapes)
            if wrong := found[role].wrong:
                self._refuse(role, wrong.example, wrong.row, "numbers from 0")
        everywhere = {sign for each in found.values() for sign in each.by_sign}
        for role, each in found.items():
            self.signs[role] = self._sign(role, each, decimal, everywhere)

    def typed(self) -> list[Said]:
        """Makes the table `typed`, with dates and numbers, and says how many rows there are and
        which have no payment."""
        numbers = {role: amount_sql(f'"{role}"', sign) for role, sign in self.signs.items()}
        names = [f'"{role}"' for role in NAMES if role in self.columns]
        cells = [f'{sql} AS "{role}"' for role, sql in numbers.items()]
        self.connection.execute(
            f"CREATE TABLE typed AS SELECT texts.rowid AS row, day AS date, "
            f"{', '.join(names + cells)} FROM texts JOIN day_of ON day_text = {self.days} "
            f"WHERE {FILLED}"
        )
        for role in numbers:
            wrong = f'"{role}" IS NULL OR NOT abs("{role}") <= {MOST}'
            self._refuse_first(role, wrong, f"numbers from 0 to {MOST:,.0f}")
        signed = [f'"{role}"' for role in numbers if role != "cost"]
        paid = " AND ".join(f"{role} > 0" for role in signed)
        if "cost" in numbers:
            self._refuse_first("cost", f"cost < 0 AND {paid}", "numbers from 0")
        returned = " OR ".join(f"{role} < 0" for role in signed)
        rows, sold, back = self.connection.sql(
            f"SELECT count(*), count(*) FILTER (WHERE {paid}), count(*) FILTER (WHERE {returned}) "
            "FROM typed"
        ).fetchall()[0]
        if not sold:
            column = self.columns["price"]
            raise CalibrationError(f"{self.path}: column {column!r} is 0 or less in every row")
        return [self._about_file(rows), *self._about_amounts(back, rows - sold - back)]

    def _about_file(self, rows: int) -> Said:
        blank = self._one(f"SELECT count(*) FROM texts WHERE NOT {FILLED}")
        notes = list(dict.fromkeys(note for part in self.parts for note in part.notes))
        notes += [f"{_rows(blank)} left out that are blank"] if blank else []
        files = self.path.name if len(self.parts) == 1 else f"{len(self.parts)} files"
        return Said("read", files, ", ".join([_rows(rows), *notes]))

    def _about_amounts(self, returns: int, unpaid: int) -> list[Said]:
        words = {sign: f"decimal {name}" for name, sign in SIGNS.items()}
        said = {role: [words[sign]] for role, sign in self.signs.items()}
        if "quantity" in said:
            said["price"].append("of one piece")
        counted = "1 return" if returns == 1 else f"{returns:,} returns"
        said["price"] += [f"{counted} left out"] if returns else []
        said["price"] += [f"{_rows(unpaid)} without a payment left out"] if unpaid else []
        return [Said(role, self.columns[role], "; ".join(each)) for role, each in said.items()]

    def _day_text(self) -> str:
        """SQL of what of a date's text tells the day. Numbers are cut to whole days, in the unit
        in which their size says that they are counted."""
        number = "CAST(replace(date, ',', '.') AS DOUBLE)"
        counted, high = self.connection.sql(
            f"SELECT bool_and(regexp_full_match(date, '{COUNTED}')), "
            f"max(CASE WHEN regexp_full_match(date, '{COUNTED}') THEN {number} END) "
            f"FROM texts WHERE {FILLED}"
        ).fetchall()[0]
        if not counted:
            return f"regexp_replace(date, '{TIME_OF_DAY}', '')"
        if high >= 1e19:
            return "date"
        unit = next((86_400 * each for each in SECONDS if 6e8 * each <= high < 4.1e9 * each), 1)
        whole = "CAST(regexp_replace(date, '[.,].*$', '') AS HUGEINT)"
        return f"CAST({whole} // {unit} * {unit} AS VARCHAR)"

    def _sign(
        self, role: str, seen: Evidence, decimal: Decimal | None, everywhere: set[str]
    ) -> str:
        if decimal:
            (wrong,) = {*SIGNS.values()} - {SIGNS[decimal]}
            if wrong in seen.by_sign:
                found = seen.by_sign[wrong]
                self._refuse(role, found.example, found.row, f"numbers with a decimal {decimal}")
            return SIGNS[decimal]
        if len(seen.by_sign) > 1:
            first, second = sorted(seen.by_sign.values(), key=lambda each: each.row)
            other = f"{shown(second.example)} in row {self._place(second.row)[1]}"
            self._refuse(role, first.example, first.row, f"one decimal sign, but it has {other}")
        signs = set(seen.by_sign) or (everywhere if seen.open else {"."})
        if len(signs) == 1:
            return next(iter(signs))
        assert seen.open is not None
        text = seen.open.example
        sign = "." if "." in text else ","
        one, other = ("point", "comma") if sign == "." else ("comma", "point")
        self._refuse(
            role, text, seen.open.row,
            f"one reading: --decimal {one} makes {text.replace(sign, '.')} of it, --decimal {other}"
            f" reads thousands, {text.replace(sign, '')}",
        )  # fmt: skip

    def _refuse_empty(self, role: str, allowed: str) -> None:
        if found := self._first(f'SELECT rowid FROM texts WHERE {FILLED} AND "{role}" IS NULL'):
            part, row = self._place(found[0])
            raise CalibrationError(
                f"{part.path}: column {self.columns[role]!r} is empty in row {row}; "
                f"allowed: {allowed}"
            )

    def _refuse_first(self, role: str, wrong: str, allowed: str) -> None:
        """Refuses the first row of `typed` where a condition holds."""
        if found := self._first(f"SELECT row AS rowid FROM typed WHERE {wrong}"):
            example = self._one(f'SELECT "{role}" FROM texts WHERE rowid = {found[0]}')
            self._refuse(role, example, found[0], allowed)

    def _refuse(self, role: str, example: str, at: int, allowed: str) -> NoReturn:
        part, row = self._place(at)
        raise CalibrationError(
            f"{part.path}: column {self.columns[role]!r} has {shown(example)} in row {row}; "
            f"allowed: {allowed}"
        )

    def _place(self, at: int) -> tuple[Part, int]:
        """The file of a row of `texts`, and the row of a spreadsheet there."""
        number, first = self.connection.sql(
            "SELECT part, min(rowid) FROM texts "
            f"WHERE part = (SELECT part FROM texts WHERE rowid = {at}) GROUP BY part"
        ).fetchall()[0]
        part = self.parts[number]
        return part, part.row(at - first)

    def _first(self, query: str) -> tuple | None:
        return next(iter(self.connection.sql(f"{query} ORDER BY rowid LIMIT 1").fetchall()), None)

    def _one(self, query: str) -> Any:
        return self.connection.sql(query).fetchall()[0][0]


def shown(text: str, most: int = 60) -> str:
    """A cell's text in one printable line."""
    flat = printable(text)
    return flat if len(flat) <= most else f"{flat[: most - 20]}... ({len(text)} characters)"


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"
