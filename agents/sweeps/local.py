"""A sweep in this process: its chunks one after the other, on this machine's devices."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import jax

from agents.sweeps import memory
from agents.sweeps.chunks import Chunk, Member, compiled, cut
from agents.sweeps.engine import Progress, Result, Task, Tell


@dataclass(frozen=True)
class Local:
    """This process, with so many devices and `limit` bytes of memory."""

    devices: int
    limit: int
    progress: Progress

    def chunks(self, members: Sequence[Member], most: int | None) -> list[Chunk]:
        """As few chunks as memory allows: what a program takes is known once it is compiled."""
        self.progress.announce("compiling")
        runs = len(members)
        most = min(most or most_together(runs, self.devices), runs)

        def size(each: int, devices: int) -> int:
            return compiled(cut(members, each * devices, devices)[0]).size

        if most <= self.devices:  # one run on each, on as many devices as memory allows
            takes, devices = memory.fit(partial(size, 1), runs, most, self.limit)
            together = devices
        else:
            devices = self.devices
            sized, on_each = partial(size, devices=devices), math.ceil(runs / devices)
            takes, each = memory.fit(sized, on_each, most // devices, self.limit)
            together = each * devices
        chunks = cut(members, together, devices, self.limit)
        self.progress.announce(
            f"{runs} runs in {len(chunks)} chunks of {chunks[0].together}; a chunk takes "
            f"{memory.readable(takes)} of memory by estimate, "
            f"{memory.readable(self.limit)} is the limit"
        )
        return chunks

    def each(
        self, work: Callable[[Task, Tell], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Result]]:
        """Every task with its result, in their order."""
        for task in tasks:
            yield task, work(task, self.progress.advance)


def most_together(runs: int, devices: int) -> int:
    """Runs in one program, if memory were no limit: all of them, but on a CPU one for each device.
    A single training keeps a CPU busy, and several at once leave its cache."""
    return devices if jax.default_backend() == "cpu" else runs
