"""Versions of this project and of what its numbers depend on."""

import platform
import tomllib
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "closing-the-loop"
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")


def version() -> str:
    """This project's: of the checkout that this file is in, installed or not, else as installed."""
    project = Path(__file__).parent.parent / "pyproject.toml"
    if project.is_file():
        found = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {})
        if found.get("name") == DISTRIBUTION:
            return found["version"]
    return metadata.version(DISTRIBUTION)


def versions() -> dict[str, str]:
    """By name: this project, Python, and the packages that decide on every number."""
    return {
        DISTRIBUTION: version(),
        **{package: metadata.version(package) for package in PACKAGES},
        "python": platform.python_version(),
    }
