"""Simulations compiled to start soon: what is played with runs for a moment, and somebody waits."""

from collections.abc import Callable
from functools import cache, partial

import jax

from agents.learning import compilation


@cache
def compiled(simulation: Callable, **sizes: int) -> Callable:
    """A simulation of these static sizes, as a function of key, policy and store. Each kind of
    policy is compiled once."""
    options = compilation.options(store_periods=0)
    return jax.jit(partial(simulation, **sizes), compiler_options=options)
