"""Where the seconds of a training go."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PARTS = ("tune", "compile", "learn", "evaluate", "write")
"""Of a training, in their order. `learn` is counted over all processes that had a part in it, and
holds the evaluations on validation customers; the others are those of the process that ended it."""


@dataclass
class Stopwatch:
    """Seconds by part of a training, on the clock on the wall."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Adds to a part what passes while this is entered."""
        began = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - began
