"""What happens to files, drawn from a seeded generator."""

import json
from pathlib import Path
from random import Random
from typing import Any

NUMBERS = (0, -1, 1e400, float("nan"), 10**400, 2**63, 1e-320, 0.5, True)
TEXTS = ("", "=1+1", "\ud800", "a\nb", "\x1b[31m", "nan", "1e999", "é" * 300, "../..", "\x00")
DAMAGES = ("bit flipped", "bit flipped", "truncated", "deleted", "swapped", "overwritten")
VALUES: tuple[Any, ...] = (None, [], {}, [[]], *NUMBERS, *TEXTS)


def damaged(rng: Random, data: bytes, others: list[Path]) -> tuple[str, bytes | None]:
    """What was done to a file, and its bytes then; None where it was deleted."""
    kind = rng.choice(
        ("bit flipped", "bit flipped", "truncated", "deleted", "swapped", "overwritten")
    )
    at = rng.randrange(max(len(data), 1))
    if kind == "deleted":
        return kind, None
    if kind == "truncated":
        return kind, data[:at]
    if kind == "swapped" and others:
        return kind, rng.choice(others).read_bytes()
    if kind == "bit flipped" and data:
        return kind, data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    return kind, data[:at] + rng.randbytes(8) + data[at + 8 :]


def edited(rng: Random, text: str) -> bytes:
    """A JSON document with one value, somewhere in it, replaced, removed, nested or doubled."""
    body = json.loads(text)
    parent, key = rng.choice(_places(body))
    kind = rng.random()
    if kind < 0.15:
        del parent[key]
    elif kind < 0.25:
        depth = rng.choice((3, 500, 100_000))
        return json.dumps(body).encode() + b"[" * depth
    elif kind < 0.35 and isinstance(parent, dict):
        parent[rng.choice(("more", "pri\nce", "x" * 2_000))] = parent[key]
    elif kind < 0.45 and isinstance(parent[key], str):
        parent[key] = rng.choice(TEXTS) + parent[key]
    else:
        parent[key] = rng.choice(VALUES)
    return _written(body).encode("utf-8", "surrogatepass")


def cut_up(rng: Random, text: str) -> bytes:
    """A table with a cell replaced, a row cut, or bytes that are no text."""
    lines = text.splitlines()
    at = rng.randrange(len(lines))
    cells = lines[at].split(",")
    kind = rng.random()
    if kind < 0.6:
        cells[rng.randrange(len(cells))] = str(rng.choice((*TEXTS, *NUMBERS[:3], "9" * 400)))
        lines[at] = ",".join(cells)
    elif kind < 0.8:
        lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
    else:
        return damaged(rng, text.encode(), [])[1] or b"" if kind < 0.9 else rng.randbytes(200)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _places(body: Any) -> list[tuple[Any, Any]]:
    """Every value of a document: what holds it, and under which key."""
    if not isinstance(body, dict | list):
        return []
    keys = list(body) if isinstance(body, dict) else range(len(body))
    return [place for key in keys for place in ((body, key), *_places(body[key]))]


def _written(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False)
