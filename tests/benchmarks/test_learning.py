"""The rows of what is learned: what the seeds' files hold, in means and intervals."""

from pathlib import Path

import pytest

from agents.files import open_folder, write_json
from benchmarks.learning import Config, table

SEED = {"gain": 1.0, "store_periods": 8, "seconds": 2.0}


def kept(folder: Path, name: str, *seeds: dict) -> None:
    for number, seed in enumerate(seeds):
        write_json(open_folder(folder / name) / f"seed-{number}.json", seed)


def kpis(waste: float) -> dict:
    found = {"waste": waste, "availability": 0.5, "service_level": 0.75}
    return {"kpis": {"learned": found, "pair": found | {"waste": 2 * waste}}}


def test_rows_keep_the_key_figures_of_both_sides(tmp_path: Path) -> None:
    """Not where one of the seeds has none, and none of published stores, whose gaps are kept."""
    kept(tmp_path, "fresh", SEED | kpis(1.0), SEED | kpis(2.0), SEED | {"gain": 4.0} | kpis(6.0))
    kept(tmp_path, "loyal", SEED | kpis(1.0), SEED)
    grid = {"store_periods": 8, "seconds": 2.0, "gaps": {"a": 0.1, "b": 0.3}}
    kept(tmp_path, "perishable", grid, grid, grid)
    rows = {row["name"]: row for row in table(Config(work=tmp_path))}
    assert rows.keys() == {"fresh", "loyal", "perishable-mean", "perishable-worst"}
    found = rows["fresh"]["kpis"]
    assert (found["learned"]["waste"], found["pair"]["waste"]) == (3.0, 6.0)
    assert found["pair"]["availability"] == 0.5 and rows["fresh"]["gain"] == 2.0
    assert "kpis" not in rows["loyal"] and "gain" not in rows["perishable-worst"]
    assert rows["perishable-mean"]["gap_percent"] == pytest.approx(0.2)
