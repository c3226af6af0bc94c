"""How far two results of one program are apart, each difference a number that can be bounded."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from benchmarks.accelerator import subject

Apart = dict[str, float]


def of_totals(_: Any, ours: Any, theirs: Any) -> Apart:
    """Shares of whole numbers and of stores that differ; of the other stores the largest
    difference in money, over their revenue; that of mean profit, relative."""
    differ = subject.units_of_totals(ours) != subject.units_of_totals(theirs)
    alike = ~differ.any(1)
    money = np.abs(subject.money_of_totals(ours) - subject.money_of_totals(theirs)).max(1)
    over_revenue = money / np.maximum(np.abs(theirs.revenue), 1.0)
    profits = (np.asarray(each.profit, np.float64).mean() for each in (ours, theirs))
    return {
        "units": float(differ.mean()),
        "stores": float(1 - alike.mean()),
        "money": float(over_revenue[alike].max(initial=0.0)),
        "mean profit": relative(*profits),
    }


def of_iterations(given: Any, ours: Any, theirs: Any) -> Apart:
    """Share of the stores' stocks that differ, metrics relative, and the distance of weights over
    the length of the iteration's own step."""
    (mine, my_metrics), (other, other_metrics) = ours, theirs
    differ = subject.units_of_stores(mine) != subject.units_of_stores(other)
    start, here, there = (
        np.asarray(ravel_pytree(subject.weights_of(each))[0]) for each in (given, mine, other)
    )
    return {
        "units": float(differ.mean()),
        "profit": relative(my_metrics["profit"], other_metrics["profit"]),
        "fill rate": relative(my_metrics["fill_rate"], other_metrics["fill_rate"]),
        "weights": float(np.linalg.norm(here - there) / np.linalg.norm(there - start)),
    }


def relative(ours: Any, theirs: Any) -> float:
    return float(abs(ours - theirs) / abs(theirs))


def is_within(apart: Apart, allowed: Apart) -> bool:
    """Whether nothing is farther apart than allowed; what is not a number is."""
    return all(apart[name] <= most for name, most in allowed.items())


def share_of_bytes(ours: Any, theirs: Any) -> float:
    """Share of bytes that differ in two trees of arrays of the same shapes."""
    mine, other = bytes_of(ours), bytes_of(theirs)
    return float((mine != other).mean())


def bytes_of(tree: Any) -> np.ndarray:
    """All bytes of a tree, one after the other."""
    leaves = [
        jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        for leaf in jax.tree.leaves(tree)
    ]
    return np.concatenate([np.frombuffer(np.asarray(leaf).tobytes(), np.uint8) for leaf in leaves])
