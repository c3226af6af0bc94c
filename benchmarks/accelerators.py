"""Every program that matters, compiled for accelerators that are not there: what it would take.

`python -m benchmarks.accelerators` writes `benchmarks/accelerators.json`. It needs no device, but
the compilers for them: `pip install -e '.[aot]'`, in an environment of its own.
"""

from benchmarks.no_device import ask_for_none

if __name__ == "__main__":
    ask_for_none()

from dataclasses import dataclass
from pathlib import Path

from agents.errors import ConfigError
from agents.files import write_json
from benchmarks import aot, command


@dataclass(frozen=True)
class Settings:
    """Compile programs for accelerators, and count what they would do."""

    out: Path = Path("benchmarks/accelerators.json")
    """The file to write."""
    devices: tuple[str, ...] = tuple(aot.TARGETS)
    """For which."""
    programs: tuple[str, ...] = tuple(aot.PROGRAMS)
    """Which."""

    def validate(self) -> None:
        """Raises `ConfigError`."""
        for field, known in (("devices", aot.TARGETS), ("programs", aot.PROGRAMS)):
            for name in getattr(self, field):
                if name not in known:
                    raise ConfigError(f"{field}: {name}; allowed: {', '.join(known)}")


def main(settings: Settings) -> None:
    settings.validate()
    rows = []
    for device in settings.devices:
        for program in settings.programs:
            rows.append(aot.row(device, program))
            found = rows[-1]
            print(
                f"{device}, {program}: {found['kernels_per_period']} kernels a period, "
                f"{found['copies']} copies, {found['temporary_bytes'] / 2**30:.2f} GiB, "
                f"{found['compile_seconds']:.0f} s",
                flush=True,
            )
            body = {"launch_seconds": aot.LAUNCH_SECONDS, "rows": rows}
            write_json(settings.out, body | {"versions": aot.compilers()})


if __name__ == "__main__":
    command.run(main, Settings)
