"""The project's programs for accelerators that are not there: compiled ahead of time, and counted.

XLA compiles for a described device on any machine. A program is exported for the platform from a
mesh of this machine's CPU devices, as many as the target has, and compiled for the target's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from agents.devices import EVERYWHERE, RUNS, STORES, Shards
from agents.errors import ConfigError
from agents.evaluation.simulation import simulate
from agents.learning.iteration import iterate_many
from agents.learning.train_state import train_state_specs
from agents.learning.trainer import Trainer
from agents.sweeps import vectorised
from benchmarks import workloads
from benchmarks.accelerator import stepping, subject
from benchmarks.accelerator.sizes import Batch
from benchmarks.hlo import counts_of
from benchmarks.workloads import WALK, AsGiven, Walk

LAUNCH_SECONDS = 3e-6
"""From one kernel to the next: about what a GPU takes."""
SIZES = tuple(2**power for power in range(10, 21, 2))
"""Over which the roofline is drawn."""


@dataclass(frozen=True)
class Target:
    """Devices to compile for."""

    platform: str
    topology: str
    devices: int
    bandwidth: float  # bytes a second of one device's memory
    needs: tuple[str, ...]  # packages

    @property
    def missing(self) -> list[str]:
        return [name for name in self.needs if not _is_there(name)]


ITERATION = EVERYWHERE, train_state_specs(), EVERYWHERE
"""Where trainer, its state and the store lie."""
CUDA = ("jax_plugins.xla_cuda12", "nvidia.cuda_nvcc")
TARGETS = {
    "h100": Target("cuda", "1x1x1", 1, 3.352e12, CUDA),
    "h100 x 8": Target("cuda", "1x1x8", 8, 3.352e12, CUDA),
    "v5e": Target("tpu", "v5e:2x4", 1, 0.819e12, ("libtpu",)),
    "v5e x 8": Target("tpu", "v5e:2x4", 8, 0.819e12, ("libtpu",)),
}
"""By name; bandwidths are the makers' own figures."""


@dataclass(frozen=True)
class Program:
    """What is compiled, for so many devices."""

    stores: int
    periods: int  # of every store, in a call
    make: Callable[[Shards], tuple[Callable, Any]]
    """The function under `jax.jit`, and the shapes of its arguments."""
    specs: Any
    """Where its arguments lie on a mesh."""
    donated: tuple[int, ...] = ()
    axis: str = STORES


def _step(shards: Shards, stores: int, periods: int) -> tuple[Callable, Any]:
    """The step alone, of stores of ten products, actions given."""
    params = subject.params_of("boutique")
    walk_on = workloads.walking(params, AsGiven(), periods, shards)

    def walk(of: Walk) -> Walk:
        after = walk_on(of.replace(seen=shards.apart(of.seen)))
        return after.replace(seen=shards.total(after.seen))

    start = partial(stepping.given, params, stores)
    return jax.jit(shards.map(walk, (WALK,), WALK)), (jax.eval_shape(start),)


def _evaluation(shards: Shards, stores: int, periods: int) -> tuple[Callable, Any]:
    """Learned departments on `grocery`, without exploration."""
    config = subject.config_of("grocery", Batch(stores), 32)
    params = subject.params_of("grocery")

    def evaluated(*given: Any) -> Any:
        return simulate(*given, stores, periods, 0, shards)

    policy = jax.eval_shape(lambda: subject.at_random(config))
    return jax.jit(evaluated), jax.eval_shape(lambda: (jax.random.key(0), policy, params))


def _iteration(shards: Shards, stores: int, periods: int) -> tuple[Callable, Any]:
    """One iteration of `train` on `grocery`: periods forth and back, and all updates."""
    config = subject.config_of("grocery", Batch(stores), periods)
    trainer = config.trainer(subject.classical().heuristic, shards)
    params, after = subject.params_of("grocery"), (ITERATION[1], EVERYWHERE)
    learn = shards.map(partial(iterate_many, iterations=1), ITERATION, after)

    def start() -> tuple[Trainer, Any, Any]:
        return trainer, Trainer.init(trainer, jax.random.key(0), params), params

    return jax.jit(learn), jax.eval_shape(start)


def _seeds(shards: Shards, stores: int, periods: int) -> tuple[Callable, Any]:
    """One iteration of 16 trainings of `pair` in one program, which devices share."""
    config = subject.config_of("pair", Batch(stores // 16), periods)
    groups, _ = jax.eval_shape(lambda: subject.seeds_started(config, 16))
    learn = partial(vectorised.learn, length=1, devices=shards.count)
    return jax.jit(learn), (groups,)


PROGRAMS = {
    "step": Program(2**16, 32, _step, (WALK,), donated=(0,)),
    "evaluation": Program(4096, 200, _evaluation, EVERYWHERE),
    "iteration": Program(4096, 32, _iteration, ITERATION, donated=(1,)),
    "16 seeds": Program(4096, 32, _seeds, P(RUNS), donated=(0,), axis=RUNS),
}


def row(device: str, name: str) -> dict[str, Any]:
    """What a program takes on this device. Raises `ConfigError` where packages are missing."""
    target, program = TARGETS[device], PROGRAMS[name]
    if target.missing:
        raise ConfigError(
            f"devices: {device}; allowed: with {' and '.join(target.missing)}, which "
            "pip install -e '.[aot]' brings"
        )
    began = time.perf_counter()
    sized = replace(
        program, make=partial(program.make, stores=program.stores, periods=program.periods)
    )
    compiled = compiled_for(target, sized)
    counts, memory = counts_of(compiled.as_text()), compiled.memory_analysis()
    units = program.stores * program.periods
    return {
        "device": device,
        "program": name,
        "stores": program.stores,
        "periods": program.periods,
        "kernels_per_period": round(counts.kernels / program.periods, 1),
        "copies": round(counts.copies),
        "collectives": round(counts.collectives),
        "temporary_bytes": memory.temp_size_in_bytes,
        "bytes_accessed": round(counts.bytes),
        "flops": round(counts.flops),
        "roofline_store_periods_per_s": {
            stores: round(
                units * (scale := stores / program.stores) / _seconds(counts, scale, target)
            )
            for stores in SIZES
        },
        "compile_seconds": round(time.perf_counter() - began, 1),
    }


def compiled_for(target: Target, program: Program) -> Any:
    """The program of this target."""
    function, typed = program.make(Shards(target.devices))
    shapes = jax.eval_shape(_with_plain_keys, typed)

    def on_plain_keys(*given: Any) -> Any:
        return _with_plain_keys(function(*jax.tree.map(_like, typed, given)))

    exported = jax.export.export(jax.jit(on_plain_keys), platforms=[target.platform])(*shapes)
    mesh = Mesh(np.array(_devices(target)[: target.devices]), (program.axis,))
    where = jax.tree.map(partial(NamedSharding, mesh), program.specs)
    call = jax.jit(exported.call, in_shardings=where, donate_argnums=program.donated)
    return call.lower(*shapes).compile()


def _with_plain_keys(tree: Any) -> Any:
    """The same with random keys as the numbers that they are: exported, they lie on no mesh."""
    return jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, tree)


def _like(typed: Any, leaf: jax.Array) -> jax.Array:
    return jax.random.wrap_key_data(leaf) if _is_key(typed) else leaf


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _seconds(counts: Any, scale: float, target: Target) -> float:
    """Of a call with `scale` times the stores: every launch one after the other, then memory."""
    return counts.launches * LAUNCH_SECONDS + scale * counts.bytes / target.bandwidth


@cache
def _devices(target: Target) -> list[Any]:
    more: dict[str, Any] = {"topology_name": target.topology}
    if target.platform == "cuda":
        described = Path(__file__).parent / "h100.txtpb"
        more = {
            "topology_name": "h100",
            "topology": target.topology,
            "target_config": described.read_text(encoding="utf-8"),
        }
    return list(topologies.get_topology_desc(platform=target.platform, **more).devices)


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def compilers() -> dict[str, str]:
    """Versions of what compiles, where it is there."""
    names = ("jax", "jaxlib", "libtpu", "jax-cuda12-pjrt", "nvidia-cuda-nvcc-cu12")
    return {name: found for name in names if (found := _version(name))}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
