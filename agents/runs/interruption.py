"""SIGTERM and SIGINT end a process at once, or a training in its loop after the chunk and a save.

What is being written when they arrive is removed on the way out.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(BaseException):
    """The process was asked to end: `code` is what it exits with, 128 + the signal's number.

    No `Exception`, so that nothing on its way out takes it for an error of its own.
    """

    def __init__(self, number: int, what: str = "") -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}{what}")
        self.number, self.code = number, 128 + number


def end_at_once(number: int, _: FrameType | None) -> None:
    """A handler for while nothing is being written."""
    os.write(2, f"stopped by {signal.Signals(number).name}\n".encode())
    os._exit(128 + number)


class Interruption:
    """While it is entered, a signal raises `Interrupted`, or waits inside `deferred`.

    Python delivers signals to the main thread only: in others this does nothing.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self._defers = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """The first signal is only noted, in `asked`; a second one does not wait."""
        self._defers = True
        try:
            yield
        finally:
            self._defers = False

    def check(self) -> None:
        """Raises `Interrupted` where a signal was noted."""
        if self.asked is not None:
            raise Interrupted(self.asked)

    def _handle(self, number: int, _: FrameType | None) -> None:
        first, self.asked = self.asked is None, number
        # Noted in any case: what is raised while Python collects garbage goes no further.
        if not (self._defers and first):
            raise Interrupted(number)


@contextmanager
def keeping_what_is_whole(folder: Path) -> Iterator[None]:
    """Says of a folder of many trainings what became of them where a signal ends the process."""
    try:
        yield
    except Interrupted as stopped:
        raise Interrupted(
            stopped.number,
            f"; the trainings that were finished are in {folder}, the same command goes on with "
            "the others",
        ) from None
