"""How hard to compile: a long training is compiled to run fast, a short one to start soon."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax

SHORT = 350_000
"""Store-periods up to which a training on a CPU gains more by an earlier start than it loses."""
PLAIN = {"xla_cpu_experimental_ynn_fusion_type": ""}
"""No fusions by the library YNNPACK, which newer versions of XLA use: they make stores slower."""
LIGHT = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
"""Two thirds of the compilation time, kernels a fifth slower; not every XLA knows all of them."""


def options(store_periods: int) -> dict[str, Any] | None:
    """XLA's compile options for a training of so many store-periods; None for XLA's defaults."""
    if jax.default_backend() != "cpu":
        return None
    chosen = PLAIN if store_periods > SHORT else PLAIN | LIGHT
    return {name: value for name, value in chosen.items() if is_known(name, value)}


@cache
def soon(simulation: Callable, **sizes: int) -> Callable:
    """A simulation of these static sizes, as a function of what varies, compiled to start soon: for
    one that runs for a moment while somebody waits. Each kind of policy is compiled once."""
    return jax.jit(partial(simulation, **sizes), compiler_options=options(store_periods=0))


@cache
def is_known(option: str, value: Any) -> bool:
    """Whether the installed XLA takes this compile option: a program of nothing is tried with it,
    since no list of options is public."""
    try:
        jax.jit(lambda: 0).lower().compile({option: value})
    except jax.errors.JaxRuntimeError:
        return False
    return True
