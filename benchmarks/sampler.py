"""Time of a Poisson draw, random words included: inversion of one uniform and jax.random.poisson.

Run from the project's root: python benchmarks/sampler.py
"""

import time
from collections.abc import Callable
from functools import partial
from statistics import median

import jax
import jax.numpy as jnp

from jaxsim import sampling

MEANS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 50.0, 300.0, 10_000.0)


def draw_by_inversion(key, mean, draws: int):
    return sampling.poisson_inverse(sampling.open_uniform(key, (draws,)), mean)


def draw_by_jax(key, mean, draws: int):
    return jax.random.poisson(key, mean, (draws,))


def seconds(call: Callable[[], jax.Array], repeats: int) -> float:
    """Median wall-clock seconds of `call`, the first one, which compiles, left out."""
    jax.block_until_ready(call())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    return median(times)


def measure(draws: int = 1_000_000, repeats: int = 10) -> list[tuple[float, float, float]]:
    """(mean, ns per draw by inversion, ns per draw by JAX) for each of MEANS."""
    key = jax.random.key(0)
    ours, theirs = (jax.jit(partial(f, draws=draws)) for f in (draw_by_inversion, draw_by_jax))
    rows = []
    for mean in MEANS:
        means = jnp.full(draws, mean)
        times = [seconds(partial(f, key, means), repeats) * 1e9 / draws for f in (ours, theirs)]
        rows.append((mean, *times))
    return rows


def main() -> None:
    print(f"{jax.devices()[0].device_kind}, JAX {jax.__version__}, a million draws a call")
    print(f"{'mean':>8} {'inversion':>10} {'jax.random':>10} {'ratio':>6}   (ns per draw)")
    for mean, ours, theirs in measure():
        print(f"{mean:8g} {ours:10.2f} {theirs:10.1f} {theirs / ours:6.1f}")


if __name__ == "__main__":
    main()
