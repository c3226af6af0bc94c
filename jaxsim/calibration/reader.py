"""One shop's files in a database: text cells, and what is made of each column.

A long column has few different texts: each is trimmed, looked at and read once, in a table of its
own, and the rows are joined with what was made of it. A reader is used in this order: `load`,
`dates`, `amounts`, `typed`, `names`. Each raises `CalibrationError`, with the file, the column, the
value and its row.
"""

from bisect import bisect_right
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
from jaxsim.calibration.columns import NEEDED, CalibrationError
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
    """A connection whose table `texts` has the shop's columns by role, as text, and for each role a
    table `ROLE_texts`: each different cell (`raw`), trimmed (`text`; NULL where empty), and the
    first row that has it (`row`)."""

    connection: duckdb.DuckDBPyConnection
    parts: list[Part]
    columns: dict[str, str]
    """The file's column for each role that is used."""
    path: Path
    """What the user named."""
    starts: list[int] = field(default_factory=list)
    """The first row of each part."""
    signs: dict[str, str] = field(default_factory=dict)
    """The decimal sign of each column of amounts."""

    def load(self) -> None:
        """Fills `texts`, with a row for each row of the files in their order, and each role's."""
        roles = ", ".join(f'"{role}" VARCHAR' for role in self.columns)
        self.connection.execute(f"CREATE TEMP TABLE texts (spare VARCHAR, {roles})")
        for part in self.parts:
            self.starts.append(self._one("SELECT count(*) FROM texts"))
            cells = [f"c{part.header.index(column)}" for column in self.columns.values()]
            try:
                self.connection.execute(
                    f"INSERT INTO texts SELECT spare, {', '.join(cells)} FROM ({part.query})"
                )
            except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
                raise CalibrationError(
                    f"transactions: {part.path} cannot be read ({first_line(error)})"
                ) from None
        for role in self.columns:
            self.connection.execute(
                f"CREATE TEMP TABLE {role}_texts AS SELECT raw, {_trimmed('raw')} AS text, row "
                f'FROM (SELECT "{role}" AS raw, min(rowid) AS row FROM texts GROUP BY 1)'
            )
        filled = " + ".join(f"(SELECT count(text) FROM {role}_texts)" for role in NEEDED)
        if not self._one(f"SELECT {filled}"):
            raise CalibrationError(f"{self.path}: has no rows")
        beyond = _trimmed("spare")
        if found := self._first(
            f"SELECT rowid AS row, {beyond} FROM texts WHERE {beyond} IS NOT NULL"
        ):
            part, row = self._place(found[0])
            raise CalibrationError(
                f"{part.path}: row {row} has more cells than the header, {shown(found[1])} beyond "
                "the last; allowed: as many, and quotes around a cell that holds the separator"
            )

    def dates(self, order: DateOrder | None, first_day: date | None) -> Said:
        """Finds the day of each text, in the table `date_values`."""
        day_text = self._day_text()
        seen = self.connection.sql(
            f"SELECT {day_text} AS day_text, arg_min(text, row), min(row) FROM date_texts "
            f"WHERE text IS NOT NULL GROUP BY 1 ORDER BY 3 LIMIT {MOST_DAYS}"
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
        self.connection.execute(
            "CREATE TEMP TABLE date_values AS SELECT raw, day AS value "
            f"FROM date_texts JOIN days_read ON day_text = {day_text}"
        )
        offsets = self._one(f"SELECT bool_or(regexp_matches(text, '{OFFSET}')) FROM date_texts")
        clock = ", days as on each row's own clock" if offsets else ""
        return Said("date", self.columns["date"], f"{read.what}{clock}")

    def amounts(self, decimal: Decimal | None) -> None:
        """Decides on the decimal sign of each column of amounts, and reads them: `ROLE_values`."""
        found = {}
        for role in [role for role in AMOUNTS if role in self.columns]:
            shapes = self.connection.sql(
                f"SELECT arg_min(text, row), min(row) FROM {role}_texts "
                f"WHERE text IS NOT NULL GROUP BY {SHAPE.format('text')} ORDER BY 2 LIMIT 10000"
            ).fetchall()
            found[role] = evidence(Seen(*shape) for shape in shapes)
            if wrong := found[role].wrong:
                self._refuse(role, wrong.example, wrong.row, "numbers from 0")
        everywhere = {sign for each in found.values() for sign in each.by_sign}
        for role, each in found.items():
            self.signs[role] = self._sign(role, each, decimal, everywhere)
            self.connection.execute(
                f"CREATE TEMP TABLE {role}_values AS SELECT raw, text, row, "
                f"{amount_sql('text', self.signs[role])} AS value FROM {role}_texts "
                "WHERE text IS NOT NULL"
            )
            wrong = f"value IS NULL OR NOT abs(value) <= {MOST}"
            if beyond := self._first(f"SELECT row, text FROM {role}_values WHERE {wrong}"):
                self._refuse(role, beyond[1], beyond[0], f"numbers from 0 to {MOST:,.0f}")

    def typed(self) -> list[Said]:
        """Makes the table `typed` of the rows that are not blank, with dates, numbers, names as
        texts, and customers told apart by the first row that has them. Says how many rows there are
        and which have no payment."""
        self._join()
        self._refuse_empty("date", "a date")
        for role in self.signs:
            self._refuse_empty(role, "numbers from 0")
        signed = [role for role in self.signs if role != "cost"]
        paid = " AND ".join(f"{role} > 0" for role in signed)
        if "cost" in self.signs:
            self._refuse_negative_cost(paid)
        returned = " OR ".join(f"{role} < 0" for role in signed)
        rows, sold, back = self.connection.sql(
            f"SELECT count(*), count(*) FILTER (WHERE {paid}), count(*) FILTER (WHERE {returned}) "
            "FROM typed"
        ).fetchall()[0]
        if not sold:
            column = self.columns["price"]
            raise CalibrationError(f"{self.path}: column {column!r} is 0 or less in every row")
        return [self._about_file(rows), *self._about_amounts(back, rows - sold - back)]

    def names(self, given: bool) -> list[Said]:
        """Looks for empty names. Customers in a column that nobody named (not `given`) are left out
        where some are missing."""
        said = []
        self._refuse_empty("product", "a name or number")
        if "customer" in self.columns:
            empty = self._one("SELECT count(*) FROM typed WHERE customer IS NULL")
            if empty and not given:
                column = self.columns.pop("customer")
                said.append(Said("customer", column, f"not used: empty in {_rows(empty)}"))
            else:
                self._refuse_empty("customer", "a name or number")
        for role in NAMES:
            if role in self.columns:
                number = self._one(f"SELECT count(DISTINCT text) FROM {role}_texts")
                said.append(Said(role, self.columns[role], f"text, {number:,} different"))
        told = {line.what for line in said} | set(self.columns)
        return said + [Said(role, "", found) for role, found in MISSING.items() if role not in told]

    def _join(self) -> None:
        """Fills `typed`: the rows of `texts`, with the value of each cell's text."""
        for role in self.columns.keys() & set(NAMES):
            value = "min(row) OVER (PARTITION BY text)" if role == "customer" else "text"
            self.connection.execute(
                f"CREATE TEMP VIEW {role}_values AS SELECT raw, {value} AS value "
                f"FROM {role}_texts WHERE text IS NOT NULL"
            )
        cells = [f'{role}_values.value AS "{role}"' for role in self.columns]
        joins = [
            f'LEFT JOIN {role}_values ON {role}_values.raw = texts."{role}"'
            for role in self.columns
        ]
        filled = " OR ".join(f"{role}_values.value IS NOT NULL" for role in NEEDED)
        self.connection.execute(
            f"CREATE TEMP TABLE typed AS SELECT texts.rowid AS row, {', '.join(cells)} "
            f"FROM texts {' '.join(joins)} WHERE {filled}"
        )

    def _about_file(self, rows: int) -> Said:
        blank = self._one("SELECT count(*) FROM texts") - rows
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
        number = "CAST(replace(text, ',', '.') AS DOUBLE)"
        counted, high = self.connection.sql(
            f"SELECT bool_and(regexp_full_match(text, '{COUNTED}')), "
            f"max(CASE WHEN regexp_full_match(text, '{COUNTED}') THEN {number} END) "
            "FROM date_texts WHERE text IS NOT NULL"
        ).fetchall()[0]
        if not counted:
            return f"regexp_replace(text, '{TIME_OF_DAY}', '')"
        if high >= 1e19:
            return "text"
        unit = next((86_400 * each for each in SECONDS if 6e8 * each <= high < 4.1e9 * each), 1)
        whole = "CAST(regexp_replace(text, '[.,].*$', '') AS HUGEINT)"
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
        if found := self._first(f'SELECT row FROM typed WHERE "{role}" IS NULL'):
            part, row = self._place(found[0])
            raise CalibrationError(
                f"{part.path}: column {self.columns[role]!r} is empty in row {row}; "
                f"allowed: {allowed}"
            )

    def _refuse_negative_cost(self, paid: str) -> None:
        if found := self._first(f"SELECT row FROM typed WHERE cost < 0 AND {paid}"):
            cost = self._one(f"SELECT {_trimmed('cost')} FROM texts WHERE rowid = {found[0]}")
            self._refuse("cost", cost, found[0], "numbers from 0")

    def _refuse(self, role: str, example: str, at: int, allowed: str) -> NoReturn:
        part, row = self._place(at)
        raise CalibrationError(
            f"{part.path}: column {self.columns[role]!r} has {shown(example)} in row {row}; "
            f"allowed: {allowed}"
        )

    def _place(self, at: int) -> tuple[Part, int]:
        """The file of a row of `texts`, and the row of a spreadsheet there."""
        number = bisect_right(self.starts, at) - 1
        return self.parts[number], self.parts[number].row(at - self.starts[number])

    def _first(self, query: str) -> tuple | None:
        return next(iter(self.connection.sql(f"{query} ORDER BY row LIMIT 1").fetchall()), None)

    def _one(self, query: str) -> Any:
        return self.connection.sql(query).fetchall()[0][0]


def _trimmed(cell: str) -> str:
    """SQL of a cell without blanks around it; NULL where nothing is left."""
    return f"nullif(trim({cell}, {BLANKS}), '')"


def shown(text: str, most: int = 60) -> str:
    """A cell's text in one printable line."""
    flat = printable(text)
    return flat if len(flat) <= most else f"{flat[: most - 20]}... ({len(text)} characters)"


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"
