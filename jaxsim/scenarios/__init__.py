"""The registry of scenarios: each is a data file in this folder; a user's own is loaded by path."""

from pathlib import Path

from jaxsim.errors import unknown
from jaxsim.scenarios.scenario import Scenario, ScenarioError, load

FOLDER = Path(__file__).parent
DEFAULT = "grocery"
"""The scenario that is meant where none is named."""


def names() -> list[str]:
    """Names of the scenarios that come with the package."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def get(name_or_path: str) -> Scenario:
    """A registered scenario by name, or a scenario file by path (anything ending in .json).

    Raises `ScenarioError` for an unknown name (with the nearest one) or an invalid file.
    """
    if name_or_path in names():
        return load(FOLDER / f"{name_or_path}.json")
    if name_or_path.endswith(".json"):
        return load(name_or_path)
    said = unknown("scenario", name_or_path, names())
    raise ScenarioError(f"{said}, or the path of a .json file")
