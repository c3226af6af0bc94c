"""What the adapters refuse, each with one line that says what is allowed."""

import os
from functools import cache
from numbers import Integral
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxsim.errors import UserError


class AdapterError(UserError):
    """A task, a setting or an action that is not allowed: names the field and what is allowed."""


def whole_number(name: str, value: Any, least: int) -> int:
    """A whole number of Python or NumPy. Raises `AdapterError` for others, and below `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise AdapterError(f"{name}: {value!r}; allowed: a whole number, {least} or more")
    return int(value)


def check_seed(seed: int | None) -> int | None:
    """The seed of a reset, or None. Raises `AdapterError` unless it is 0 or more."""
    return None if seed is None else whole_number("seed", seed, 0)


@cache
def home() -> int:
    """The process that called this first. A process forked from it inherits the answer."""
    return os.getpid()


def check_process() -> None:
    """Raises `AdapterError` in a process that was forked from one that had made an environment:
    the threads of JAX stay behind, and a step would wait for them for ever."""
    if home() != os.getpid():
        raise AdapterError(
            "process: forked after JAX was in use, which it cannot follow; "
            'allowed: a process of its own, as AsyncVectorEnv(..., context="spawn") starts'
        )


def check_running(played: int | None, periods: int) -> int:
    """The periods played. Raises `AdapterError` for a step before the first reset (None), or after
    the last period."""
    if played is None:
        raise AdapterError("step: no episode has begun; allowed: reset first")
    if played >= periods:
        raise AdapterError("step: the episode is over; allowed: reset first")
    return played


def check_action(name: str, action: Any, shape: tuple[int, ...]) -> Float[np.ndarray, " A"]:
    """A NumPy action as float32. Raises `AdapterError` for a wrong shape, NaN or infinity."""
    numbers = np.asarray(action, np.float32)
    if numbers.shape != shape:
        raise AdapterError(f"{name}: has shape {numbers.shape}; allowed: {shape}")
    if not np.isfinite(numbers).all():
        raise AdapterError(f"{name}: holds NaN or infinity; allowed: finite numbers")
    return numbers
