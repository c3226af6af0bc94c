"""Files that are read again are read as they were written, or refused by name.

A folder that is whole has a file SHA256SUMS, in the format of the command `sha256sum`, so that
`sha256sum -c SHA256SUMS` checks it without this project. Paths in it lead to files in the folder.
"""

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from agents.devices import is_first
from agents.errors import RunError
from agents.files import write_text

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})  (.+)")
LOG = logging.getLogger(__name__)


def digest(data: bytes) -> str:
    """SHA-256, as `sha256sum` prints it."""
    return hashlib.sha256(data).hexdigest()


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The digests of files in a folder as they are now. Raises `OSError`."""
    return {name: digest((folder / name).read_bytes()) for name in names}


def seal(folder: Path, digests: Mapping[str, str]) -> None:
    """Writes what the files of a folder are from now on held against. Raises `RunError`."""
    lines = [f"{each}  {name}\n" for name, each in sorted(digests.items())]
    write_text(folder / SUMS, "".join(lines))


def write(folder: Path, name: str, text: str) -> None:
    """Adds a file to a folder, then to its checksums: one that is not listed yet does not count.
    Raises `RunError`."""
    write_text(folder / name, text)
    if is_first():
        seal(folder, (sums_of(folder) or {}) | {name: digest(text.encode())})


def holds(folder: Path, name: str) -> bool:
    """Whether a folder has that file, completely."""
    sums = sums_of(folder)
    return (folder / name).exists() and (sums is None or name in sums)


def sums_of(folder: Path) -> dict[str, str] | None:
    """Digests by file; None where the folder has no SHA256SUMS. Raises `RunError`."""
    path = folder / SUMS
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise RunError(f"{path}: cannot be read; allowed: what {folder} was made with") from None
    found = [LINE.fullmatch(line) for line in lines]
    if not all(found):
        raise RunError(f"{path}: is damaged; allowed: a SHA-256, two spaces and a name a line")
    return {line[2]: line[1] for line in found if line}


def read(folder: Path, name: str) -> bytes:
    """The bytes of one file, as they were written. Raises `RunError`."""
    data = bytes_of(folder / name)
    verify(folder, name, data)
    return data


def verify(folder: Path, name: str, data: bytes) -> None:
    """Holds a file's bytes against the folder's checksums, where it has them. Raises `RunError`."""
    sums = sums_of(folder)
    if sums is not None:
        _hold(folder, name, data, sums)


def _hold(folder: Path, name: str, data: bytes, sums: Mapping[str, str]) -> None:
    if sums.get(name) != digest(data):
        raise RunError(
            f"{folder / name}: is not the file that was written (its SHA-256 is not the one in "
            f"{SUMS}); restore it from a copy, or make it anew in another folder"
        )


def bytes_of(path: Path) -> bytes:
    """Raises `RunError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None


def check_folder(folder: Path, part: str) -> None:
    """Holds all files in one part of a folder against its checksums, where it has them: each is
    listed, and each that is listed is there. Raises `RunError`."""
    sums = sums_of(folder)
    if sums is None:
        return
    names = {name for name in sums if name.startswith(f"{part}/")}
    if not names:
        raise RunError(f"{folder / SUMS}: does not list {part}; allowed: a finished run")
    for name in sorted(names | set(files_in(folder, part))):
        _hold(folder, name, bytes_of(folder / name), sums)


def files_in(folder: Path, part: str) -> list[str]:
    """Every file in one part of a folder, as SHA256SUMS names it."""
    return [
        path.relative_to(folder).as_posix() for path in (folder / part).rglob("*") if path.is_file()
    ]


def tell_if_unsealed(folder: Path) -> None:
    """One line of warning where a folder has no checksums."""
    if sums_of(folder) is None:
        LOG.warning("%s: has no %s, so damage to it would not be noticed", folder, SUMS)
