"""The registry: every scenario is a data file beside this one; a path loads a user's own."""

import difflib
from pathlib import Path

from jaxsim.scenarios.scenario import Scenario, ScenarioError, load

FOLDER = Path(__file__).parent
DEFAULT = "grocery"


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
    near = difflib.get_close_matches(name_or_path, names(), n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ScenarioError(
        f"scenario: {name_or_path!r}; {hint}allowed: {', '.join(names())}, "
        "or the path of a .json file"
    )
