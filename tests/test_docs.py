"""The documentation is true: blocks run, commands parse, links lead somewhere, tables fit the code.

Commands that train are only read by the command line's own parser and checked as settings; running
them is the business of the tests of `train.py`.
"""

import json
import re
import shlex
import tomllib
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import train
from agents.flags import RENAMED
from agents.learning.config import TrainConfig
from agents.learning.regimes import REGIMES
from agents.play.settings import PlayConfig
from agents.report.settings import BacktestConfig
from agents.runs.export import write
from agents.runs.settings import LaunchConfig
from agents.study.settings import StudyConfig
from agents.study.study import REGIMES_PART
from agents.sweeps.grid import STORE_FIELDS, TRAINING_FIELDS, parse_grid, planned_runs
from agents.sweeps.settings import EngineConfig, SweepConfig
from benchmarks.serving import departments_of
from jaxsim import scenarios
from jaxsim.calibration.calibrate import calibrate
from jaxsim.calibration.settings import CalibrateConfig
from jaxsim.scenarios.scenario import (
    PRODUCT_FIELDS,
    SEGMENT_FIELDS,
    Scenario,
    ScenarioError,
    load,
    parse,
)

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
TEXT = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
STORE_PAGE = TEXT["docs/bring-your-own-store.md"]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(pattern: str) -> list[str]:
    """Distinct matches in code spans and blocks of all pages."""
    code = [
        piece
        for text in TEXT.values()
        for piece in [*blocks(text, "sh"), *re.findall(r"`([^`\n]+)`", text)]
    ]
    return sorted({found.strip() for piece in code for found in re.findall(pattern, piece)})


def slug(heading: str) -> str:
    """The anchor of a heading, as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", [page for page in TEXT if blocks(TEXT[page], "python")])
def test_python_blocks_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page's blocks run one after another, beside the files that the page shows."""
    monkeypatch.chdir(tmp_path)
    for body in blocks(TEXT[page], "json"):
        (tmp_path / f"{json.loads(body)['name']}.json").write_text(body, encoding="utf-8")
    prepare(page)
    bodies = [shortened(body) for body in blocks(TEXT[page], "python") if can_run(body)]
    exec(compile("\n".join(bodies), page, "exec"), {"__name__": page})
    assert "nan" not in capsys.readouterr().out


SHOWN = 'TrainConfig("pair", iterations=40, stores=64, tuning_effort=0.25)'
SHORT = (
    'TrainConfig("pair", iterations=2, stores=32, horizon=8, width=8, tuning_effort=0.04, '
    "evaluation_stores=32, evaluation_periods=40, burn_in=20, evaluations=1)"
)


def shortened(source: str) -> str:
    """The same code with the training that pages show made as short as possible."""
    return source.replace(SHOWN, SHORT)


def can_run(body: str) -> bool:
    """Blocks of learners that few have installed begin with the command that installs them."""
    needs = body.startswith("# pip install -e '.[clients]'")
    return not needs or all(find_spec(peer) for peer in ("rejax", "stable_baselines3"))


def prepare(page: str) -> None:
    """What the commands before a page's blocks leave behind, without the training."""
    if page == "docs/serving.md":
        department = departments_of(scenarios.get("grocery").params())["replenishment"]
        write("replenishment", department, scenarios.get("grocery"), Path("orders"))


@pytest.mark.parametrize("short", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_notebook_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], short: bool
) -> None:
    """The code of its cells; what it prints is all in the outputs that are kept. With a training
    of a moment, and in `make stress` as it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = json.loads((ROOT / "docs" / "tour.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code = "\n".join("".join(cell["source"]) for cell in cells)
    assert SHOWN in code and SHOWN in TEXT["README.md"]
    exec(compile(shortened(code) if short else code, "tour", "exec"), {})
    kept = "".join("".join(out.get("text", "")) for cell in cells for out in cell["outputs"])
    printed = capsys.readouterr().out

    def words(text):
        found = re.findall(r"[^\W\d]{2,}", text)
        return sorted(found) if short else found  # who earns most, so short, is chance

    assert words(printed) == words(kept) and "nan" not in printed


def test_every_page_has_a_place_in_the_site() -> None:
    listed = [
        line
        for body in re.findall(r"^```{toctree}\n(.*?)^```", TEXT["docs/index.md"], re.M | re.DOTALL)
        for line in body.splitlines()
        if line and not line.startswith((":", "Three minutes <self>", "reference/"))
    ]
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*.ipynb")]
    assert sorted(listed) == sorted(page.stem for page in pages if page.stem != "index")


def test_json_blocks_are_scenarios() -> None:
    bodies = [body for text in TEXT.values() for body in blocks(text, "json")]
    assert bodies
    for body in bodies:
        parse(json.loads(body), "documentation").params()


@pytest.mark.parametrize("command", commands(r"python train\.py[^#\n]*"))
def test_train_commands_parse(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(command)[2:]
    if "--help" in arguments:
        with pytest.raises(SystemExit) as leaving:
            train.parse(arguments)
        assert leaving.value.code == 0
        return
    config = train.parse(arguments)
    if isinstance(config, LaunchConfig):
        if config.training.scenario.endswith(".json"):
            Path(config.training.scenario).touch()  # the reader's own
        config.validate()
    if isinstance(config, SweepConfig):
        scenario = scenarios.get(config.training.scenario)
        planned_runs(config.training, scenario, parse_grid(config.grid), config.seeds)


def test_calibrate_command_runs_on_the_page_s_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    header = blocks(STORE_PAGE, "csv")[0].splitlines()[0]
    (tmp_path / "sales.csv").write_text(f"{header}\n{made_up_sales()}", encoding="utf-8")
    (command,) = (c for c in commands(r"python train\.py calibrate[^#\n]*") if "group=" in c)
    calibrate(train.parse([*shlex.split(command)[2:], "--products", "4"]))
    assert len(load(tmp_path / "my-store.json").products) == 4


def made_up_sales() -> str:
    """Rows of 40 days: two age groups of 30 customers who buy one or two of six products a day."""
    rng = np.random.default_rng(0)
    rows = []
    for day in pd.date_range("2024-03-01", periods=40).strftime("%Y-%m-%d"):
        for card in range(60):
            for sku in rng.choice(6, rng.integers(1, 3), replace=False):
                rows.append(f"{day},{card},{card % 2},{sku % 2},{sku},{2 + sku},{1 + sku}")
    return "\n".join(rows)


def test_scenarios_command_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["scenarios"]) == 0
    assert "boutique" in capsys.readouterr().out


@pytest.mark.parametrize("command", commands(r"make [a-z]+[^#\n]*"))
def test_make_commands_have_targets(command: str) -> None:
    target, *rest = shlex.split(command)[1:]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    if target == "train" and rest:
        train.parse(shlex.split(rest[0].removeprefix("ARGS=")))


def test_extras_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for command in commands(r"pip install [^\n]*"):
        for extra in re.findall(r"'\.\[(\w+)\]", command):
            assert extra in extras["optional-dependencies"]


VERBS = (
    TrainConfig, LaunchConfig, CalibrateConfig, BacktestConfig, PlayConfig, SweepConfig,
    StudyConfig, EngineConfig,
)  # fmt: skip


def test_flags_exist() -> None:
    """Every --flag named on its own in the text is a setting of one of the verbs."""
    flags = {flag.removeprefix("no-").replace("-", "_") for flag in commands(r"^--([a-z-]+)")}
    known = {field.name for kind in VERBS for field in fields(kind)}
    assert flags <= known | RENAMED.keys(), flags - known
    for page, text in TEXT.items():
        if page != "CHANGELOG.md":
            old = {name for name in RENAMED if f"`--{name.replace('_', '-')}`" in text}
            assert not old, f"{page}: {old}"


@pytest.mark.parametrize("command", commands(r"python -m [a-z_.]+"))
def test_modules_that_are_run_exist(command: str) -> None:
    found = find_spec(command.split()[2])
    assert found is not None
    if found.submodule_search_locations:
        assert (Path(found.origin).parent / "__main__.py").exists()


def test_tests_that_are_named_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", "\n".join(TEXT.values()))
    assert len(named) >= 6
    for path, function in named:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not function or f"\ndef {function}(" in text, f"{path}::{function}"


def test_the_map_names_every_package() -> None:
    drawn = TEXT["CONTRIBUTING.md"].split("## The map")[1].split("```")[1]
    words = set(re.findall(r"\w+", drawn))
    for package in ("agents", "jaxsim"):
        parts = {path.stem for path in (ROOT / package).iterdir() if path.suffix in ("", ".py")}
        assert parts - {"__init__", "__pycache__"} <= words, parts - words


@pytest.mark.parametrize("page", TEXT)
def test_relative_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXT[page]):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, link


def test_the_regimes_gains_are_those_of_the_study() -> None:
    rows = pd.read_csv(ROOT / "results" / "study.csv")
    learned = rows[rows["part"] == REGIMES_PART]
    order = [name for name, regime in REGIMES.items() if not regime.charged]
    assert f"| store | {' | '.join(f'`{name}`' for name in order)} |" in TEXT["docs/gains.md"]
    for store, own in learned.groupby("scenario"):
        gains = {name: own.loc[own["regime"] == name, "gain"].mean() for name in order}
        row = " | ".join(f"{gains[name]:+.2f}" for name in order)
        assert f"| `{store}` | {row} |" in TEXT["docs/gains.md"]


def test_field_table_is_the_code() -> None:
    """Names in order, shapes, defaults and ranges of the scenario file."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|", STORE_PAGE, re.MULTILINE)
    properties = Scenario.model_json_schema()["properties"]
    assert [row[0] for row in rows] == list(properties)
    for field, shape, default, allowed in rows:
        assert (shape == "1 or N") == (field in PRODUCT_FIELDS), field
        assert (shape == "1 or K") == (field in SEGMENT_FIELDS), field
        assert _same_default(field, default), field
        numbers = _innermost(properties[field])
        if "minimum" in numbers:
            low, high = allowed.split(",")[0].split(" to ")
            below = high.startswith("below ")
            assert _number(low) == numbers["minimum"], field
            limit = numbers["exclusiveMaximum" if below else "maximum"]
            assert _number(high.removeprefix("below ")) == limit, field


def test_sweep_page_names_every_field_of_a_grid() -> None:
    listed = re.findall(r"^\| (?:training|store) \| (.+) \|$", TEXT["docs/sweeps.md"], re.MULTILINE)
    assert [re.findall(r"`(\w+)`", row) for row in listed] == [
        list(TRAINING_FIELDS), list(STORE_FIELDS),
    ]  # fmt: skip


def test_model_page_names_real_fields_and_defaults() -> None:
    for field, default in re.findall(r"`(\w+): ([^`]+)`", TEXT["docs/model.md"]):
        value = Scenario.model_fields[field].default
        assert json.loads(default) == value or field in ("lead_time", "no_purchase", "backlogged")


SHOP = json.loads((ROOT / "jaxsim" / "scenarios" / "pair.json").read_text())


@pytest.mark.parametrize(
    "wrong",
    [
        {"price": [10.0, -1]},
        {"lead_time": 5},
        {"slot_weight": [1.0, 0.5, 0.4]},
        {"slot_weight": [0.5]},
        {"cost": [1, 2, 3]},
        {"utility": [[0, 1]]},
        {"holding": float("nan")},
        {"prise": 3},
    ],
)
def test_documented_errors_are_the_real_ones(wrong: dict) -> None:
    with pytest.raises(ScenarioError) as refused:
        parse(SHOP | wrong, "shop.json")
    shown = re.findall(r"`error: (shop\.json: [^`]+)`", STORE_PAGE)
    said = str(refused.value)
    assert said in shown or any(
        line.endswith("…") and said.startswith(line[:-1]) for line in shown
    ), said


def _innermost(schema: dict) -> dict:
    """The schema of one number: of the value itself, or of a list's or a matrix's."""
    if "minimum" in schema:
        return schema
    inner = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    return next((found for each in inner if "minimum" in (found := _innermost(each))), {})


def _number(text: str) -> float:
    return {"10⁹": 1e9, "10⁷": 1e7, "10⁵": 1e5}.get(text) or float(text)


def _same_default(field: str, shown: str) -> bool:
    info = Scenario.model_fields[field]
    if info.is_required():
        return shown == "**required**"
    if isinstance(info.default, str):
        return shown.strip("`") == (info.default or "empty")
    if isinstance(info.default, float):
        return _number(shown) == info.default
    return json.loads(shown) == info.default
