"""The registry of scenarios: each is a data file in this folder; a user's own is loaded by path."""

from pathlib import Path
from typing import TYPE_CHECKING

from jaxsim.errors import ScenarioError, unknown

if TYPE_CHECKING:
    from jaxsim.scenarios.scenario import Scenario

FOLDER = Path(__file__).parent
DEFAULT = "grocery"
"""The scenario that is meant where none is named."""


def names() -> list[str]:
    """Names of the scenarios that come with the package."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def path_of(name_or_path: str) -> Path:
    """The file of a registered scenario, or a path as it is (anything ending in .json).

    Raises `ScenarioError` for an unknown name (with the nearest one) or a file that is not there.
    """
    if name_or_path in names():
        return FOLDER / f"{name_or_path}.json"
    path = Path(name_or_path)
    if not name_or_path.endswith(".json"):
        said = unknown("scenario", name_or_path, names())
        raise ScenarioError(f"{said}, or the path of a .json file")
    if not path.exists():
        raise ScenarioError(f"{path}: not a readable JSON file (No such file or directory)")
    return path


def get(name_or_path: str) -> "Scenario":
    """A registered scenario by name, or a scenario file by path (anything ending in .json).

    Raises `ScenarioError` for an unknown name (with the nearest one) or an invalid file.
    """
    from jaxsim.scenarios.scenario import load  # brings JAX with it, which a name does not need

    return load(path_of(name_or_path))
