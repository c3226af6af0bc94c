"""Time of a Poisson draw, random words included: inversion of one uniform and jax.random.poisson.

`python -m benchmarks.sampler`
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray
from rich.console import Console

from agents.files import open_folder, write_json
from benchmarks import command
from benchmarks.measure import rates, times
from benchmarks.results import printed
from jaxsim import sampling

MEANS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 50.0, 300.0, 10_000.0)


@dataclass(frozen=True)
class Settings:
    """Time draws at means from 0.1 to 10,000."""

    out: Path = Path("runs/benchmarks")
    """Folder for sampler.json."""
    draws: int = 1_000_000
    """Draws a call."""
    repeats: int = 10
    """Timed calls."""


def draw_by_inversion(key: PRNGKeyArray, mean: Float[Array, " D"]) -> Float[Array, " D"]:
    return sampling.poisson_inverse(sampling.open_uniform(key, mean.shape), mean)


def draw_by_jax(key: PRNGKeyArray, mean: Float[Array, " D"]) -> Array:
    return jax.random.poisson(key, mean)


def row_of(mean: float, settings: Settings) -> dict[str, Any]:
    """Draws a second at one mean, and how many times as fast as `jax.random.poisson`."""
    key, means = jax.random.key(0), jnp.full(settings.draws, mean)

    def speed(draw: Callable) -> dict[str, float]:
        return rates(settings.draws, times(partial(jax.jit(draw), key, means), settings.repeats))

    ours, theirs = speed(draw_by_inversion), speed(draw_by_jax)
    ratio = ours["per_second"] / theirs["per_second"]
    row = {"kind": "sampler", "name": "Poisson draw", "by": "jaxsim", "unit": "draws", "mean": mean}
    return row | ours | {"ratio_to_jax_random": ratio}


def main(settings: Settings) -> None:
    folder = open_folder(settings.out)
    rows = [row_of(mean, settings) for mean in MEANS]
    write_json(folder / "sampler.json", {"rows": rows})
    for table in printed({"rows": rows}):
        Console().print(table)


if __name__ == "__main__":
    command.run(main, Settings)
