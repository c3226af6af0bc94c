"""Money and quantities from the texts in which shops write them: currencies, blanks and signs.

A column is looked at by the shapes of its texts, digits being alike, so that few are looked at
however long the file is; the same rules then read every row in SQL.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Decimal = Literal["point", "comma"]
SIGNS: dict[Decimal, str] = {"point": ".", "comma": ","}
MOST = 1e9
"""Largest amount."""

BLANKS = " \u00a0\u2009\u202f'’"
"""What may stand between thousands, beside the other decimal sign."""
MINUS = r"\-−–"
CURRENCY = r"(?:[^\W\d_]{1,4}\.?)?[$€£¥₩₹₽₺₴₫₦฿₪¢]?"
AMOUNT = re.compile(
    rf"[+({MINUS}]?[{BLANKS}]?{CURRENCY}[{BLANKS}]?[+{MINUS}]?"
    rf"(?P<digits>[.,]?\d[\d.,{BLANKS}]*?)"
    rf"[{BLANKS}]?{CURRENCY}[){MINUS}]?"
)
SCIENTIFIC = re.compile(r"[-+]?\d+([.,]\d+)?[eE][-+]?\d+")
THOUSANDS = {
    "," : re.compile(r"\d{1,3}(,\d{2,3})*,\d{3}"),  # India parts lakhs by two digits
    "." : re.compile(r"\d{1,3}(\.\d{3})+"),
    " " : re.compile(r"\d{1,3}( \d{3})+"),
}  # fmt: skip
MOST_DIGITS = 15


@dataclass(frozen=True)
class Seen:
    """The texts of one shape in a column."""

    example: str
    row: int
    """Where the shape is first, from 0."""


@dataclass(frozen=True)
class Evidence:
    """What the shapes of a column say of its decimal sign."""

    by_sign: dict[str, Seen]
    """The first text that can only be read with this decimal sign."""
    open: Seen | None
    """The first text that can be read both ways, such as 1.500."""
    wrong: Seen | None
    """The first text that is no amount."""


def evidence(shapes: Iterable[Seen]) -> Evidence:
    """Reads a column's shapes, of each an example."""
    by_sign: dict[str, Seen] = {}
    undecided = wrong = None
    for seen in sorted(shapes, key=lambda each: each.row):
        sign = decimal_sign(seen.example)
        if sign is None:
            wrong = wrong or seen
        elif sign == "?":
            undecided = undecided or seen
        elif sign:
            by_sign.setdefault(sign, seen)
    return Evidence(by_sign, undecided, wrong)


def decimal_sign(text: str) -> str | None:
    """The decimal sign that a text must have: "." or ","; "" where both will do, "?" where they
    make different numbers of it, None where it is no amount."""
    if SCIENTIFIC.fullmatch(text):
        return "," if "," in text else "."
    match = AMOUNT.fullmatch(text)
    if match is None:
        return None
    digits = re.sub(f"[{BLANKS}]", " ", match["digits"])
    last = max(digits.rfind("."), digits.rfind(","))
    whole = re.sub(r"\D", "", digits if last < 0 else digits[:last])
    if len(whole) > MOST_DIGITS:
        return None
    if last < 0:
        return "" if digits.isdigit() or THOUSANDS[" "].fullmatch(digits) else None
    sign = digits[last]
    other, before, after = "," if sign == "." else ".", digits[:last], digits[last + 1 :]
    if sign in before:  # it parts thousands
        return other if THOUSANDS[sign].fullmatch(digits) else None
    parted = next((each for each in (other, " ") if each in before), None)
    if parted:
        return sign if THOUSANDS[parted].fullmatch(before) and after.isdigit() else None
    if not (after.isdigit() or (before and not after)):
        return None
    both = THOUSANDS[sign].fullmatch(digits) and not before.startswith("0")
    return "?" if both else sign


def amount_sql(column: str, sign: str) -> str:
    """SQL of the number in a column whose decimal sign is known; NULL where there is none."""
    bare = rf"regexp_replace({column}, '\p{{L}}+\.?', '', 'g')"
    digits = f"replace(regexp_replace({bare}, '[^0-9{sign}]', '', 'g'), '{sign}', '.')"
    below = f"regexp_matches({column}, '^[^0-9]*[({MINUS}]|[{MINUS}]$')"
    plain = f"TRY_CAST({digits} AS DOUBLE) * CASE WHEN {below} THEN -1 ELSE 1 END"
    scientific = f"regexp_full_match({column}, '[-+]?[0-9]+([.,][0-9]+)?[eE][-+]?[0-9]+')"
    return (
        f"CASE WHEN {scientific} THEN TRY_CAST(replace({column}, ',', '.') AS DOUBLE) "
        f"ELSE {plain} END"
    )


SHAPE = (
    "regexp_replace(regexp_replace(left({0}, 60), '(^|[^0-9])0([.,])', '\\1Z\\2', 'g'), "
    "'[0-9]', '9', 'g')"
)
"""SQL of a text's shape: digits are alike, but for a zero before a sign: it parts no thousands."""
