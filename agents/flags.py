"""Flags as they are typed: renamed ones are carried over, and a slip gets the nearest right word.

What remains (a missing value, a word where a number belongs) is answered by the parser itself.
"""

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from agents.errors import UserError, nearest, unknown

RENAMED = {
    "trace": "gae_lambda",
    "others": "cross_product_credit",
    "twins": "crn_group",
    "average_rate": "average_reward_rate",
    "clip": "clip_eps",
    "entropy": "entropy_coef",
    "critic_passes": "critic_epochs",
    "epochs": "policy_epochs",
}
"""Settings of version 0.1 by their old names; the old flags go with version 0.3."""


def carried_over(arguments: list[str]) -> list[str]:
    """The arguments with the new names of renamed flags (and of settings in `--grid`), each said
    once on standard error."""
    return [
        _renamed(word, after_grid=before == "--grid")
        for before, word in zip(["", *arguments], arguments, strict=False)
    ]


def check(arguments: list[str], verbs: Mapping[str, type]) -> None:
    """Raises `UserError` for an unknown verb, flag or choice; `verbs` are settings by name."""
    verb, *rest = arguments
    for word in arguments:
        if "\0" in word:
            raise UserError(f"{word!r}: holds a NUL; allowed: text without one")
    if verb in ("-h", "--help"):
        return
    if verb not in verbs:
        raise UserError(unknown("verb", verb, verbs))
    settings = _flags(verbs[verb])
    flags = {f"--{name}": kind for name, kind in settings.items()}
    flags |= {f"--no-{name}": kind for name, kind in settings.items() if kind is bool}
    for at, word in enumerate(rest):
        if not word.startswith("--") or word == "--help":
            continue
        given, equals, value = word.partition("=")
        flag = given.replace("_", "-")
        if flag not in flags:
            near = nearest(flag, flags)
            hint = f"did you mean {near}? " if near else ""
            raise UserError(f"{given}: no such flag; {hint}python train.py {verb} --help has all")
        if not equals and at + 1 < len(rest):
            value, equals = rest[at + 1], "="
        if equals and not value and Path in (flags[flag], *get_args(flags[flag])):
            raise UserError(f"{given.lstrip('-')}: {value!r}; allowed: a file's or folder's path")
        choices = get_args(flags[flag]) if get_origin(flags[flag]) is Literal else ()
        if choices and value and value not in choices:
            raise UserError(unknown(flag.removeprefix("--"), value, choices))


def value_of(name: str, arguments: list[str]) -> str | None:
    """The last value given for a flag, if any."""
    found = None
    for word, after in zip(arguments, [*arguments[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        if flag == f"--{name}":
            found = value if equals else after
    return found


def _renamed(word: str, after_grid: bool) -> str:
    name, equals, value = word.partition("=")
    prefix = "" if after_grid else "--"
    if after_grid == word.startswith("--"):
        return word
    old = name.removeprefix(prefix).replace("-", "_").replace(".", "_")
    if old not in RENAMED:
        return word
    new = RENAMED[old] if after_grid else "--" + RENAMED[old].replace("_", "-")
    print(f"{name} is now {new}; the old name goes with version 0.3", file=sys.stderr)
    return f"{new}{equals}{value}"


def _flags(settings: type) -> dict[str, Any]:
    """Types of a verb's flags by name; settings within settings are flags of their own."""
    found: dict[str, Any] = {}
    for name, kind in get_type_hints(settings).items():
        nested = isinstance(kind, type) and dataclasses.is_dataclass(kind)
        found |= _flags(kind) if nested else {name.replace("_", "-"): kind}
    return found
