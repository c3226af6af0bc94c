"""`make fuzz`: scenario files, transaction files, runs, checkpoints and exports, damaged by a seed.

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
from typing import Any

import jax
import numpy as np
import tyro

import train
from agents.errors import UserError
from agents.learning.training import Snapshot, prepared
from agents.runs import run_folder, serving
from agents.runs.checkpoints import Checkpoints
from agents.runs.pipeline import settings_of
from agents.runs.serving import ServingError
from jaxsim import scenarios
from jaxsim.calibration.transactions import TransactionsConfig, read_transactions
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
Restored = tuple[int, str, bytes]
"""Of a checkpoint: its iteration, its other numbers, its arrays."""


@dataclass(frozen=True)
class Fuzz:
    """Damage files at random and see that none is believed that should not be."""

    cases: int = 10_000
    """Files in all: 4 in 10 scenarios, 2 transactions, 2 of a run, 2 of an export."""
    checkpoints: int = 100
    """Damaged checkpoints of a training besides: each takes about a second."""
    seed: int = 0
    """Of what is done to them."""
    folder: Path = Path("runs/fuzz")
    """Where a short training is kept, whose files are damaged."""


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


def edit_cases(rng: Random, count: int, run: Path, heard: Heard) -> Counter[str]:
    """JSON files of a run edited, and sealed as if they had been written so: their schemas alone
    are left to refuse them."""
    sums, counts = run / "SHA256SUMS", Counter()
    sealed = sums.read_bytes()
    for _ in range(count):
        path = run / rng.choice(("config.json", "heuristics.json", "summary.json"))
        data = path.read_bytes()
        path.write_bytes(edited(rng, data.decode()))
        resealed(run, path.name)
        ended = outcome(lambda: documents_of(run), None, heard)
        counts[ended] += 1
        if ended[0].isupper():
            print(f"{path.name}: {ended}: {path.read_bytes()[:60]!r}")
        path.write_bytes(data)
        sums.write_bytes(sealed)
    return counts


def documents_of(run: Path) -> str:
    """All that a run says, but for its weights."""
    config = run_folder.read_config(run)
    tuned = [(pair.name, pair.profit, pair.policy) for pair in run_folder.read_heuristics(run)]
    scenario, summary = run_folder.read_scenario(run), run_folder.read_summary(run)
    return f"{config} {tuned} {scenario} {summary} {run_folder.read_metrics(run).to_csv()}"


def run_of(run: Path, like: Snapshot) -> tuple[str, bytes]:
    """The same with its weights."""
    documents = documents_of(run)
    weights = run_folder.load_weights(run, run_folder.BEST, like.kept)
    return documents, bytes_of(weights)


def export_of(out: Path) -> tuple[str, bytes]:
    """All that an exported department is."""
    served = serving.load(out)
    return str(served.schema), bytes_of(served.tensors)


def bytes_of(tree: Any) -> bytes:
    """All numbers of a tree."""
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree))


def checkpoint_cases(
    rng: Random, count: int, run: Path, folder: Path, like: Snapshot, heard: Heard
) -> Counter[str]:
    """The newest checkpoint, or the metrics, damaged: gone on from as it was, or from the one
    before, which is said."""
    scenario = run_folder.read_scenario(run)
    settings, counts = settings_of(run_folder.read_config(run), scenario), Counter()
    whole = restored(run, settings, like, [])
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
        found: list[Restored] = []
        ended = outcome(partial(restored, place, settings, like, found), None, heard)
        if found:
            ended = gone_on(found[0], whole)
        counts[ended] += 1
        if ended[0].isupper():
            print(f"{path}, {kind}: {ended}")
        shutil.rmtree(place)
    return counts


def restored(
    place: Path, settings: dict[str, Any], like: Snapshot, into: list[Restored]
) -> Restored:
    """The newest whole checkpoint, also appended to a list."""
    with Checkpoints(place, settings) as checkpoints:
        snapshot = checkpoints.restore(like, lambda _: None)
    assert snapshot is not None
    key = jax.random.key_data(snapshot.train_state.key)
    data = bytes_of((snapshot.train_state.replace(key=key), snapshot.kept))
    into.append((snapshot.iteration, f"{snapshot.kept_profit} {snapshot.seconds}", data))
    return into[-1]


def gone_on(found: Restored, whole: Restored) -> str:
    """Whether what was restored is the newest as it was, or an earlier one."""
    if found == whole:
        return AS_BEFORE
    return "gone on from the one before" if found[0] < whole[0] else "SILENTLY DIFFERENT"


def shapes_of(run: Path) -> Snapshot:
    """The shapes of all that a training saves."""
    config, tuned = run_folder.read_config(run), run_folder.read_heuristics(run)
    training = prepared(config, run_folder.read_scenario(run).params(), tuned)
    shapes = jax.eval_shape(training.trainer.init, training.keys["learn"], training.params)
    return Snapshot(shapes, training.departments(shapes).weights)


def main() -> None:
    """Prints a line of counts for each kind of file."""
    settings, heard = tyro.cli(Fuzz), Heard()
    rng, tenth = Random(settings.seed), settings.cases // 10
    logging.getLogger().addHandler(heard)
    run, out, work = (settings.folder / name for name in ("run", "export", "work"))
    for folder in (out, work):
        shutil.rmtree(folder, ignore_errors=True)
    work.mkdir(parents=True)
    assert train.main(["train", *TINY, "--out", str(run)]) == 0
    export = ["export", str(run), "--department", "replenishment", "--out", str(out)]
    assert train.main(export) == 0
    like = shapes_of(run)
    sums = run / "SHA256SUMS"
    of_run = [run / line.split("  ")[1] for line in sums.read_text().splitlines()] + [sums]
    of_export = list(out.iterdir())
    counts = {
        "scenario files": scenario_cases(rng, 4 * tenth, work),
        "transaction files": transaction_cases(rng, 2 * tenth, work, heard),
        "files of a run": folder_cases(rng, tenth, of_run, lambda: run_of(run, like), heard),
        "edited files of a run": edit_cases(rng, tenth, run, heard),
        "files of an export": folder_cases(
            rng, 2 * tenth, of_export, lambda: export_of(out), heard
        ),
        "checkpoints": checkpoint_cases(rng, settings.checkpoints, run, work, like, heard),
    }
    shutil.rmtree(work)
    for kind, found in counts.items():
        ends = ", ".join(f"{number} {ended}" for ended, number in found.most_common())
        print(f"{kind}: {found.total()}: {ends}")
    sys.exit(any(ended[0].isupper() for found in counts.values() for ended in found))


if __name__ == "__main__":
    main()
