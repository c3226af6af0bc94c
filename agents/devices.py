"""Stores spread over devices: where arrays lie, and means over all devices.

A program for many devices is the program for one, written for one shard's stores and mapped over
the mesh by `jax.shard_map`. What is replicated stays alike everywhere, since it is only changed by
means over all shards; JAX's own check of replication proves it when the program is compiled. With
one shard nothing here does anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.flatten_util import ravel_pytree
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from agents.errors import ConfigError

STORES, RUNS = "stores", "seeds"
"""Axes of meshes: a training's and an evaluation's, and a sweep's."""

EVERYWHERE, SPREAD = P(), P(STORES)

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class Shards:
    """Equal parts of the stores, one to a device. Methods but the first run inside the program."""

    count: int = 1

    def map(self, function: Callable, in_specs: Any, out_specs: Any) -> Callable:
        """The function of one shard as one of all, on the mesh."""
        return mapped(function, STORES, self.count, in_specs, out_specs)

    def mean(self, tree: Tree) -> Tree:
        """The mean over shards of a tree of floats, in one reduction."""
        if self.count == 1:
            return tree
        flat, back = ravel_pytree(tree)
        return back(jax.lax.pmean(flat, STORES))

    def total(self, number: Array) -> Array:
        """The sum over shards."""
        return number if self.count == 1 else jax.lax.psum(number, STORES)

    def weighted_mean(self, values: Array, weights: Array) -> Float[Array, ""]:
        """A shard's part of the weighted mean over all shards, which is the mean of these parts."""
        return (values * weights).sum() / jnp.maximum(self.total(weights.sum()), 1.0) * self.count

    def apart(self, tree: Tree) -> Tree:
        """The same numbers as a shard's own, so that a gradient by them is the shard's own too."""
        if self.count == 1:
            return tree
        here = jax.lax.axis_index(STORES) >= 0  # always true, but known on the device only
        return jax.tree.map(lambda leaf: jnp.where(here, leaf, leaf), tree)

    def own_key(self, key: PRNGKeyArray) -> PRNGKeyArray:
        """For what a shard draws by itself."""
        return key if self.count == 1 else jax.random.fold_in(key, jax.lax.axis_index(STORES))

    def own_numbers(self, whole: int) -> Int[Array, " own"]:
        """Which of `whole` things, numbered from 0, are the shard's."""
        own = jnp.arange(whole // self.count)
        return own if self.count == 1 else own + jax.lax.axis_index(STORES) * len(own)

    def own_keys(self, key: PRNGKeyArray, whole: int) -> Key[Array, " own"]:
        """A key for each of the shard's things: however many shards, each thing's is the same."""
        return jax.vmap(jax.random.fold_in, (None, 0))(key, self.own_numbers(whole))


ONE = Shards()


def is_first() -> bool:
    """Whether this process is the one that reads and writes files and prints."""
    return jax.process_index() == 0


def count_devices(devices: int | None) -> int:
    """So many devices, or all there are. Raises `ConfigError` where there are not so many."""
    there, processes = jax.device_count(), jax.process_count()
    if devices is None or devices == there:
        return there
    if processes > 1:
        raise ConfigError(f"devices: {devices}; allowed: {there}, all that the processes have")
    if not 1 <= devices <= there:
        raise ConfigError(f"devices: {devices}; allowed: 1 to {there}, as many as there are")
    return devices


def shards_of(devices: int | None, parts: dict[str, int]) -> Shards:
    """One shard to a device, if they divide these numbers. Raises `ConfigError`."""
    count = count_devices(devices)
    for name, number in parts.items():
        if number % count:
            raise ConfigError(f"devices: {count}; allowed: a divisor of {name} = {number}")
    return Shards(count)


def mapped(
    function: Callable,
    axis: str,
    devices: int,
    in_specs: Any,
    out_specs: Any,
    check_vma: bool = True,
) -> Callable:
    """The function of one device's part as one of all, on a row of devices."""
    if devices == 1:
        return function
    return jax.shard_map(
        function,
        mesh=mesh(axis, devices),
        in_specs=in_specs,
        out_specs=out_specs,
        check_vma=check_vma,
    )


def mesh(axis: str, devices: int) -> Mesh:
    """The first `devices` there are, in a row."""
    return jax.make_mesh(
        (devices,), (axis,), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices]
    )


def placed(function: Callable, specs: Any, shards: Shards, **options: Any) -> Any:
    """The function under `jax.jit` with these options, to leave what it returns where a program of
    these specs takes it."""
    if shards.count == 1:
        return jax.jit(function, **options)
    whole = mesh(STORES, shards.count)
    where = jax.tree.map(lambda spec: NamedSharding(whole, spec), specs)
    return jax.jit(function, out_shardings=where, **options)


def gathered(tree: Tree) -> Tree:
    """All of it on this host, wherever it lies; every process asks for it at the same time."""

    def whole(leaf: Array) -> np.ndarray:
        elsewhere = isinstance(leaf, jax.Array) and not leaf.is_fully_addressable
        if elsewhere and not leaf.is_fully_replicated:
            return multihost_utils.process_allgather(leaf, tiled=True)
        return jax.device_get(leaf)

    return jax.tree.map(whole, tree)
