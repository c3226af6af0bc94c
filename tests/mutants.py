"""Mutants of the core: a small change to a line of these files should fail a test.

`make mutants` changes one operator or number at a time (cosmic-ray) in a copy of the checkout, runs
the tests that should notice, and lists the mutants that survive. Hours on two cores: name files to
try some, and `--workers` to run several at once.
"""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import tyro

ROOT = Path(__file__).parent.parent
TESTS = {
    "jaxsim/sampling.py": ["tests/jaxsim/test_sampling.py"],
    "jaxsim/slopes.py": ["tests/jaxsim/test_slopes.py"],
    "jaxsim/store.py": [
        "tests/jaxsim/test_store.py", "tests/jaxsim/test_laws.py",
        "tests/jaxsim/test_against_reference.py",
    ],
    "agents/learning/timescales.py": ["tests/agents/learning/test_timescales.py"],
    "agents/learning/ppo.py": ["tests/agents/learning/test_ppo.py"],
    "agents/learning/critic.py": ["tests/agents/learning/test_trainer.py"],
}  # fmt: skip
"""The files that are changed, and the tests that should notice, quickest first."""
SECONDS = 300.0
"""Longer than any of these tests takes; a mutant that hangs is noticed too."""


@dataclass(frozen=True)
class Mutants:
    """Change one thing at a time and see whether a test fails."""

    files: tuple[str, ...] = tuple(TESTS)
    """Which files to change."""
    workers: int = 1
    """Copies of the checkout that are tried side by side."""


@dataclass(frozen=True)
class Survivor:
    """A change that no test noticed."""

    line: int
    change: str


def tried(file: str) -> tuple[int, list[Survivor]]:
    """How many mutants of a file were tried, and those that survived."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for name in listed.stdout.splitlines():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--durations=0", *TESTS[file]]
        (copy / "mutants.toml").write_text(
            f'[cosmic-ray]\nmodule-path = ["{file}"]\ntimeout = {SECONDS}\nexcluded-modules = []\n'
            f'test-command = "{" ".join(command)}"\n[cosmic-ray.distributor]\nname = "local"\n'
        )
        for verb in ("init", "exec"):
            program = [sys.executable, "-m", "cosmic_ray.cli", verb, "mutants.toml", "found.sqlite"]
            subprocess.run(program, cwd=copy, check=True)
        with sqlite3.connect(copy / "found.sqlite") as found:
            return _read(found)


def _read(found: sqlite3.Connection) -> tuple[int, list[Survivor]]:
    (count,) = found.execute("SELECT COUNT(*) FROM work_results").fetchone()
    rows = found.execute(
        "SELECT start_pos_row, diff FROM mutation_specs NATURAL JOIN work_results "
        "WHERE test_outcome = 'SURVIVED' ORDER BY start_pos_row"
    )
    return count, [Survivor(line, _changed(diff.splitlines())) for line, diff in rows]


def _changed(diff: Iterable[str]) -> str:
    """The new lines of a diff."""
    new = [line[1:].strip() for line in diff if line.startswith("+") and line[:3] != "+++"]
    return " ".join(new)


def main() -> None:
    """Tries them all and prints what survived."""
    config = tyro.cli(Mutants)
    unknown = [file for file in config.files if file not in TESTS]
    if unknown:
        sys.exit(f"error: files: {unknown[0]}; allowed: {', '.join(TESTS)}")
    with ThreadPoolExecutor(config.workers) as pool:
        for file, (count, survivors) in zip(
            config.files, pool.map(tried, config.files), strict=True
        ):
            died = count - len(survivors)
            print(f"{file}: {died} of {count} died ({died / max(count, 1):.0%})")
            for each in survivors:
                print(f"  {each.line}: {each.change}")


if __name__ == "__main__":
    main()
