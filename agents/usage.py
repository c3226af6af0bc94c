"""Slips of the pen on the command line: one line with the nearest verb, flag or choice.

What remains (a missing value, a word where a number belongs) is answered by the parser itself.
"""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from agents.errors import UserError


class UsageError(UserError):
    """A word that the command line does not know: the message names the nearest one it does."""


def check(arguments: list[str], verbs: Mapping[str, type]) -> None:
    """Raises `UsageError` for an unknown verb, flag or choice; `verbs` are settings by name."""
    verb, *rest = arguments
    if verb in ("-h", "--help"):
        return
    if verb not in verbs:
        raise UsageError(unknown("verb", verb, verbs))
    flags = {f"--{name}": kind for name, kind in _flags(verbs[verb]).items()}
    for at, word in enumerate(rest):
        if not word.startswith("--") or word == "--help":
            continue
        given, _, value = word.partition("=")
        flag = given.replace("_", "-")
        if flag not in flags:
            near = nearest(flag, flags)
            hint = f"did you mean {near}? " if near else ""
            raise UsageError(f"{given}: no such flag; {hint}python train.py {verb} --help has all")
        value = value or next(iter(rest[at + 1 :]), "")
        choices = get_args(flags[flag]) if get_origin(flags[flag]) is Literal else ()
        if choices and value and value not in choices:
            raise UsageError(unknown(flag.removeprefix("--"), value, choices))


def unknown(field: str, value: str, allowed: Iterable[str]) -> str:
    """The line for a word that is none of those allowed."""
    allowed = list(allowed)
    near = nearest(value, allowed)
    hint = f"did you mean {near}? " if near else ""
    return f"{field}: {value!r}; {hint}allowed: {', '.join(allowed)}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like it, if any is."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def _flags(settings: type) -> dict[str, Any]:
    """Types of a verb's flags by name; settings within settings are flags of their own."""
    found: dict[str, Any] = {}
    for name, kind in get_type_hints(settings).items():
        nested = dataclasses.is_dataclass(kind)
        found |= _flags(kind) if nested else {name.replace("_", "-"): kind}
    return found
