"""The verb `theory`, on few and small stores, writes everything it promises."""

import json
import struct

import pytest

import train
from agents import classics, coordination, foresight, goodwill, theory_study
from jaxsim import scenarios


@pytest.fixture
def small(monkeypatch):
    """The same study over fewer stores."""
    monkeypatch.setattr(classics, "lost_sales_grid", lambda: [("poisson", 4.0, 1)])
    monkeypatch.setattr(classics, "LEAD_TIMES", (1,))
    for what in ("margin", "holding", "demand", "lead_time"):
        monkeypatch.setitem(coordination.CURVES, what, ())
    monkeypatch.setitem(coordination.CURVES, "lift", (0.6, 1.2))
    for view in list(coordination.MAPS):
        monkeypatch.delitem(coordination.MAPS, view)
    for view in (("margin", "lift"), ("holding", "lift")):
        monkeypatch.setitem(coordination.MAPS, view, ((0.2, 0.3), (0.6, 1.2)))
    pair = scenarios.get("pair").params()
    monkeypatch.setattr(
        foresight, "regimes", lambda _: [foresight.Regime("pair", "as it is", pair)]
    )
    monkeypatch.setattr(foresight, "LIFTS", (1.2,))
    monkeypatch.setattr(foresight, "OVERSTOCK", 8)
    monkeypatch.setattr(goodwill, "RATES", (0.05,))
    monkeypatch.setattr(goodwill, "PENALTIES", (0.0, 4.0))
    monkeypatch.setattr(goodwill, "STORES", 128)


def test_the_verb_writes_what_it_promises(small, tmp_path, capsys):
    assert train.main(["theory", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "published" in said and "stock-blind" in said
    found = json.loads((tmp_path / theory_study.THEORY).read_text())
    (row,) = found["lost_sales"]
    assert round(row["optimal_cost"], 2) == row["published"] == 4.04
    assert {"family", "penalty", "lead_time", "best_base_stock_cost"} <= set(row)
    assert {"penalty", "lead_time", "base_stock", "cost"} <= set(found["backlog"][0])
    assert {"joint", "silo", "stock_blind", "myopic"} <= set(found["pair"])
    assert len(found["value_of_coordination"]) == 2 + 2 * 4
    for row in found["value_of_coordination"]:
        assert row["silo_gap"] >= row["stock_blind_gap"] - 0.01 >= -0.02
    assert found["goodwill"][0]["gain_over_unaware"][0] >= 0
    assert found["responses"]["over_time"].keys() == {"surge", "delay", "overstock"}
    assert "one plan for slates and orders" in (tmp_path / theory_study.REPORT).read_text()
    for name in ("value-curves", "value-maps", "foresight", "structure", "responses"):
        header = (tmp_path / f"{name}.png").read_bytes()[:24]
        assert struct.unpack(">II", header[16:])[0] == 1200
