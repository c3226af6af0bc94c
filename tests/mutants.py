"""Mutants of the core: a small change to a line of these files should fail a test.

`make mutants` changes one operator or number at a time (cosmic-ray) in a copy of the checkout, runs
the tests that should notice, and lists the mutants that survive. There are thousands, which take a
day: `--sample` draws some of each file, `--files` chooses files, `--workers` runs several at once.
"""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import tyro

ROOT = Path(__file__).parent.parent
TESTS = {
    "jaxsim/sampling.py": ["tests/jaxsim/test_sampling.py"],
    "jaxsim/slopes.py": ["tests/jaxsim/test_slopes.py", "tests/jaxsim/test_store.py"],
    "jaxsim/store.py": [
        "tests/jaxsim/test_store.py", "tests/jaxsim/test_laws.py",
        "tests/jaxsim/test_against_reference.py", "tests/jaxsim/test_slopes.py",
    ],
    "agents/learning/timescales.py": ["tests/agents/learning/test_timescales.py"],
    "agents/learning/ppo.py": ["tests/agents/learning/test_ppo.py"],
    "agents/learning/critic.py": [
        "tests/agents/learning/test_critic.py", "tests/agents/learning/test_trainer.py",
    ],
    "agents/learning/path.py": ["tests/agents/learning/test_path.py"],
}  # fmt: skip
"""The files that are changed, and the tests that should notice, quickest first."""
SECONDS = 1200.0
"""Longer than any of these tests takes; a mutant that hangs is noticed too."""


@dataclass(frozen=True)
class Mutants:
    """Change one thing at a time and see whether a test fails."""

    files: tuple[str, ...] = tuple(TESTS)
    """Which files to change."""
    sample: int = 0
    """How many mutants of each file to try, drawn at random; 0 tries all."""
    seed: int = 0
    """Of the draw."""
    workers: int = 1
    """Copies of the checkout that are tried side by side."""


@dataclass(frozen=True)
class Survivor:
    """A change that no test noticed."""

    line: int
    change: str


def tried(file: str, config: Mutants) -> tuple[int, list[Survivor]]:
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
        program = [sys.executable, "-m", "cosmic_ray.cli"]
        subprocess.run([*program, "init", "mutants.toml", "found.sqlite"], cwd=copy, check=True)
        with sqlite3.connect(copy / "found.sqlite") as found:
            if config.sample:
                _draw(found, config)
        # Most programs are the same in most mutants: each is compiled once.
        kept = {"JAX_COMPILATION_CACHE_DIR": str(copy / "compiled")}
        kept["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        subprocess.run(
            [*program, "exec", "mutants.toml", "found.sqlite"],
            cwd=copy, env=os.environ | kept, check=True,
        )  # fmt: skip
        with sqlite3.connect(copy / "found.sqlite") as found:
            return _read(found)


def _draw(found: sqlite3.Connection, config: Mutants) -> None:
    """Leaves a random sample of a file's mutants to be tried."""
    rows = found.execute("SELECT job_id FROM mutation_specs ORDER BY operator_name, occurrence")
    jobs = [job for (job,) in rows]
    kept = random.Random(config.seed).sample(jobs, min(config.sample, len(jobs)))
    for table in ("mutation_specs", "work_items"):
        found.executemany(
            f"DELETE FROM {table} WHERE job_id = ?", [(job,) for job in {*jobs} - {*kept}]
        )


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
        results = pool.map(partial(tried, config=config), config.files)
        for file, (count, survivors) in zip(config.files, results, strict=True):
            died = count - len(survivors)
            print(f"{file}: {died} of {count} died ({died / max(count, 1):.0%})", flush=True)
            for each in survivors:
                print(f"  {each.line}: {each.change}")


if __name__ == "__main__":
    main()
