"""One training by several processes: how they connect, share what the first reads, and end.

JAX's own runtime does the work (`jax.distributed`). All processes do the same, each on its own
devices. The first alone reads and writes files and prints, so no file system need be shared.
"""

import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from agents.devices import EVERYWHERE, SPREAD, Shards, is_first, placed
from agents.errors import ConfigError, PeerError
from agents.runs.settings import AUTO, LaunchConfig

LOG = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 30
"""Without a sign of life for so long, a process counts as dead."""
MEETING_SECONDS = 120
PARTING_SECONDS = 60


@contextmanager
def joined(config: LaunchConfig) -> Iterator[None]:
    """Waits for all processes, and at the end again. To be entered before JAX is used.

    Raises `ConfigError` where they do not meet, `PeerError` where one is lost.
    """
    if config.coordinator is None:
        yield
        return
    _meet(config)
    try:
        yield
        multihost_utils.sync_global_devices("end")
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        if isinstance(error, ValueError) and "Gloo" not in str(error):
            raise  # a user's mistake; the collectives of CPUs fail with a ValueError too
        reason = str(error).strip().splitlines()[0][:200]
        raise PeerError(
            f"another process of this training is gone or cannot be reached ({reason}); started "
            "again, all go on from the newest checkpoint"
        ) from None


def from_first(read: Callable[[], Any]) -> Any:
    """What `read` returns in the first process, in all of them: anything that JSON can hold."""
    if jax.process_count() == 1:
        return read()
    text = json.dumps(read()).encode() if is_first() else b""
    return json.loads(_bytes_from_first(text))


def arrays_from_first(arrays: Any, shapes: Any) -> Any:
    """A tree of the first process's arrays, on all hosts, to the bit; elsewhere `arrays` is not
    looked at. `shapes` has shapes and types."""
    if jax.process_count() == 1:
        return arrays
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(arrays)] if is_first() else []
    data, found, at = _bytes_from_first(b"".join(leaf.tobytes() for leaf in leaves)), [], 0
    for shape in jax.tree.leaves(shapes):
        flat = np.frombuffer(data, shape.dtype, shape.size, at)
        found.append(flat.reshape(shape.shape))
        at += flat.nbytes
    return jax.tree.unflatten(jax.tree.structure(shapes), found)


def agreed(due: bool, asked: int | None) -> tuple[bool, int | None]:
    """Whether the first process finds something due, and the signal that any was asked to end
    with."""
    if jax.process_count() == 1:
        return due, asked
    every = multihost_utils.process_allgather(np.array([due, asked or 0], np.int32))
    return bool(every[0, 0]), int(every[:, 1].max()) or None


def _meet(config: LaunchConfig) -> None:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # we handle signals
    where: dict[str, Any] = {} if config.coordinator == AUTO else dict(
        coordinator_address=config.coordinator,
        num_processes=config.processes,
        process_id=config.process_id,
        coordinator_bind_address=listens_on(config) if config.process_id == 0 else None,
    )  # fmt: skip
    try:
        jax.distributed.initialize(
            **where,
            initialization_timeout=MEETING_SECONDS,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=PARTING_SECONDS,
        )
        _connect_devices()
    except (jax.errors.JaxRuntimeError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ConfigError(
            f"coordinator: {config.coordinator}; allowed: where process 0 is, or is found by a "
            f"scheduler ({reason})"
        ) from None


def listens_on(config: LaunchConfig) -> str | None:
    """Where process 0 waits for the others: the address that was asked for, where it is one of this
    machine's. Else (None) on all of its interfaces, as JAX does, which is said."""
    assert config.coordinator is not None
    name, _, port = config.coordinator.rpartition(":")
    try:
        family, _, _, _, (host, *_) = socket.getaddrinfo(name.strip("[]"), None)[0]
        host = str(host)
        with socket.socket(family) as probe:
            probe.bind((host, 0))
        # Many machines know themselves by a name that means loopback, which others cannot reach.
        if not host.startswith("127.") or name in ("localhost", host):
            return f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
    except OSError:
        pass
    LOG.warning(
        "coordinator: %s is no address of this machine: listening on all its interfaces, port %s, "
        "without authentication; let a firewall admit only the machines of this training",
        name,
        port,
    )
    return None


def _connect_devices() -> None:
    """One sum over all devices while the processes are together: gloo gives devices 30 seconds to
    find each other the first time, and compilation may set processes further apart."""
    shards = Shards(jax.device_count())
    ones = placed(lambda: jnp.ones(shards.count), SPREAD, shards)()
    add = jax.jit(shards.map(lambda each: shards.total(each.sum()), (SPREAD,), EVERYWHERE))
    jax.block_until_ready(add(ones))


def _bytes_from_first(data: bytes) -> bytes:
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(data))))
    buffer = np.frombuffer(data, np.uint8) if is_first() else np.zeros(size, np.uint8)
    return multihost_utils.broadcast_one_to_all(buffer).tobytes()
