"""Peers side by side: `python -m benchmarks.peers`. Their environments are made on first use."""

from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from agents.files import open_folder, write_json
from benchmarks import command, measure
from benchmarks.peers.environments import default_folder
from benchmarks.peers.measuring import measured
from benchmarks.results import peers_table


@dataclass(frozen=True)
class Settings:
    """Time every peer, and this project on the same work, in one run."""

    out: Path = Path("runs/benchmarks")
    """Folder for peers.json."""
    environments: Path = field(default_factory=default_folder)
    """Folder in which peers' environments are kept."""
    repeats: int = 10
    """Timed calls of each."""


def main(settings: Settings) -> None:
    console, rows = Console(width=150), []
    folder = open_folder(settings.out)
    for row in measured(open_folder(settings.environments), settings.repeats):
        rows.append(row)
        console.print(f"[dim]{row['by']}: {row.get('left_out', 'timed')}[/dim]")
    write_json(folder / "peers.json", {"machine": measure.machine(), "rows": rows})
    console.print(peers_table(rows))


if __name__ == "__main__":
    command.run(main, Settings)
