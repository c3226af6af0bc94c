"""Reads that are given up: where one array of a checkpoint is damaged, others are on their way, and
what they bring comes to an event loop that orbax has closed.
"""

import gc
import inspect
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def given_up_in_silence() -> Iterator[None]:
    """Python would print a traceback for each of them."""
    print_it, log = sys.unraisablehook, logging.getLogger("asyncio")

    def unless_too_late(found: Any) -> None:
        if not (inspect.iscoroutine(found.object) or "loop is closed" in str(found.exc_value)):
            print_it(found)

    sys.unraisablehook = unless_too_late
    log.addFilter(_is_of_a_caller)
    try:
        yield
    finally:
        gc.collect()  # tasks whose errors nobody asked for say so when they go
        log.removeFilter(_is_of_a_caller)
        sys.unraisablehook = print_it


def _is_of_a_caller(record: logging.LogRecord) -> bool:
    return "exception was never retrieved" not in record.getMessage()
