"""The base of all errors that a user can mend, and the hint that names the nearest allowed word."""

import difflib
from collections.abc import Iterable

LONGEST = 300
"""Characters of a message, at most."""


class UserError(ValueError):
    """A setting, file or word that cannot be used.

    The message is one printable line: the field, the value, what is allowed, and what to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class ScenarioError(UserError):
    """A scenario that is not valid: the message names the field, the value and what is allowed."""


def unknown(field: str, value: str, allowed: Iterable[str]) -> str:
    """The message for a word that is not allowed, with the nearest allowed one and the list."""
    allowed = list(allowed)
    near = nearest(value, allowed)
    hint = f"did you mean {near}? " if near else ""
    return f"{field}: {value!r}; {hint}allowed: {', '.join(allowed)}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like it, or None where none is close."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def one_line(message: str) -> str:
    """A message as one printable line: what would break or move it is written as an escape, and
    the middle of a long one is left out."""
    shown = printable(message)
    if len(shown) <= LONGEST:
        return shown
    start = LONGEST * 2 // 3
    return f"{shown[:start]} … {shown[start + 3 - LONGEST :]}"


def printable(text: str) -> str:
    """A text with escapes in place of line breaks and of all else that cannot be printed."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
