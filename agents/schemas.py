"""JSON files are read as strictly as they are written: one pydantic model for each."""

import math
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from agents import checksums
from agents.errors import RunError
from agents.files import json_text

Number = Annotated[float, Field(allow_inf_nan=False)]
Defined = Number | None
"""A number, or null where there is none; `why_null` beside it gives the reason."""


class Document(BaseModel):
    """No field more, none of another type, no number that is not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Kind = TypeVar("Kind", bound=Document)


def read(folder: Path, name: str, kind: type[Kind]) -> Kind:
    """A JSON file of a folder as what it must be, held against the folder's checksums. Raises
    `RunError`: the file, the field, the value and what is allowed."""
    data = checksums.bytes_of(folder / name)
    document = parse(data, folder / name, kind)  # first: it says more than that something changed
    checksums.verify(folder, name, data)
    return document


def text_of(body: Any, kind: type[Document]) -> str:
    """A document as it is written: what cannot be read again is not written. Raises
    `ValidationError`, which is an error of this project and not of its user."""
    text = json_text(body)
    kind.model_validate_json(text)
    return text


def parse(text: bytes, path: Path, kind: type[Kind]) -> Kind:
    """The document in a file's bytes. Raises `RunError`."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise RunError(f"{path}: {complaint(error, kind)}") from None


def field_of(path: Path, field: str, default: str) -> str:
    """One text of a JSON file, before the rest of it is looked at; the default where it is not
    there. Raises `RunError` where the file cannot be read."""
    try:
        body = from_json(checksums.bytes_of(path))
    except ValueError as error:
        raise RunError(f"{path}: not a JSON file ({error})") from None
    found = body.get(field, default) if isinstance(body, dict) else default
    return found if isinstance(found, str) else default


def complaint(error: ValidationError, kind: type[BaseModel]) -> str:
    """Field, value and what is allowed, from pydantic's first error."""
    first = error.errors(include_url=False)[0]
    name = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if first["type"] == "json_invalid":
        return f"not a JSON file ({said.removeprefix('Invalid JSON: ')})"
    if first["type"] == "extra_forbidden":
        return f"{name}: unknown field; allowed: {', '.join(kind.model_fields)}"
    if first["type"] == "missing":
        return f"{name}: is missing; it has no default"
    if first["type"] == "value_error":
        return f"{name}: {said}" if name else said
    return f"{name}: {_short(first['input'])}; allowed: {said}"


def nan_for_null(value: Any) -> Any:
    """The same document with NaN in place of null."""
    if isinstance(value, dict):
        return {key: nan_for_null(each) for key, each in value.items()}
    if isinstance(value, list):
        return [nan_for_null(each) for each in value]
    return math.nan if value is None else value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
