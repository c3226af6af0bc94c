"""The verb `theory`, on few and small stores, writes everything it promises."""

import contextlib
import io
import json
import shutil
import struct
from pathlib import Path

import pytest

import train
from agents.report.theory import REPORT, THEORY
from agents.theory import answers, coordination, foresight, perishables
from jaxsim import scenarios
from jaxsim.exact import classical, known_perishables, perishable_rules
from tests.conftest import Browser


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> tuple[Path, str]:
    """The same study over fewer and smaller stores: its folder, and what was said."""
    folder, said = tmp_path_factory.mktemp("theory"), io.StringIO()
    registry = shutil.copytree(scenarios.FOLDER, tmp_path_factory.mktemp("registry") / "files")
    pair = scenarios.get("pair")
    pair.model_copy(update={"arrivals": [1.5, 1.5]}).save(registry / "pair.json")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setattr(scenarios, "FOLDER", registry)
        shrink(patch)
        assert train.main(["theory", "--out", str(folder)]) == 0
    return folder, said.getvalue()


def shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "TOLERANCE", 1e-4)
    monkeypatch.setattr(classical, "lost_sales_grid", lambda: [("poisson", 4.0, 1)])
    monkeypatch.setattr(classical, "LEAD_TIMES", (1,))
    monkeypatch.setattr(known_perishables, "instances", lambda: [(2, 1)])
    monkeypatch.setattr(known_perishables, "poisson_instances", lambda: [(False, 0.0)])
    monkeypatch.setattr(perishable_rules, "LEVELS", range(4, 8))
    monkeypatch.setattr(perishables, "PERIODS", 100)
    for what in ("margin", "holding", "demand", "lead_time"):
        monkeypatch.setitem(coordination.CURVES, what, ())
    monkeypatch.setitem(coordination.CURVES, "lift", (0.6, 1.2))
    for view in list(coordination.MAPS):
        monkeypatch.delitem(coordination.MAPS, view)
    monkeypatch.setitem(coordination.MAPS, ("margin", "lift"), ((0.2, 0.3), (0.6, 1.2)))
    monkeypatch.setitem(coordination.MAPS, ("shelf_life", "margin"), ((2, 0), (0.3,)))
    pair = scenarios.get("pair").params()
    monkeypatch.setattr(foresight, "regimes", lambda _: {"pair": ("as it is", pair)})
    monkeypatch.setattr(foresight, "LIFTS", (1.2,))
    monkeypatch.setattr(foresight, "OVERSTOCK", 8)
    monkeypatch.setattr(foresight, "RATES", (0.05,))
    monkeypatch.setattr(foresight, "PENALTIES", (0.0, 4.0))
    monkeypatch.setattr(foresight, "STORES", 128)
    monkeypatch.setattr(foresight, "PERIODS", 200)
    monkeypatch.setattr(foresight, "BURN_IN", 50)


def test_the_verb_writes_what_it_promises(done):
    folder, said = done
    assert "published" in said and "stock-blind" in said
    found = json.loads((folder / THEORY).read_text())
    (row,) = found["lost_sales"]
    assert round(row["optimal_cost"], 2) == row["published"] == 4.04
    assert {"family", "penalty", "lead_time", "best_base_stock_cost"} <= set(row)
    assert {"penalty", "lead_time", "base_stock", "cost"} <= set(found["backlog"][0])
    (row,) = found["perishable"]
    assert round(row["optimal_cost"], 5) == 15.92061 and row["issuing"] == "LIFO"
    assert {"shelf_life", "experiment", "lead_time", "base_stock_cost", "base_stock"} <= set(row)
    (row,) = found["perishable_poisson"]
    assert round(row["rules"]["projected usable level"]["cost"], 6) == 5.001848
    assert {"joint", "silo", "stock_blind", "myopic"} <= set(found["pair"])
    assert len(found["value_of_coordination"]) == 2 + 4 + 2
    earning = [row for row in found["value_of_coordination"] if row["silo_gap"] is not None]
    assert len(earning) == 7  # two periods are too short at that margin
    for row in earning:
        assert row["silo_gap"] >= row["stock_blind_gap"] - 0.01 >= -0.02
    assert found["goodwill"][0]["gain_over_unaware"][0] >= 0
    assert found["responses"]["over_time"].keys() == {"surge", "delay", "overstock"}
    page = (folder / REPORT).read_text()
    assert "one plan for slates and orders" in page and ">keeps<" in page
    for name in (
        "value-curves",
        "value-maps",
        "shelf-lives",
        "foresight",
        "structure",
        "responses",
    ):
        header = (folder / f"{name}.png").read_bytes()[:24]
        assert struct.unpack(">II", header[16:])[0] == 1200


SHOWN = "[...document.querySelectorAll('svg.chart')].filter((each) => each.checkVisibility())"


def test_the_page_is_whole(browser: Browser, done):
    page = done[0] / REPORT
    browser.open(page, width=360)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    assert browser.complaints() == [] and browser.requests()[0] == page.as_uri()
    heights = browser.run(f"{SHOWN}.map((each) => each.clientHeight)")
    assert len(heights) == 1 + 2 + 4 and min(heights) > 100  # a curve, two levels, four responses
    assert browser.run("document.scripts.length") == 0
    before = browser.run(f"{SHOWN}.at(-1).ariaLabel")
    browser.run("document.querySelectorAll('#responses summary')[5].click()")
    after = browser.run(f"{SHOWN}.at(-1).ariaLabel")
    assert before.startswith("sales (units): product 1 from")
    assert after.startswith("sales (units): product 2 from")
