"""What the machine itself can do: float32 matrix products and memory traffic.

`python -m benchmarks.limits`
"""

from typing import Any

import jax
import jax.numpy as jnp
from rich.console import Console

from benchmarks.measure import rates, times


def matrix_rate(repeats: int, size: int = 2048) -> dict[str, Any]:
    """Floating-point operations a second in the product of two square matrices."""
    left, right = jax.random.normal(jax.random.key(0), (2, size, size))
    product = jax.jit(jnp.matmul)
    seconds = times(lambda: product(left, right), repeats)
    return _row("matrix product", "float32 operations", rates(2 * size**3, seconds))


def narrow_matrix_rate(repeats: int, rows: int = 2**17, width: int = 32) -> dict[str, Any]:
    """The same where one matrix is as narrow as the networks' layers are."""
    left, right = jax.random.normal(jax.random.key(0), (rows, width)), jnp.eye(width)
    product = jax.jit(lambda left, right: left @ right)
    seconds = times(lambda: product(left, right), repeats)
    name = f"matrix product, {width} wide"
    return _row(name, "float32 operations", rates(2 * rows * width**2, seconds))


def bandwidth(repeats: int, numbers: int = 2**26) -> dict[str, Any]:
    """Bytes a second of a = b + s·c over arrays far larger than any cache (McCalpin's triad),
    two read and one written."""
    b, c = jnp.ones(numbers), jnp.full(numbers, 2.0)
    triad = jax.jit(lambda b, c: b + 3.0 * c)
    seconds = times(lambda: triad(b, c), repeats)
    return _row("memory traffic", "bytes", rates(3 * 4 * numbers, seconds))


def measure(repeats: int) -> list[dict[str, Any]]:
    return [matrix_rate(repeats), narrow_matrix_rate(repeats), bandwidth(repeats)]


def _row(name: str, unit: str, measured: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "by": "machine", "unit": unit} | measured


if __name__ == "__main__":
    for row in measure(repeats=10):
        Console().print(f"{row['name']}: {row['per_second'] / 1e9:.1f} G {row['unit']} a second")
