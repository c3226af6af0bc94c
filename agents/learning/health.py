"""Updates whose loss or gradient is not finite are skipped and counted."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

CLOCKS = ("critic", "fast", "slow")
STOP_AFTER = 50
"""Skipped updates of one clock in a row that end a training."""


class Health(struct.PyTreeNode):
    """The skipped updates of one clock."""

    skipped: Int[Array, ""]  # in all
    in_a_row: Int[Array, ""]  # up to now; 0: the last update was sound
    since: Int[Array, ""]  # iterations before the row began
    loss: Bool[Array, ""]  # the row began with a loss, and not only a gradient, that was not finite


def well() -> dict[str, Health]:
    """Nothing skipped yet on any clock."""
    none = jnp.zeros((), jnp.int32)
    return {clock: Health(none, none, none, jnp.zeros((), bool)) for clock in CLOCKS}


def checked(
    health: Health, loss: Float[Array, ""], gradient: Any, iteration: Int[Array, ""]
) -> tuple[Bool[Array, ""], Health]:
    """Whether loss and gradient are finite, and the health after the update or its skipping."""
    loss_sound = jnp.isfinite(loss)
    finite = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient)]
    sound = loss_sound & jnp.stack(finite).all()
    begins = ~sound & (health.in_a_row == 0)
    return sound, Health(
        skipped=health.skipped + ~sound,
        in_a_row=jnp.where(sound, 0, health.in_a_row + 1),
        since=jnp.where(begins, iteration, health.since),
        loss=jnp.where(begins, ~loss_sound, health.loss),
    )


def chosen(sound: Bool[Array, ""], new: Any, old: Any) -> Any:
    """The new pytree where the update is sound, else the old."""
    return jax.tree.map(lambda after, before: jnp.where(sound, after, before), new, old)


def skipped_updates(health: dict[str, Health]) -> Int[Array, "*batch"]:
    """Updates skipped so far, on all clocks."""
    return sum((each.skipped for each in health.values()), jnp.zeros((), jnp.int32))


def is_sound(health: dict[str, Health]) -> bool:
    """Whether every clock's last update was made."""
    return not any(int(each.in_a_row) for each in health.values())


def why_to_stop(health: dict[str, Health], names: dict[str, str]) -> str | None:
    """The reason to end a training, where a clock has skipped too many updates in a row, else none.

    names: who learns on each clock.
    """
    for clock, each in health.items():
        if int(each.in_a_row) >= STOP_AFTER:
            quantity = "loss" if bool(each.loss) else "gradient"
            return (
                f"{names[clock]} {quantity}: not finite in the last {int(each.in_a_row)} updates, "
                f"since iteration {int(each.since) + 1}"
            )
    return None
