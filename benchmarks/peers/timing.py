"""What every peer's measuring script prints: one line of JSON with units a call and seconds."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any


def settings() -> dict[str, int]:
    """Sizes, from the command line's one argument."""
    return json.loads(sys.argv[1])


def report(call: Callable[[], Any], units: int, repeats: int, **more: Any) -> None:
    """Times calls after one that is left out. `more` goes with the row, a list as its mean."""
    call()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    more = {
        name: sum(each) / len(each) if isinstance(each, list) else each
        for name, each in more.items()
    }
    print(json.dumps({"units": units, "seconds": seconds} | more))
