"""How hard to compile: a long training is compiled to run fast, a short one to start soon."""

from typing import Any

import jax

SHORT = 250_000
"""Store-periods up to which a training on a CPU gains more by an earlier start than it loses."""
LIGHT = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
"""Half the compilation, for kernels up to a sixth slower."""


def options(store_periods: int) -> dict[str, Any] | None:
    """XLA's options for the programs of a training of so many store-periods; none: its own."""
    return LIGHT if jax.default_backend() == "cpu" and store_periods <= SHORT else None
