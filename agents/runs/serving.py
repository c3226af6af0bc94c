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
from safetensors.numpy import load_file

TENSORS, SCHEMA, PROGRAM = "tensors.safetensors", "schema.json", "program.jax"
Arrays = dict[str, np.ndarray]


class ServingError(ValueError):
    """A folder that is no export, or an input that cannot be: names the field, the value and what
    is allowed."""


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


def load(folder: str | Path) -> ServedDepartment:
    """A department from its folder. Raises `ServingError`."""
    folder = Path(folder)
    try:
        schema = json.loads((folder / SCHEMA).read_text(encoding="utf-8"))
        for file, expected in schema["sha256"].items():
            if checksum(folder / file) != expected:
                raise ServingError(f"{folder / file}: is not the file that was exported")
        tensors = jax.device_put(load_file(folder / TENSORS))
        program = jax_export.deserialize(bytearray((folder / PROGRAM).read_bytes()))
    except (OSError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ServingError(f"{folder}: not an exported department ({error})") from None
    return ServedDepartment(schema, tensors, jax.jit(program.call))


def checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


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
