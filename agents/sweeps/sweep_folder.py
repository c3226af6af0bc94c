"""The folder of a sweep: settings, finished chunks with the weights of their runs, and the tables
made of them.

A chunk is on disk complete or not at all, so that a sweep that was stopped goes on with the runs
that are not there yet.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from agents.errors import RunError
from agents.files import open_folder, read_json, write_json, write_table, writing
from jaxsim import version
from jaxsim.files import appearing
from jaxsim.scenarios.scenario import Scenario, parse

SETTINGS, CHUNKS, STORES = "sweep.json", "chunks", "stores"
RUNS, HEURISTICS, CURVES = "runs.csv", "heuristics.csv", "curves.parquet"
WEIGHTS = "weights.safetensors"


def open_sweep(folder: Path, settings: Mapping[str, Any]) -> None:
    """A new folder, or one that holds a sweep of the same settings and version. Raises
    `RunError`."""
    settings = json.loads(json.dumps({"version": version(), **settings}, default=str))
    if (folder / SETTINGS).exists():
        before = read_json(folder / SETTINGS)
        for field, value in settings.items():
            if before.get(field) != value:
                raise RunError(
                    f"{field}: {_short(value)}; allowed: {_short(before.get(field))}, of which "
                    f"{folder} holds a sweep, or another --out"
                )
    open_folder(folder)
    write_json(folder / SETTINGS, settings)


def write_chunk(
    folder: Path, tables: Mapping[str, pd.DataFrame], weights: Mapping[int, Any]
) -> None:
    """A finished chunk of runs, named by its first: tables by file name, and the weights of every
    run by its number. Replaces a chunk that has no weights. Raises `RunError`."""
    whole = folder / CHUNKS / f"{min(weights):05d}"
    tensors = {
        _tensor(number, path): np.array(leaf, order="C")
        for number, tree in weights.items()
        for path, leaf in jax.tree.leaves_with_path(tree)
    }
    with writing(folder, "out"):
        whole.parent.mkdir(parents=True, exist_ok=True)
        with appearing(whole) as chunk:
            chunk.mkdir()
            for name, table in tables.items():
                write_table(chunk / name, table)
            (chunk / WEIGHTS).write_bytes(save(tensors))


def finished_runs(folder: Path) -> set[int]:
    """Numbers of the runs that are on disk."""
    return {number for table in _chunks(folder, RUNS) for number in table["run"]}


def read_weights(folder: Path, number: int, like: Any) -> Any:
    """The weights that a run kept, of the structure of `like`. Raises `RunError`."""
    for chunk in _finished(folder):
        try:
            with safe_open(chunk / WEIGHTS, framework="numpy") as file:
                names = file.keys()
                if any(name.startswith(_tensor(number, ())) for name in names):
                    return jax.tree.map_with_path(
                        lambda path, _: file.get_tensor(_tensor(number, path)), like
                    )
        except (OSError, SafetensorError) as error:
            raise RunError(f"{chunk / WEIGHTS}: not weights of this sweep ({error})") from None
    raise RunError(f"{folder}: no weights of run {number}; allowed: a run that is finished")


def gather(folder: Path) -> pd.DataFrame:
    """Writes the tables of all chunks as one each, and returns the rows of runs."""
    tables = {name: pd.concat(_chunks(folder, name)) for name in (RUNS, HEURISTICS, CURVES)}
    tables[RUNS] = tables[RUNS].sort_values("run", ignore_index=True)
    tables[CURVES] = tables[CURVES].sort_values(["run", "iteration"], ignore_index=True)
    tables[HEURISTICS] = tables[HEURISTICS].drop_duplicates(ignore_index=True)
    for name, table in tables.items():
        write_table(folder / name, table)
    return tables[RUNS]


def read_scenario(folder: Path) -> Scenario:
    """The store that a sweep, or a program of the study, was made on. Raises `RunError` or
    `ScenarioError`."""
    path = folder / SETTINGS
    try:
        return parse(read_json(path)["store"], str(path))
    except (KeyError, TypeError) as error:
        raise RunError(f"{path}: not settings of this version ({error})") from None


def read_table(path: Path) -> pd.DataFrame:
    """A table of a sweep or a program of the study. A variant may be called 1 and stays a name."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, dtype={"variant": str})


def _finished(folder: Path) -> list[Path]:
    """Chunks, in order; one without weights is left by an earlier version, and does not count."""
    return sorted(path.parent for path in (folder / CHUNKS).glob(f"[0-9]*/{WEIGHTS}"))


def _chunks(folder: Path, name: str) -> list[pd.DataFrame]:
    try:
        return [read_table(chunk / name) for chunk in _finished(folder)]
    except (OSError, ValueError) as error:
        raise RunError(f"{folder / CHUNKS}: not chunks of a sweep ({error})") from None


def _tensor(number: int, path: Any) -> str:
    return f"{number}/{jax.tree_util.keystr(path, simple=True, separator='/')}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
