"""The base of all errors that a user can mend, and the hint that names the nearest allowed word."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A setting, file or word that cannot be used.

    The message is one line: the field, the value, what is allowed, and what to do.
    """


def unknown(field: str, value: str, allowed: Iterable[str]) -> str:
    """The message for a word that is not allowed, with the nearest allowed one and the list."""
    allowed = list(allowed)
    near = nearest(value, allowed)
    hint = f"did you mean {near}? " if near else ""
    return f"{field}: {value!r}; {hint}allowed: {', '.join(allowed)}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like it, or None where none is close."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)
