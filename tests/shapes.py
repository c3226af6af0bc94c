"""Shapes and dtypes of arrays, checked at run time while tests run: see `tests/conftest.py`.

Only annotations that name a shape are checked; pyright reads the others. Fields of records are not:
a record that `jax.tree.map` or `jax.vmap` makes holds the arrays of many stores.
"""

import typing
from collections.abc import Callable
from typing import Any

from beartype import beartype
from jaxtyping import AbstractArray


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which raises where an array has not the shape that an annotation gives it."""
    if function.__name__ == "__init__":
        return function
    shapes = {name: hint for name, hint in function.__annotations__.items() if _is_shape(hint)}
    function.__annotations__ = shapes
    return beartype(function) if shapes else function


def _is_shape(hint: Any) -> bool:
    """Whether an array with a shape is anywhere in an annotation."""
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(map(_is_shape, typing.get_args(hint)))
