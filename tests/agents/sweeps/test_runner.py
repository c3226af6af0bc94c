"""A sweep that is stopped goes on, every run of it is the same training alone, and a study is made
of sweeps.
"""

import dataclasses
import json
import pickle
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import agents
import train
from agents import files
from agents.errors import RunError
from agents.evaluation.tuning import Effort
from agents.learning.config import TrainConfig
from agents.runs.pipeline import Result
from agents.study import insights
from agents.study.settings import StudyConfig
from agents.study.study import reproduce
from agents.study.variants import REGIMES_PART, Variant
from agents.sweeps import runner, sweep_folder
from agents.sweeps.baselines import Stores, run_row, simulated
from agents.sweeps.chunks import Chunk, Member, cut
from agents.sweeps.engine import Progress
from agents.sweeps.grid import PlannedRun, parse_grid, planned_runs
from agents.sweeps.runner import run_sweep, sweep_with
from agents.sweeps.settings import SweepConfig
from agents.sweeps.sweep_folder import read_table
from agents.theory import convergence
from jaxsim import scenarios
from tests import interrupted
from tests.interrupted import resealed

SMALL = dict(
    iterations=4, stores=16, horizon=4, width=8, replenishment_memory="none",
    evaluation_stores=16, evaluation_periods=30, burn_in=10, evaluations=2, tuning_effort=0.04,
)  # fmt: skip
EFFORT = Effort().times(SMALL["tuning_effort"])
SEED, ENTROPY = 3, 0.03


def config_of(folder: Path) -> SweepConfig:
    training = TrainConfig.by_score(scenario="pair", seed=2, out=folder, **SMALL)
    return SweepConfig(training, 2, (f"entropy_coef=0.01,{ENTROPY}", "holding=x2"), together=2)


def planned(folder: Path) -> list[PlannedRun]:
    """The runs of the sweep."""
    config = config_of(folder)
    store = scenarios.get(config.training.scenario)
    return planned_runs(config.training, store, parse_grid(config.grid), config.seeds)


class Elsewhere:
    """An engine that sends every task and every result, and is done with the last task first."""

    def chunks(self, members: Sequence[Member], most: int | None) -> list[Chunk]:
        return cut(members, most or 1, devices=1)

    def each(self, work: Callable, tasks: Sequence) -> Iterator[tuple]:
        for task in reversed(tasks):
            sent = pickle.loads(pickle.dumps(task))
            yield task, pickle.loads(pickle.dumps(work(sent, lambda *_: None)))


class Stopped(Exception):
    """Somebody pulls the plug."""


def stop_in_the_second_chunk(news: str, share: float) -> None:
    stop_in_the_second_chunk.done += share
    if stop_in_the_second_chunk.done > 2:
        raise Stopped


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Stopped in the second of two chunks, then started again; what the second start said."""
    folder, said = tmp_path_factory.mktemp("sweep"), []
    stop_in_the_second_chunk.done = 0.0

    def nothing(*_):
        return None

    with pytest.raises(Stopped):
        run_sweep(config_of(folder), Progress(nothing, nothing, stop_in_the_second_chunk))
    assert not (folder / "runs.csv").exists()
    told = Progress(said.append, lambda *counts: said.append(f"{counts}"), nothing)
    rows = run_sweep(config_of(folder), told)
    pd.testing.assert_frame_equal(rows, pd.read_csv(folder / "runs.csv"))
    return folder, said


@pytest.fixture(scope="module")
def alone() -> Result:
    """The last run of the sweep on its own."""
    pair = scenarios.get("pair")
    dearer = pair.model_copy(
        update={"holding": [2 * each for each in pair.params().holding.tolist()]}
    )
    return agents.train(TrainConfig.by_score(seed=SEED, entropy_coef=ENTROPY, **SMALL), dearer)


def test_a_stopped_sweep_goes_on_with_what_is_missing(swept):
    folder, said = swept
    assert said[0] == "(4, 2)"
    assert not any("tuning" in each for each in said)
    rows = pd.read_csv(folder / "runs.csv")
    assert list(rows["run"]) == [0, 1, 2, 3]
    assert list(rows["seed"]) == [2, 3, 2, 3]
    assert list(rows["entropy_coef"]) == [0.01, 0.01, ENTROPY, ENTROPY]
    assert set(rows["holding"]) == {"x2"} and set(rows["store_periods"]) == {4 * 16 * 4}
    assert rows.notna().all(axis=None)
    pairs = pd.read_csv(folder / "heuristics.csv")
    assert sorted(pairs["seed"]) == [2, 3]  # once for each seed of the one store
    assert not list(folder.rglob(".*"))


def test_whoever_does_the_work_in_whatever_order_the_folder_is_the_same(swept, tmp_path: Path):
    config = config_of(tmp_path / "sweep")
    rows = sweep_with(Elsewhere(), config, Progress(*[lambda *_: None] * 3))
    assert list(rows["run"]) == [0, 1, 2, 3]
    assert interrupted.files(config.folder) == interrupted.files(swept[0])


def test_a_run_in_a_sweep_is_the_run_alone(swept, alone):
    row = pd.read_csv(swept[0] / "runs.csv").iloc[-1]
    summary = alone.summary
    learned = summary["policies"]["learned"]
    assert row["seed"] == SEED and row["store_periods"] == summary["store_periods"]
    assert row["best_heuristic"] == summary["best_heuristic"]

    def close(value):
        return pytest.approx(value, rel=1e-4, abs=1e-4)

    assert row["profit"] == close(learned["profit_mean"])
    assert [row["profit_low"], row["profit_high"]] == close(learned["profit_ci95"])
    assert row["gain"] == close(summary["gain_over_best_heuristic"]["mean"])
    assert [row["gain_low"], row["gain_high"]] == close(summary["gain_over_best_heuristic"]["ci95"])
    for column, kpi in {"holding_paid": "holding", "bullwhip": "bullwhip"}.items():
        assert row[column] == close(learned[kpi])


def test_its_learning_curve_is_the_one_of_the_run_alone(swept, alone):
    curves = pd.read_parquet(swept[0] / "curves.parquet")
    assert curves.groupby("run").size().tolist() == [4] * 4
    metrics = alone.metrics
    mine = curves[curves["run"] == 3].reset_index(drop=True)
    shared = [column for column in metrics.columns if column in mine.columns]
    assert {"profit", "greedy_profit", "critic_loss", "slow_updates"} <= set(shared)
    pd.testing.assert_frame_equal(
        mine[shared], metrics[shared], check_dtype=False, rtol=1e-3, atol=1e-4
    )


def test_a_run_is_built_again_from_the_folder_and_earns_what_it_earned(swept):
    folder, runs = swept[0], planned(swept[0])
    stores = Stores(folder / sweep_folder.STORES, EFFORT)
    rows = pd.read_csv(folder / "runs.csv", float_precision="round_trip")
    for run in (runs[0], runs[-1]):
        departments = runner.kept_departments(folder, run, stores)
        again = run_row(run, simulated(run, departments), stores.baseline(run))
        row = rows.iloc[run.number].to_dict()
        assert {name: row[name] for name in again} == again


def test_what_is_kept_is_found_again_by_its_settings_and_its_version_alone(swept, monkeypatch):
    stores = Stores(swept[0] / sweep_folder.STORES, EFFORT)
    store = planned(swept[0])[0].scenario
    assert len(stores.tuned(store)) == 15
    with pytest.raises(RunError, match="no pairs of this version for the store 'pair'"):
        stores.tuned(store.model_copy(update={"substitution": 0.123}))
    keys = {files.key_of(**each.settings()) for each in (convergence, insights)}
    monkeypatch.setattr(convergence, "BATCH", 8)
    monkeypatch.setattr(insights, "SHORTEST", 7)
    keys |= {files.key_of(**each.settings()) for each in (convergence, insights)}
    monkeypatch.setattr(files, "version", lambda: "99.0")
    keys |= {files.key_of(**each.settings()) for each in (convergence, insights)}
    assert len(keys) == 6
    with pytest.raises(RunError, match="no pairs of this version for the store 'pair'"):
        stores.tuned(store)


def test_what_became_of_the_scenario_file_after_the_sweep_changes_nothing(
    swept, tmp_path: Path, capsys
):
    folder = shutil.copytree(swept[0], tmp_path / "sweep")
    settings = json.loads((folder / "sweep.json").read_text())
    settings["variants"]["all"]["scenario"] = "gone.json"
    (folder / "sweep.json").write_text(json.dumps(settings))
    assert train.main(["report", str(folder)]) == 2
    assert "sweep.json: is not the file that was written" in capsys.readouterr().err
    resealed(folder, "sweep.json")
    assert train.main(["report", str(folder)]) == 0
    assert scenarios.get("pair").about in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"seeds": 0}, "sweep.json: seeds: 0; allowed: greater than or equal to 1"),
        ({"grid": {"colour": [1]}}, "sweep.json: grid: colour is no setting; allowed: critic_rate"),
        ({"variants": {"all": {}}}, "sweep.json: variants.all.scenario: is missing"),
        ({"store": None}, "sweep.json: store: None; allowed: an object"),
        ({"more": 1}, "sweep.json: more: unknown field; allowed: version, seeds, store"),
    ],
)  # fmt: skip
def test_edited_settings_of_a_sweep_are_refused_by_field(swept, tmp_path, edit, said):
    settings = json.loads((swept[0] / "sweep.json").read_text()) | edit
    (tmp_path / "sweep.json").write_text(json.dumps(settings))
    with pytest.raises(RunError, match=re.escape(said)):
        sweep_folder.read_settings(tmp_path)


@pytest.mark.usefixtures("nans_on_purpose")
def test_a_run_whose_updates_stop_being_finite_is_not_like_any_other(tmp_path: Path):
    training = TrainConfig.by_score(scenario="pair", seed=2, out=tmp_path / "sweep", **SMALL)
    config, said = SweepConfig(training, 1, ("critic_rate=2e-3,1e38",), together=2), []
    rows = run_sweep(config, Progress(said.append, lambda *_: None, lambda *_: None))
    assert rows["failed"].tolist() == [False, True]
    assert rows["skipped_updates"].iloc[0] == 0 and rows["skipped_updates"].iloc[1] >= 50
    assert rows["profit"].notna().all()  # of the weights that were kept
    (told,) = [each for each in said if "failed" in each]
    assert told.startswith("run 1 failed: updates stopped being finite,")
    again: list[str] = []
    run_sweep(config, Progress(again.append, lambda *_: None, lambda *_: None))
    assert again == [told]


def test_a_run_without_its_weights_is_not_finished(swept, tmp_path: Path):
    folder = shutil.copytree(swept[0], tmp_path / "sweep")
    assert sweep_folder.finished_runs(folder) == {0, 1, 2, 3}
    chunk = folder / "chunks" / "00002"
    (chunk / "weights.safetensors").rename(tmp_path / "weights")
    assert sweep_folder.finished_runs(folder) == {0, 1}
    with pytest.raises(RunError, match="no weights of run 3; allowed: a run that is finished"):
        sweep_folder.read_weights(folder, 3, {})
    tables = {name: read_table(chunk, name) for name in ("runs.csv", "curves.parquet")}
    sweep_folder.write_chunk(folder, tables, {2: {"w": np.ones(2)}, 3: {"w": np.arange(3.0)}})
    assert sweep_folder.finished_runs(folder) == {0, 1, 2, 3}
    kept = sweep_folder.read_weights(folder, 3, {"w": np.zeros(3)})
    np.testing.assert_array_equal(kept["w"], np.arange(3.0))


def test_a_sweep_of_other_settings_is_refused(swept):
    folder = swept[0]
    config = config_of(folder)
    nothing = Progress(*[lambda *_: None] * 3)
    other = SweepConfig(config.training, 3, config.grid)
    with pytest.raises(RunError, match=r"seeds: 3; allowed: 2, of which .* holds a sweep"):
        run_sweep(other, nothing)
    before = (folder / "runs.csv").read_bytes()
    assert len(run_sweep(SweepConfig(config.training, 2, config.grid, "9GiB"), nothing)) == 4
    assert (folder / "runs.csv").read_bytes() == before


def test_a_sweep_is_reported(swept):
    folder, _ = swept
    assert train.main(["report", str(folder)]) == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "4 trainings in 2 groups" in page and "mtma, entropy_coef=0.03, holding=x2" in page
    assert "--seeds 2 --grid entropy_coef=0.01,0.03 --grid holding=x2" in page


def test_a_variant_called_by_a_number_stays_a_name(tmp_path: Path):
    table = pd.DataFrame({"variant": ["1", "1"], "seed": [0, 1]})
    table.to_csv(tmp_path / "runs.csv", index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path, "runs.csv"), table, check_dtype=False)
    assert list(read_table(tmp_path, "runs.csv")["variant"]) == ["1", "1"]


def test_a_name_that_a_spreadsheet_would_calculate_is_quoted_and_read_as_it_was(tmp_path: Path):
    names = ["=1+1", "+1 more", "-2", "@shop", "'quoted", "plain"]
    table = pd.DataFrame({"scenario": names, "profit": [-1.5, 2, 3, 4, 5, 6]})
    files.write_table(tmp_path / "runs.csv", table)
    text = (tmp_path / "runs.csv").read_text().splitlines()
    assert text[1:4] == ["'=1+1,-1.5", "'+1 more,2.0", "-2,3.0"]
    pd.testing.assert_frame_equal(read_table(tmp_path, "runs.csv"), table, check_dtype=False)


def test_a_study_of_one_program_writes_everything_and_has_nothing_left_to_do(tmp_path: Path):
    config = StudyConfig(seeds=2, out=tmp_path, together=2)
    base = TrainConfig.by_score(scenario="pair", **SMALL)
    found = [
        Variant(REGIMES_PART, "mtma", base, 2),
        Variant("rate ratio", "slower", dataclasses.replace(base, slow_rate=1e-3), 2),
    ]
    first = reproduce(config, Progress(*[lambda *_: None] * 3), found)
    rows = pd.read_csv(tmp_path / "results" / "study.csv")
    assert list(rows["regime"]) == ["mtma"] * 4 + ["heuristic"] * 2
    assert list(rows["seed"]) == [0, 1, 0, 1, 0, 1]
    assert list(rows["store_periods"][:4]) == [4 * 16 * 4] * 4
    assert rows[["profit", "fill_rate", "gain"]].notna().all(axis=None)
    paired = rows["profit"][:4].to_numpy() - np.tile(rows["profit"][4:].to_numpy(), 2)
    np.testing.assert_allclose(rows["gain"][:4], paired, atol=1e-9)
    pd.testing.assert_frame_equal(first, rows, check_dtype=False)
    page = (tmp_path / "RESULTS.md").read_text()
    for link in re.findall(r"\]\(([^)]+)\)", page):
        assert (tmp_path / link).exists()
    report = (tmp_path / "results" / "pair.html").read_text(encoding="utf-8")
    assert "4 trainings in 2 groups" in report and "slower" in report
    answers = pd.read_csv(tmp_path / "results" / "insights.csv")
    assert set(zip(answers["policy"], answers["seed"], strict=True)) == {
        (policy, seed) for policy in ("learned", "tuned", "exact") for seed in (0, 1)
    }
    assert "### How learned departments answer on pair" in page
    assert "--slow-rate 0.001" in report and "--log" not in report
    said: list[str] = []
    again = Progress(said.append, lambda *_: None, lambda *_: None)
    pd.testing.assert_frame_equal(reproduce(config, again, found), first)
    assert not [each for each in said if re.search("compiling|tuning|answer", each)]
    assert (tmp_path / "RESULTS.md").read_text() == page
    joint = dataclasses.replace(base, regime="joint")
    more = [*found, Variant(REGIMES_PART, "joint", joint, 2)]
    reproduce(dataclasses.replace(config, finished_only=True), again, more)
    assert "## Not finished" not in page
    assert "| pair | regimes | joint |" in (tmp_path / "RESULTS.md").read_text()
