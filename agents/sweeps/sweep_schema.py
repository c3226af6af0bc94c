"""What `sweep.json` holds, for writing and for reading it."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from agents.errors import ConfigError
from agents.runs.run_schemas import Settings
from agents.schemas import Document, Number
from agents.sweeps.grid import check_field

ONLY = "all"
"""The name of the one variant of a sweep."""


class Sweep(Document):
    """What all runs of a sweep, or of one program of the study, share."""

    version: str
    seeds: Annotated[int, Field(ge=1)]
    store: dict[str, Any]  # a scenario, which `jaxsim.scenarios.scenario.parse` checks
    grid: dict[str, list[bool | int | Number | str]]  # values by field
    variants: Annotated[dict[str, Settings], Field(min_length=1)]  # by name; a sweep has `ONLY`

    @model_validator(mode="after")
    def _grid_is_known(self) -> Self:
        for field in self.grid:
            try:
                check_field(field)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return self
