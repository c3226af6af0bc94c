"""The folder of a sweep: settings, finished chunks with the weights of their runs, and the tables
made of them.

A chunk is on disk complete or not at all, so that a sweep that was stopped goes on with the runs
that are not there yet. What is read again is held against its checksum.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load, save

from agents import checksums, schemas
from agents.errors import RunError
from agents.files import open_folder, unquoted, write_table, writing
from agents.sweeps.layout import SETTINGS
from agents.sweeps.sweep_schema import ONLY, Sweep
from jaxsim import version
from jaxsim.files import appearing
from jaxsim.scenarios.scenario import Scenario, parse

CHUNKS, STORES = "chunks", "stores"
RUNS, HEURISTICS, CURVES = "runs.csv", "heuristics.csv", "curves.parquet"
WEIGHTS = "weights.safetensors"


def open_sweep(folder: Path, settings: Mapping[str, Any]) -> None:
    """A new folder, or one that holds a sweep of the same settings and version. `settings`: what
    `Sweep` has besides the version. Raises `RunError`."""
    text = schemas.text_of({"version": version(), **settings}, Sweep)
    if (folder / SETTINGS).exists():
        before = _flat(read_settings(folder))
        for field, value in _flat(schemas.parse(text.encode(), folder / SETTINGS, Sweep)).items():
            if before.get(field) != value:
                raise RunError(
                    f"{field}: {_short(value)}; allowed: {_short(before.get(field))}, of which "
                    f"{folder} holds a sweep, or another --out"
                )
    open_folder(folder)
    checksums.write(folder, SETTINGS, text)


def read_settings(folder: Path) -> Sweep:
    """What all runs of a sweep, or of a program of the study, share. Raises `RunError`."""
    return schemas.read(folder, SETTINGS, Sweep)


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
            checksums.seal(chunk, checksums.digests_of(chunk, [*tables, WEIGHTS]))


def finished_runs(folder: Path) -> set[int]:
    """Numbers of the runs that are on disk. Raises `RunError` where a chunk is damaged."""
    for chunk in _finished(folder):
        checksums.tell_if_unsealed(chunk)
    return {int(number) for table in _chunks(folder, RUNS) for number in table["run"]}


def read_weights(folder: Path, number: int, like: Any) -> Any:
    """The weights that a run kept, of the structure of `like`. Raises `RunError`."""
    tensors = next(filter(None, (_tensors(chunk, number) for chunk in _finished(folder))), None)
    if tensors is not None:
        return jax.tree.map_with_path(lambda path, _: tensors[_tensor(number, path)], like)
    raise RunError(f"{folder}: no weights of run {number}; allowed: a run that is finished")


def gather(folder: Path) -> pd.DataFrame:
    """Writes the tables of all chunks as one each, and returns the rows of runs."""
    tables = {name: pd.concat(_chunks(folder, name)) for name in (RUNS, HEURISTICS, CURVES)}
    tables[RUNS] = tables[RUNS].sort_values("run", ignore_index=True)
    tables[CURVES] = tables[CURVES].sort_values(["run", "iteration"], ignore_index=True)
    tables[HEURISTICS] = tables[HEURISTICS].drop_duplicates(ignore_index=True)
    for name, table in tables.items():
        write_table(folder / name, table)
    sums = checksums.sums_of(folder) or {}
    checksums.seal(folder, sums | checksums.digests_of(folder, tables))
    return tables[RUNS]


def read_scenario(folder: Path) -> Scenario:
    """The store that a sweep, or a program of the study, was made on. Raises `RunError` or
    `ScenarioError`."""
    return parse(read_settings(folder).store, str(folder / SETTINGS))


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """A table of a sweep or a program of the study. A variant may be called 1 and stays a name.
    Raises `RunError`."""
    data = io.BytesIO(checksums.read(folder, name))
    try:
        if name.endswith(".parquet"):
            return pd.read_parquet(data)
        return unquoted(pd.read_csv(data, dtype={"variant": str}, float_precision="round_trip"))
    except (ValueError, OSError) as error:
        raise RunError(f"{folder / name}: not a table of a sweep ({error})") from None


def _finished(folder: Path) -> list[Path]:
    """Chunks, in order; one without weights is left by an earlier version, and does not count."""
    return sorted(path.parent for path in (folder / CHUNKS).glob(f"[0-9]*/{WEIGHTS}"))


def _chunks(folder: Path, name: str) -> list[pd.DataFrame]:
    return [read_table(chunk, name) for chunk in _finished(folder)]


def _tensor(number: int, path: Any) -> str:
    return f"{number}/{jax.tree_util.keystr(path, simple=True, separator='/')}"


def _tensors(chunk: Path, number: int) -> dict[str, np.ndarray]:
    """The weights of one run in a chunk; none where it is of others."""
    try:
        every = load(checksums.read(chunk, WEIGHTS))
    except SafetensorError as error:
        raise RunError(f"{chunk / WEIGHTS}: not weights of a sweep ({error})") from None
    return {name: each for name, each in every.items() if name.startswith(_tensor(number, ()))}


def _flat(settings: Sweep) -> dict[str, Any]:
    """Every setting by its name, after that of its variant where there is one."""
    body = settings.model_dump(mode="json", exclude={"variants"})
    for variant, own in settings.variants.items():
        named = own.model_dump(mode="json").items()
        body |= {
            f"{variant}: {field}" if variant != ONLY else field: value for field, value in named
        }
    return body


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
