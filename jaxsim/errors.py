"""What a user gave that cannot be, as one line: the base of every such error, and its hints."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A setting, file or word that cannot be used.

    The message is one line: the field, the value, what is allowed, and what to do.
    """


def unknown(field: str, value: str, allowed: Iterable[str]) -> str:
    """The line for a word that is none of those allowed, with the nearest one that is."""
    allowed = list(allowed)
    near = nearest(value, allowed)
    hint = f"did you mean {near}? " if near else ""
    return f"{field}: {value!r}; {hint}allowed: {', '.join(allowed)}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like it, if any is."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)
