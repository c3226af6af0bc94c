"""`make fuzz`: scenario files, transaction files, runs, checkpoints, sweeps and exports,
damaged by a seed.

Each is used as it was before, or refused in one printable line of at most 300 characters. Anything
else is printed with what was done, and the exit code is 1.
"""

import logging
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import tyro

import train
from agents import checksums
from agents.errors import UserError
from agents.files import open_folder
from agents.learning.training import Snapshot
from agents.runs import run_folder
from agents.runs.pipeline import settings_of
from agents.runs.serving import ServingError
from jaxsim import scenarios
from jaxsim.calibration.transactions import TransactionsConfig, read_transactions
from tests.fuzz import readers
from tests.fuzz.mutations import cut_up, damaged, edited
from tests.interrupted import resealed

TINY = (
    *("--scenario", "pair", "--stores", "16", "--horizon", "4", "--width", "24"),
    *("--iterations", "4", "--evaluations", "2", "--tuning-effort", "0.05"),
    *("--evaluation-stores", "16", "--evaluation-periods", "20", "--burn-in", "4"),
    *("--save-seconds", "0"),
)
SALES = "date,product,price\n" + "".join(
    f"2024-{1 + day // 28:02d}-{1 + day % 28:02d},{name},{day % 7 + 0.5}\n"
    for day in range(60)
    for name in ("milk", "bread")
)
REFUSED, AS_BEFORE, READ, WARNED = "refused in one line", "as before", "read", "said"
"""How a case may end: `said` is a file without which a warning is printed."""


@dataclass(frozen=True)
class Fuzz:
    """Damage files at random and see that none is believed that should not be."""

    cases: int = 10_000
    """Files in all: 3 in 10 scenarios, 2 transactions, 2 of a run, 2 of a sweep, 1 of an export."""
    checkpoints: int = 300
    """Damaged checkpoints of a training besides: each takes about a second."""
    seed: int = 0
    """Of what is done to them."""
    folder: Path = Path("runs/fuzz")
    """Where a short training and a short sweep are kept, whose files are damaged."""


class Heard(logging.Handler):
    """Counts warnings in place of printing them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def outcome(use: Callable[[], object], before: object, heard: Heard) -> str:
    """How using a file ended. `before`: what it gave undamaged; None where another is as good."""
    heard.lines.clear()
    try:
        found = use()
    except (UserError, ServingError) as refused:
        said = str(refused)
        fine = said.isprintable() and len(said) <= 300
        return REFUSED if fine else f"NOT ONE SHORT LINE: {said[:100]!r}"
    except Exception as error:
        return f"CRASHED: {type(error).__name__}: {str(error)[:100]!r}"
    if heard.lines:
        return WARNED
    if before is None:
        return READ
    return AS_BEFORE if found == before else "SILENTLY DIFFERENT"


def scenario_cases(rng: Random, count: int, folder: Path) -> Counter[str]:
    """Scenario files: read, turned into numbers and saved again."""
    texts = [(scenarios.FOLDER / f"{name}.json").read_text() for name in ("pair", "loyal")]
    path, counts = folder / "shop.json", Counter()

    def use() -> None:
        scenario = scenarios.get(str(path))
        scenario.params()
        scenario.save(folder / "again.json")

    for _ in range(count):
        text = rng.choice(texts)
        data = edited(rng, text) if rng.random() < 0.7 else damaged(rng, text.encode(), [])[1]
        path.write_bytes(text.encode() if data is None else data)
        counts[outcome(use, None, Heard())] += 1  # a warning of a field left out is no damage
    return counts


def transaction_cases(rng: Random, count: int, folder: Path, heard: Heard) -> Counter[str]:
    """Transaction files, read as `calibrate` reads them."""
    path, counts = folder / "sales.csv", Counter()
    config = TransactionsConfig(
        transactions=path, columns=("date=date", "product=product", "price=price")
    )
    for _ in range(count):
        path.write_bytes(cut_up(rng, SALES))
        counts[outcome(lambda: read_transactions(config), None, heard)] += 1
    return counts


def folder_cases(
    rng: Random, count: int, files: list[Path], use: Callable[[], object], heard: Heard
) -> Counter[str]:
    """One file of a folder damaged at a time, and restored."""
    before, counts = use(), Counter()
    for _ in range(count):
        path = rng.choice(files)
        data = path.read_bytes()
        kind, worse = damaged(rng, data, files)
        if worse is None:
            path.unlink()
        else:
            path.write_bytes(worse)
        ended = outcome(use, before, heard)
        counts[ended] += 1
        if ended[0].isupper():
            print(f"{path}, {kind}: {ended}")
        path.write_bytes(data)
    return counts


def edit_cases(
    rng: Random, count: int, files: list[Path], use: Callable[[], object], heard: Heard
) -> Counter[str]:
    """JSON files edited one at a time, and sealed as if they had been written so: their schemas
    alone are left to refuse them."""
    counts = Counter()
    for _ in range(count):
        path = rng.choice(files)
        sums, data = path.parent / checksums.SUMS, path.read_bytes()
        sealed = sums.read_bytes()
        path.write_bytes(edited(rng, data.decode()))
        resealed(path.parent, path.name)
        ended = outcome(use, None, heard)
        counts[ended] += 1
        if ended[0].isupper():
            print(f"{path}: {ended}: {path.read_bytes()[:60]!r}")
        path.write_bytes(data)
        sums.write_bytes(sealed)
    return counts


def checkpoint_cases(
    rng: Random, count: int, run: Path, folder: Path, like: Snapshot, heard: Heard
) -> Counter[str]:
    """The newest checkpoint, or the metrics, damaged: gone on from as it was, or from the one
    before, which is said."""
    scenario = run_folder.read_scenario(run)
    settings, counts = settings_of(run_folder.read_config(run), scenario), Counter()
    whole = readers.restored(run, settings, like, [])
    for number in range(count):
        place = folder / f"{number}"  # a new one each time: orbax keeps what it has read
        shutil.copytree(run / "checkpoints", place / "checkpoints")
        shutil.copy(run / "metrics.csv", place)
        newest = place / "checkpoints" / str(whole[0])
        files = [path for path in newest.rglob("*") if path.is_file()] + [place / "metrics.csv"]
        path = rng.choice(files)
        kind, worse = damaged(rng, path.read_bytes(), files)
        if worse is None:
            path.unlink()
        else:
            path.write_bytes(worse)
        found: list[readers.Restored] = []
        ended = outcome(partial(readers.restored, place, settings, like, found), None, heard)
        if found:
            ended = gone_on(found[0], whole)
        counts[ended] += 1
        if ended[0].isupper():
            print(f"{path}, {kind}: {ended}")
        shutil.rmtree(place)
    return counts


def gone_on(found: readers.Restored, whole: readers.Restored) -> str:
    """Whether what was restored is the newest as it was, or an earlier one."""
    if found == whole:
        return AS_BEFORE
    return "gone on from the one before" if found[0] < whole[0] else "SILENTLY DIFFERENT"


def made(folder: Path) -> tuple[Path, Path, Path]:
    """A short training, its export, and a sweep of two chunks."""
    run, out, sweep = (folder / name for name in ("run", "export", "sweep"))
    shutil.rmtree(out, ignore_errors=True)
    for command in (
        ("train", *TINY, "--out", f"{run}"),
        ("export", f"{run}", "--department", "replenishment", "--out", f"{out}"),
        ("sweep", *TINY, "--seeds", "2", "--together", "1", "--out", f"{sweep}"),
    ):
        assert train.main(command) == 0
    return run, out, sweep


def main() -> None:
    """Prints a line of counts for each kind of file."""
    settings, heard = tyro.cli(Fuzz), Heard()
    rng, tenth = Random(settings.seed), settings.cases // 10
    logging.getLogger().addHandler(heard)
    run, out, sweep = made(settings.folder)
    shutil.rmtree(settings.folder / "work", ignore_errors=True)
    work = open_folder(settings.folder / "work")
    like, swept = readers.shapes_of(run), readers.swept(sweep)
    of_run = [run / name for name in (checksums.SUMS, *(checksums.sums_of(run) or {}))]
    of_sweep = [path for path in sweep.rglob("*") if path.is_file() and path.suffix != ".html"]
    in_run = [path for path in of_run if path.suffix == ".json" and path.parent == run]
    in_sweep = [path for path in of_sweep if path.suffix == ".json"]
    fuzzed = partial(folder_cases, rng, tenth)
    counts = {
        "scenario files": scenario_cases(rng, 3 * tenth, work),
        "transaction files": transaction_cases(rng, 2 * tenth, work, heard),
        "files of a run": fuzzed(of_run, lambda: readers.run_of(run, like.kept), heard),
        "edited files of a run": edit_cases(
            rng, tenth, in_run, lambda: readers.documents_of(run), heard
        ),
        "files of a sweep": fuzzed(of_sweep, lambda: swept.everything(like.kept), heard),
        "edited files of a sweep": edit_cases(rng, tenth, in_sweep, swept.documents, heard),
        "files of an export": fuzzed(list(out.iterdir()), lambda: readers.export_of(out), heard),
        "checkpoints": checkpoint_cases(rng, settings.checkpoints, run, work, like, heard),
    }
    shutil.rmtree(work)
    for kind, found in counts.items():
        ends = ", ".join(f"{number} {ended}" for ended, number in found.most_common())
        print(f"{kind}: {found.total()}: {ends}")
    sys.exit(any(ended[0].isupper() for found in counts.values() for ended in found))


if __name__ == "__main__":
    main()
