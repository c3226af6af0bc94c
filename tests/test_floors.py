"""No import runs up: a package imports only from its own floor and from those below it."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOORS = [
    "policies", "evaluation", "learning", "runs", "sweeps", "theory", "report", "play", "study",
]  # fmt: skip
GROUND = ("checksums", "devices", "errors", "files", "locks", "schemas")
UPPER = ("exact", "calibration", "scenarios", "adapters", "environment", "__init__")  # of jaxsim


def imports(package: str) -> set[tuple[str, str]]:
    """Every module with every module of this project that it imports, anywhere in it."""
    found = set()
    for path in (ROOT / package).rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in ("agents", "jaxsim"):
                found |= {(module, f"{node.module}.{name.name}") for name in node.names}
            elif isinstance(node, ast.ImportFrom | ast.Import):
                names = (getattr(node, "module", None) or each.name for each in node.names)
                found |= {(module, name) for name in names}
    return {(by, what) for by, what in found if what.startswith(("agents.", "jaxsim."))}


def floor(module: str) -> int:
    """Of a module of agents; what is in none of its packages (the front door) is on top."""
    part = module.split(".")[1]
    return FLOORS.index(part) if part in FLOORS else -1 if part in GROUND else len(FLOORS)


def test_agents_import_nothing_from_above() -> None:
    inside = {(by, what) for by, what in imports("agents") if what.startswith("agents.")}
    assert not {(by, what) for by, what in inside if floor(what) > floor(by)}


def test_the_world_imports_nothing_of_agents_and_its_ground_floor_nothing_of_the_rest() -> None:
    for by, what in imports("jaxsim"):
        from_upper, to_upper = (each.split(".")[1] in UPPER for each in (by, what))
        assert what.startswith("jaxsim.") and (from_upper or not to_upper), (by, what)
