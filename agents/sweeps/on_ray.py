"""A sweep on a Ray cluster: its tasks wherever there is room, again where a machine is lost.

Ray does the work: it places tasks, sends what they need and starts them again elsewhere. Only this
process writes, so that the folder is the same as without.
"""

import gc
import logging
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import ray  # pyright: ignore[reportMissingImports]
from ray import exceptions  # pyright: ignore[reportMissingImports]

from agents.errors import ConfigError, PeerError, UserError, in_short
from agents.runs.interruption import SIGNALS, Interruption
from agents.sweeps import memory
from agents.sweeps.chunks import Chunk, Member, cut
from agents.sweeps.engine import Progress, Result, Task, Tell
from agents.sweeps.settings import EngineConfig
from jaxsim import versions

MEETING_SECONDS = 30
RETRIES = 5
"""How often a task begins again whose machine or process was lost."""
WAITING = 2048
"""Tasks handed to the cluster at once, beyond those that are done: each holds what it needs."""
LOOK_SECONDS = 0.5
CROWDED = 30_000
"""Mappings of memory, of 65,530 that Linux lets a process have, from which on a worker forgets its
compiled programs."""
CONNECT = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level='CRITICAL')"


@dataclass(frozen=True)
class Ray:
    """A cluster that this process is connected to, and what each task takes of it."""

    config: EngineConfig
    devices: int  # of a task
    limit: int | None  # bytes of a task
    progress: Progress
    interruption: Interruption
    versions: Mapping[str, str]  # that every machine must have

    def chunks(self, members: Sequence[Member], most: int | None) -> list[Chunk]:
        """Chunks of `most` runs, by default one for each device of a task. Whether they fit is
        known where they are compiled."""
        most = min(most or self.devices, len(members))
        devices = min(self.devices, most)
        on_each = memory.evened(math.ceil(len(members) / devices), most // devices)
        chunks = cut(members, on_each * devices, devices, self.limit)
        self.progress.announce(
            f"{len(members)} runs in {len(chunks)} chunks of {chunks[0].together} on the cluster"
        )
        return chunks

    def each(
        self, work: Callable[[Task, Tell], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Result]]:
        """Every task with its result, in the order in which they are done. Raises what `work`
        raises, or `PeerError` where a task is lost for good."""
        remote, waiting, left, machines = self._remote(), {}, list(tasks)[::-1], self._machines()
        while left or waiting:
            with self.interruption.deferred():  # Ray would swallow what a signal raises
                while left and len(waiting) < WAITING:
                    task = left.pop()
                    waiting[remote.remote(work, task, self.versions)] = task
                ready, _ = ray.wait(list(waiting), timeout=LOOK_SECONDS)
                done = [(waiting.pop(each), _result(each)) for each in ready]
                machines = self._watched(machines)
            self.interruption.check()
            for task, (result, said) in done:
                if said:
                    self.progress.advance(said[-1][0], sum(share for _, share in said))
                yield task, result

    @property
    def takes(self) -> dict[str, int]:
        """What a task takes of a machine, as Ray names it."""
        cores = {"CPU": self.config.task_cpus, "GPU": self.config.task_gpus}
        return cores if self.limit is None else cores | {"memory": self.limit}

    def _remote(self) -> Any:
        return ray.remote(
            num_cpus=self.takes["CPU"],
            num_gpus=self.takes["GPU"],
            memory=self.takes.get("memory"),
            max_retries=RETRIES,
            # Ray would start a process for each task that takes a GPU, which then compiles again.
            max_calls=0,
        )(done_elsewhere)

    def _machines(self) -> int:
        return sum(each["Alive"] for each in ray.nodes())

    def _watched(self, before: int) -> int:
        """How many machines there are now; says where they are fewer than before."""
        now = self._machines()
        if now < before:
            self.progress.announce(
                f"{before - now} of {before} machines of the cluster are gone: what they were "
                "training begins again elsewhere"
            )
        return now


@contextmanager
def connected(
    config: EngineConfig, devices: int | None, limit: str | None, progress: Progress
) -> Iterator[Ray]:
    """The cluster of these settings, whose tasks end with the block. Raises `ConfigError` where it
    cannot be reached, `PeerError` where it is lost."""
    address = config.ray_address or "auto"
    size = None if limit is None else memory.parse_size(limit)
    _check_reachable(address)
    with Interruption() as interruption:
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        with interruption.deferred():
            ray.init(
                address,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                runtime_env={"env_vars": _environment(config)},
            )
        for number, handler in handlers.items():  # Ray has put its own in their place
            signal.signal(number, handler)
        try:
            interruption.check()
            each = devices or max(config.task_gpus, 1)
            engine = Ray(config, each, size, progress, interruption, versions())
            _announce(engine)
            yield engine
        finally:
            ray.shutdown()


def done_elsewhere(
    work: Callable[[Task, Tell], Result], task: Task, expected: Mapping[str, str]
) -> tuple[Result, list[tuple[str, float]]]:
    """In a process of the cluster: the result of a task, and all that it told. Raises
    `ConfigError` where other versions are installed than the sweep was started with."""
    for name, version in versions().items():
        if name != "python" and version != expected[name]:
            raise ConfigError(
                f"engine: a machine of the cluster has {name} {version}; allowed: "
                f"{expected[name]}, as where the sweep was started"
            )
    mappings = Path("/proc/self/maps")
    if mappings.exists() and mappings.read_bytes().count(b"\n") > CROWDED:
        jax.clear_caches()
        gc.collect()
    said: list[tuple[str, float]] = []
    return work(task, lambda *news: said.append(news)), said


def _environment(config: EngineConfig) -> dict[str, str]:
    """Variables of the processes of the cluster. They take no more cores and memory than they are
    given, and compile as this process does."""
    variables = {
        "NPROC": str(config.task_cpus),  # threads of XLA; those of others Ray limits itself
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    if not config.task_gpus:
        variables["JAX_PLATFORMS"] = "cpu"
    if "XLA_FLAGS" in os.environ:
        variables["XLA_FLAGS"] = os.environ["XLA_FLAGS"]
    return variables


def _check_reachable(address: str) -> None:
    """Ray tries for minutes, or ends the process, where a cluster does not answer: another process
    tries first. Raises `ConfigError`."""
    command = [sys.executable, "-c", CONNECT, address]
    where = "the cluster that this machine is in" if address == "auto" else address
    try:
        tried = subprocess.run(command, capture_output=True, text=True, timeout=MEETING_SECONDS)
    except subprocess.TimeoutExpired:
        why = f"no answer within {MEETING_SECONDS} seconds"
    else:
        if tried.returncode == 0:
            return
        why = (tried.stderr.strip().splitlines() or ["no reason given"])[-1][:100]
    raise ConfigError(
        f"ray_address: {where} cannot be reached ({why}); allowed: HOST:PORT of a cluster's head, "
        "from a machine of the cluster"
    )


def _announce(engine: Ray) -> None:
    """What the cluster has, and whether any of its machines can take a task."""
    there = [each["Resources"] for each in ray.nodes() if each["Alive"]]
    cores, gpus = (sum(each.get(kind, 0) for each in there) for kind in ("CPU", "GPU"))
    engine.progress.announce(
        f"a Ray cluster, machines: {len(there)}, cores: {cores:g}, GPUs: {gpus:g}"
    )
    takes = engine.takes
    if not any(all(each.get(kind, 0) >= takes[kind] for kind in takes) for each in there):
        wanted = ", ".join(f"{kind}: {number}" for kind, number in takes.items())
        engine.progress.announce(f"no machine has what a task takes ({wanted}): waiting for one")


def _result(reference: Any) -> Any:
    """What a task came to. Raises what it raised, `ConfigError` where a machine cannot begin it, or
    `PeerError` where it is lost for good."""
    try:
        return ray.get(reference)
    except exceptions.RayTaskError as failed:
        if isinstance(failed.cause, UserError):
            raise failed.cause from None
        if isinstance(failed.cause, exceptions.RaySystemError):  # before the task was read
            raise ConfigError(
                f"engine: a machine of the cluster cannot begin a task ({in_short(failed.cause)}); "
                "allowed: machines on which this project is installed"
            ) from None
        raise
    except exceptions.RayError as lost:
        raise PeerError(
            f"a task was lost {RETRIES + 1} times with its machine or process; started again, the "
            f"sweep goes on with what is missing ({in_short(lost)})"
        ) from None
