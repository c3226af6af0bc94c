"""Where the work of a sweep is done: what an engine is, and how it says how far it is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from agents.sweeps.chunks import Chunk, Member

Task = TypeVar("Task")
Result = TypeVar("Result")

Tell = Callable[[str, float], None]
"""Told of trainings on their way: news, and how many runs' worth was trained since."""


@dataclass(frozen=True)
class Progress:
    """Callbacks that report how far a sweep is."""

    announce: Callable[[str], None]
    begin: Callable[[int, int], None]  # runs in all, and how many of them are done already
    advance: Tell


class Engine(Protocol):
    """Does tasks that need nothing of each other, and writes to no folder: who asks for the results
    writes them."""

    def chunks(self, members: "Sequence[Member]", most: int | None) -> "list[Chunk]":
        """Runs cut into chunks, at most `most` in one. Raises `ConfigError`."""
        ...

    def each(
        self, work: Callable[[Task, Tell], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Result]]:
        """Every task with its result, in the order in which they are done. `work` is a function of
        a module; tasks and results can be pickled. Raises what `work` raises."""
        ...
