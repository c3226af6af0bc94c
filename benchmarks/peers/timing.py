"""How peers are timed: alone, in one line of JSON with units a call and seconds, or in turns."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def settings() -> dict[str, Any]:
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


def on_one_core() -> None:
    """This process keeps to its last core from here on: to be called before JAX counts them."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def in_turns(
    calls: dict[str, Callable[[], Any]], repeats: int
) -> tuple[dict[str, list[float]], dict[str, list[Any]]]:
    """Seconds of each call and what it returned, all calls in turns, after one turn that is left
    out: what else the machine does hits both sides alike. Calls return when they are done."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    returned: dict[str, list[Any]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            found = call()
            if turn:
                seconds[name].append(time.perf_counter() - began)
                returned[name].append(found)
    return seconds, returned


def ratio_of(theirs: list[float], ours: list[float]) -> dict[str, float]:
    """How many times as fast ours is: median, least and most over the turns."""
    ratios = sorted(each / own for each, own in zip(theirs, ours, strict=True))
    return {
        "ratio": ratios[len(ratios) // 2],
        "ratio_least": ratios[0],
        "ratio_most": ratios[-1],
    }
