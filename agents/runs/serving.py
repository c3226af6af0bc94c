"""An exported department at work: plain NumPy arrays in, its decision out.

Stands alone: NumPy, JAX and safetensors, and nothing else of this project. No file is unpickled.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export as jax_export
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

TENSORS, SCHEMA, PROGRAM = "tensors.safetensors", "schema.json", "program.jax"
SUMS = "SHA256SUMS"
"""Checksums of the other three, as the command `sha256sum` writes and checks them."""
Arrays = dict[str, np.ndarray]


class ServingError(ValueError):
    """A folder that is no export, or an input that cannot be: names the field, the value and what
    is allowed, in one printable line."""

    def __init__(self, message: str) -> None:
        shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in message)
        super().__init__(shown if len(shown) <= 300 else f"{shown[:299]}…")


@dataclass(frozen=True)
class ServedDepartment:
    """Decides for one store, or for a batch with one more axis in front of every input.

    Each new number of stores is compiled once, on its first decision.
    """

    schema: dict[str, Any]
    tensors: Mapping[str, Any]
    program: Callable[[Mapping[str, Any], Arrays], Mapping[str, Any]]

    def decide(self, inputs: Mapping[str, Any]) -> Arrays:
        """The outputs of the schema, by name. Raises `ServingError` for a missing or unknown field,
        and for a wrong shape, type or range."""
        checked, stores = check_inputs(self.schema["properties"], inputs)
        if stores == 0:
            raise ServingError("inputs: a batch of 0 stores; allowed: 1 or more")
        batch = checked if stores else {name: each[None] for name, each in checked.items()}
        outputs = {
            name: np.asarray(each) for name, each in self.program(self.tensors, batch).items()
        }
        return outputs if stores else {name: each[0] for name, each in outputs.items()}

    def start(self, stores: int | None = None) -> Arrays:
        """The memory of stores not yet seen, as an input; empty if the department has none."""
        if "memory" not in self.schema["properties"]:
            return {}
        shape = self.schema["properties"]["memory"]["shape"]
        return {"memory": np.zeros(shape if stores is None else (stores, *shape), np.float32)}


def load(folder: str | Path, unchecked: bool = False) -> ServedDepartment:
    """A department from its folder. `unchecked`: also one without checksums, whose files may have
    been damaged or exchanged. Raises `ServingError`."""
    folder = Path(folder)
    files = {name: _bytes_of(folder / name) for name in (TENSORS, SCHEMA, PROGRAM)}
    if not unchecked:
        _check(folder, files)
    schema = _schema_in(files[SCHEMA], folder / SCHEMA)
    tensors = _tensors_in(files[TENSORS], folder / TENSORS)
    program = _program_in(files[PROGRAM], folder / PROGRAM, schema, tensors)
    return ServedDepartment(schema, jax.device_put(tensors), jax.jit(program.call))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ServingError(
            f"{path}: not an exported department ({error.strerror}); allowed: a folder of export"
        ) from None


def _check(folder: Path, files: Mapping[str, bytes]) -> None:
    """Holds all files against the checksums. Names in there are compared, never opened."""
    if not (folder / SUMS).exists():
        raise ServingError(
            f"{folder}: has no {SUMS}; allowed: a folder as export writes it, or unchecked=True"
        )
    lines = _bytes_of(folder / SUMS).decode("ascii", "replace").splitlines()
    listed = dict(line.split("  ", 1)[::-1] for line in lines if "  " in line)
    if listed.keys() != files.keys() or len(lines) != len(files):
        raise ServingError(f"{folder / SUMS}: is damaged; allowed: a line for each of {TENSORS}, "
                           f"{SCHEMA} and {PROGRAM}")  # fmt: skip
    for name, data in files.items():
        if listed[name] != hashlib.sha256(data).hexdigest():
            raise ServingError(f"{folder / name}: is not the file that was exported")


def _schema_in(data: bytes, path: Path) -> dict[str, Any]:
    """The schema, with all that a decision reads of it."""
    try:
        schema = json.loads(data)
        for field in schema["properties"].values():
            number = _innermost(field)
            shape, kind = [int(size) for size in field["shape"]], np.dtype(field["dtype"])
            least, most = float(number["minimum"]), float(number["maximum"])
            if min(shape, default=0) < 0 or kind.kind not in "if" or not least <= most:
                raise ValueError("a shape, type or range that cannot be")
            if number["type"] not in ("integer", "number"):
                raise ValueError(f"type {number['type']}")
        if not schema["properties"]:
            raise ValueError("no inputs")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"[:120]
        raise ServingError(f"{path}: not the schema of an exported department ({why})") from None
    return schema


def _tensors_in(data: bytes, path: Path) -> Arrays:
    try:
        tensors = load_tensors(data)
    except (SafetensorError, ValueError, KeyError, TypeError, MemoryError) as error:
        raise ServingError(f"{path}: not the tensors of an exported department ({error})") from None
    for name, each in tensors.items():
        if each.dtype.kind == "f" and not np.isfinite(each).all():
            raise ServingError(f"{path}: {name} is not finite; allowed: finite numbers")
    return tensors


def _program_in(
    data: bytes, path: Path, schema: Mapping[str, Any], tensors: Arrays
) -> jax_export.Exported:
    """The program, which takes these tensors and the schema's inputs."""
    try:
        program = jax_export.deserialize(bytearray(data))
    except Exception as error:  # the reader of a foreign file can raise anything
        why = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise ServingError(f"{path}: not a program of jax.export ({why})") from None
    fields = {name: tuple(field["shape"]) for name, field in sorted(schema["properties"].items())}
    taken = [each.shape for each in program.in_avals]
    one_store = [shape[1:] for shape in taken[len(tensors) :]]
    named = ((dict.fromkeys(tensors, 0), dict.fromkeys(fields, 0)), {})
    same = taken[: len(tensors)] == [each.shape for _, each in sorted(tensors.items())]
    if program.in_tree != jax.tree.structure(named) or not same or one_store != [*fields.values()]:
        raise ServingError(f"{path}: takes other tensors or inputs; allowed: the program that was "
                           "exported with them")  # fmt: skip
    return program


def check_inputs(
    properties: Mapping[str, Any], inputs: Mapping[str, Any]
) -> tuple[Arrays, int | None]:
    """Arrays of the schema's types, and how many stores they are for (None: one, without an axis).

    Raises `ServingError`.
    """
    unknown, missing = inputs.keys() - properties.keys(), properties.keys() - inputs.keys()
    if unknown:
        raise ServingError(f"{min(unknown)}: unknown field; allowed: {', '.join(properties)}")
    if missing:
        raise ServingError(f"{min(missing)}: is missing; required: {', '.join(properties)}")
    given = {name: _array(name, inputs[name]) for name in properties}
    first = next(iter(properties))
    batched = given[first].ndim == len(properties[first]["shape"]) + 1
    stores = len(given[first]) if batched else None
    checked = {
        name: _checked(name, field, given[name], stores) for name, field in properties.items()
    }
    return checked, stores


def _array(name: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError:  # lists of different lengths
        raise ServingError(f"{name}: is not an array; allowed: lists of one length") from None


def _checked(
    name: str, field: Mapping[str, Any], given: np.ndarray, stores: int | None
) -> np.ndarray:
    """One field as an array of its type, within its range."""
    number = _innermost(field)
    whole = number["type"] == "integer"
    allowed_kinds = "iu" if field["dtype"] == "int32" else "iuf"
    if given.dtype.kind not in allowed_kinds:
        kinds = "integers" if allowed_kinds == "iu" else "integers or floats"
        raise ServingError(f"{name}: has type {given.dtype}; allowed: {kinds}")
    shape = (*([] if stores is None else [stores]), *field["shape"])
    if given.shape != shape:
        raise ServingError(f"{name}: has shape {given.shape}; allowed: {shape}")
    low, high = number["minimum"], number["maximum"]
    # A running average in float32 may pass its bound by a rounding.
    slack = 0.0 if whole else 1e-6 * max(abs(low), abs(high))
    fine = (given >= low - slack) & (given <= high + slack)  # false for NaN
    if whole:
        fine &= given == np.round(given)
    if not fine.all():
        worst = given[~fine].flat[0]
        kind = "whole numbers" if whole else "numbers"
        raise ServingError(f"{name}: {worst}; allowed: {kind} from {low} to {high}")
    return given.astype(field["dtype"])


def _innermost(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of one number of a nested list."""
    return _innermost(field["items"]) if "items" in field else field
