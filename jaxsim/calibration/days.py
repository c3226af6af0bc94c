"""Days from the texts in which shops write them. A day is a day on the shop's own clock: times and
offsets are cut off, never converted."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

DateOrder = Literal["dmy", "mdy", "ymd"]
ORDERS: dict[DateOrder, str] = {
    "dmy": "day first", "mdy": "month first", "ymd": "year first",
}  # fmt: skip
FIRST, LAST = date(1970, 1, 1), date(2100, 1, 1)
"""Days before and after are taken for mistakes."""

TIME_OF_DAY = r"[Tt, ]*[0-9]{1,2}:[0-9]{2}.*$|[Tt][0-9]{4,6}([^0-9].*)?$"
"""The end of a text that is no part of the day, as a regular expression that SQL knows, too."""

NUMBER = re.compile(r"\d+([.,]\d*)?")
YEAR_FIRST = re.compile(r"(\d{4})(\D)(\d{1,2})\2(\d{1,2})")
COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)")
THREE = re.compile(r"(\d{1,2})([-./ ])(\d{1,2})\2(\d{4}|\d\d)")
MONTH_NAMES = ("%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%d %b %y", "%Y %b %d", "%Y %B %d")
WEEKDAY = re.compile(r"^(mon|tue|wed|thu|fri|sat|sun)[a-z]*[ ,.]+", re.IGNORECASE)


@dataclass(frozen=True)
class Numbers:
    """A way to write days as numbers."""

    what: str
    low: float
    high: float
    day: Callable[[float], date]


def _since_1970(unit: str, a_second: float) -> Numbers:
    return Numbers(
        f"{unit} since 1970 (days of UTC)", 6e8 * a_second, 4.1e9 * a_second,
        lambda value: FIRST + timedelta(days=int(value // (86_400 * a_second))),
    )  # fmt: skip


NUMBERS = (
    Numbers(
        "a spreadsheet's serial numbers", 25_569, 73_051,
        lambda value: date(1899, 12, 30) + timedelta(days=int(value)),
    ),
    _since_1970("seconds", 1), _since_1970("milliseconds", 1e3),
    _since_1970("microseconds", 1e6), _since_1970("nanoseconds", 1e9),
)  # fmt: skip


class Unclear(ValueError):
    """Days that can be read in several ways, or in none: the message says which, and what to do."""


@dataclass(frozen=True)
class Days:
    """How the texts of a column were read."""

    of: dict[str, date | None]
    """The day of each text; None where it is none."""
    what: str
    """The way, in words."""


def read_days(
    texts: Iterable[str], order: DateOrder | None = None, first_day: date | None = None
) -> Days:
    """The day of each text, times of day cut off. One column may mix ISO, 20240304 and names of
    months; where day and month are two numbers, the whole column decides which is first, or
    `order`. `first_day`: the date of day 1, where days are counted. Raises `Unclear`."""
    texts = list(texts)
    compact = all(_valid(text, COMPACT, (1, 2, 3)) for text in texts)
    if not compact and all(NUMBER.fullmatch(text) for text in texts):
        return _numbered(texts, first_day)
    orders: list[DateOrder] = [order] if order else _orders(texts)
    if len(orders) > 1:
        ways = " or ".join(ORDERS[each] for each in orders)
        example = next(text for text in texts if THREE.fullmatch(_bare(text)))
        raise Unclear(f"dates such as {example}: {ways}? Say --date-order {' or '.join(orders)}")
    dates = {text: _day(text, orders[0] if orders else "dmy") for text in texts}
    forms = {
        "ISO": any(YEAR_FIRST.fullmatch(_bare(text)) for text in texts),
        "as 20240304": any(COMPACT.fullmatch(text) for text in texts),
        ORDERS[orders[0]] if orders else "": any(THREE.fullmatch(_bare(text)) for text in texts),
    }
    named = any(day and re.search(r"[^\W\d]{3}", text) for text, day in dates.items())
    what = [form for form, seen in forms.items() if seen] + (["names of months"] if named else [])
    return Days(dates, " and ".join(what))


def _numbered(texts: list[str], first_day: date | None) -> Days:
    values = {text: float(text.replace(",", ".")) for text in texts}
    low, high = min(values.values()), max(values.values())
    if first_day is not None and high < 20_000:
        start = first_day - timedelta(days=1)
        days = {text: start + timedelta(days=int(value)) for text, value in values.items()}
        return Days(dict(days), f"day numbers, day 1 is {first_day}")
    for kind in NUMBERS:
        if kind.low <= low and high <= kind.high:
            return Days({text: kind.day(value) for text, value in values.items()}, kind.what)
    span = f"{low:.15g} to {high:.15g}"
    if high < 20_000:
        raise Unclear(
            f"{span}, which look like day numbers without a calendar: the pattern of the week "
            "needs one; say --first-day with the date of day 1, such as 2024-03-04"
        )
    raise Unclear(f"{span}; allowed: dates, such as 2024-03-01")


def _orders(texts: list[str]) -> list[DateOrder]:
    """The orders of day, month and year in which every text of three short numbers is a day. Year
    first only where the days are then ten times closer to each other."""
    bare = {match for text in texts if (match := _bare(text)) and THREE.fullmatch(match)}
    if not bare:
        return []
    fits = {order: [_three(text, order) for text in bare] for order in ORDERS}
    spans = {
        order: (max(days) - min(days)).days + 1  # type: ignore[type-var]
        for order, days in fits.items()
        if all(days)
    }
    usual: list[DateOrder] = [each for each in ("dmy", "mdy") if each in spans]
    if "ymd" in spans and all(10 * spans["ymd"] < spans[each] for each in usual):
        return ["ymd"]
    if usual:
        return usual
    # No order reads all of them: the one that reads most says which text is wrong.
    return [max(("dmy", "mdy"), key=lambda each: sum(day is not None for day in fits[each]))]


def _day(text: str, order: DateOrder) -> date | None:
    bare = _bare(text)
    return (
        _valid(bare, YEAR_FIRST, (1, 3, 4))
        or _valid(bare, COMPACT, (1, 2, 3))
        or _three(bare, order)
        or _named(bare)
    )


def _bare(text: str) -> str:
    """Without the name of the weekday, and what is left of a time or an offset at the end."""
    return WEEKDAY.sub("", text).rstrip("+-Zz, ")


def _three(text: str, order: DateOrder) -> date | None:
    """Day, month and year as two-digit numbers, the year perhaps with four."""
    match = THREE.fullmatch(text)
    if match is None:
        return None
    first, _, second, third = match.groups()
    parts = dict(zip(order, (first, second, third), strict=True))
    if len(third) == 4 and order == "ymd":
        return None
    year = int(parts["y"])
    return _checked(year + 2000 if len(parts["y"]) < 3 else year, int(parts["m"]), int(parts["d"]))


def _valid(text: str, pattern: re.Pattern[str], places: tuple[int, int, int]) -> date | None:
    match = pattern.fullmatch(text)
    return _checked(*(int(match[place]) for place in places)) if match else None


def _named(text: str) -> date | None:
    words = " ".join(re.split(r"[-,./ ]+", text))
    for form in MONTH_NAMES:
        try:
            day = datetime.strptime(words, form)
        except ValueError:
            continue
        return _checked(day.year, day.month, day.day)
    return None


def _checked(year: int, month: int, day: int) -> date | None:
    try:
        found = date(year, month, day)
    except ValueError:
        return None
    return found if FIRST <= found < LAST else None
