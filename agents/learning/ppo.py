"""PPO's clipped surrogate objective over recorded decisions (Schulman et al. 2017)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array


def loss(
    department: Any,
    record: Any,
    advantage: Array,
    clip: Array,
    bonus: Array | float,
    mean: Callable[[Array], Array],
) -> tuple[Array, dict[str, Array]]:
    """The loss to descend, with a ratio for each decision, and its parts.

    bonus: weight of the entropy. mean: the mean over the decisions that took effect (orders count
    in review periods only).
    """
    log_probability, entropy = assessed(department, department.weights, record)
    ratio = jnp.exp(log_probability - record.log_probability)
    clipped = jnp.clip(ratio, 1 - clip, 1 + clip)
    gain = jnp.minimum(ratio * advantage, clipped * advantage) + bonus * entropy
    return -mean(gain), {
        "loss": -mean(gain),
        "entropy": mean(entropy),
        "change": mean(ratio - 1 - jnp.log(ratio)),
    }


def assessed(department: Any, weights: Any, record: Any) -> tuple[Array, Array]:
    """Log-probability and entropy of every recorded decision, leading axes (periods, stores).

    A learned memory is replayed from the trajectory's first; any other is as recorded.
    """
    assess = jax.vmap(department.assess, (None, 0, 0))
    if department.network.memory != "gru":
        log_probability, entropy, _ = jax.vmap(assess, (None, 0, 0))(weights, record, record.memory)
        return log_probability, entropy

    def one_period(memory: Array, now: Any) -> tuple[Array, tuple[Array, Array]]:
        log_probability, entropy, memory = assess(weights, now, memory)
        return memory, (log_probability, entropy)

    return jax.lax.scan(one_period, record.memory[0], record)[1]
