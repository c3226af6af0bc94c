"""The command line from settings to run folder, on the smallest store, for real."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pandas as pd
import pytest

import agents
import jaxsim
import train
from agents.runs import run_folder, serving
from agents.runs.interruption import Interrupted
from agents.runs.pipeline import load_departments, train_in_folder
from jaxsim import choice, scenarios
from tests.interrupted import QUIET, assert_same, files, resealed, stopped, unfinished
from tests.random_stores import random_state, stacked

ROOT = Path(__file__).parent.parent
SMALL = [
    *("--scenario", "pair", "--seed", "7", "--iterations", "22", "--stores", "32"),
    *("--horizon", "8", "--width", "8", "--evaluation-stores", "32"),
    *("--evaluation-periods", "40", "--burn-in", "20", "--evaluations", "2"),
    *("--tuning-effort", "0.04", "--save-seconds", "0"),  # after every chunk of 2 iterations
]
AGAIN = ["--stores", "32", "--periods", "40", "--burn-in", "20"]
"""An evaluation of the same size."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert train.main([*SMALL, "--out", str(folder)]) == 0
    return folder


def test_a_run_leaves_everything_behind(run):
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["scenario"], summary["regime"], summary["seed"]) == ("pair", "mtma", 7)
    assert summary["store_periods"] == 22 * 32 * 8
    assert list(summary["seconds"]) == ["tune", "compile", "learn", "evaluate", "write"]
    assert min(summary["seconds"].values()) > 0
    policies = summary["policies"]
    assert len(policies) == 16
    for row in policies.values():
        low, high = row["profit_ci95"]
        assert low < row["profit_mean"] < high and 0 < row["fill_rate"] <= 1
    best = summary["best_heuristic"]
    assert policies[best]["profit_mean"] == max(
        row["profit_mean"] for name, row in policies.items() if name != "learned"
    )
    gain = summary["gain_over_best_heuristic"]
    difference = policies["learned"]["profit_mean"] - policies[best]["profit_mean"]
    assert gain["mean"] == pytest.approx(difference, abs=1e-9)
    assert gain["percent"] == pytest.approx(100 * difference / policies[best]["profit_mean"])
    assert gain["ci95"][0] <= gain["mean"] <= gain["ci95"][1]
    assert json.loads((run / "config.json").read_text())["fast_per_slow"] == 1
    for picture in ("learning.png", "week.png"):
        assert (run / picture).read_bytes().startswith(b"\x89PNG")
    kept = {path.name for path in run.iterdir()}
    assert kept == {
        "config.json", "scenario.json", "heuristics.json", "metrics.csv", "summary.json",
        "checkpoints", "SHA256SUMS", "learning.png", "week.png", "report.html", "tensorboard",
    }  # fmt: skip


def test_a_store_is_played_until_it_is_ended(run):
    command = [sys.executable, "train.py", "play", str(run), "--silo", str(run), "--no-browser"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=QUIET, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().split()[2]
    with urlopen(address + "store") as reply:
        store = json.load(reply)
    assert store["name"] == "pair" and store["products"] == ["left", "right"]
    assert store["couples"].keys() == {"learned", "tuned", "siloed"}
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "stopped by SIGINT\n")
    assert process.returncode == 130


def test_metrics_count_what_was_done(run):
    metrics = pd.read_csv(run / "metrics.csv")
    done = np.arange(1, 23)
    assert list(metrics["iteration"]) == list(done)
    assert list(metrics["store_periods"]) == list(256 * done)
    assert list(metrics["critic_updates"]) == list(4 * done)
    assert list(metrics["fast_updates"]) == list(metrics["slow_updates"]) == list(done)
    assert (metrics["skipped_updates"] == 0).all()
    checked = metrics["greedy_profit"].notna()
    assert list(metrics["iteration"][checked]) == [12, 22]  # two checks, at the end of a chunk
    assert metrics.drop(columns="greedy_profit").notna().all(axis=None)


@pytest.mark.slow
def test_the_same_seed_writes_the_same_numbers_and_so_does_a_run_that_was_killed(tmp_path):
    """In processes of their own, which compile alike: stopped, killed, and led to its end.
    `make stress` kills more."""
    run, again = tmp_path / "run", tmp_path / "again"
    undisturbed, command = (
        [sys.executable, "train.py", *SMALL, "--out", str(folder)] for folder in (run, again)
    )
    subprocess.run(undisturbed, cwd=ROOT, env=QUIET, check=True)
    began = "store-periods/s"
    assert stopped(command, signal.SIGTERM, began) == 143
    assert stopped(command, signal.SIGKILL, began, 0.3) == -signal.SIGKILL
    done = subprocess.run(command, cwd=ROOT, env=QUIET, capture_output=True, text=True, check=True)
    assert_same(again, run, 22)
    both = [json.loads((each / "summary.json").read_text())["policies"] for each in (run, again)]
    assert both[0] == both[1]
    assert "going on from iteration" in done.stdout
    assert "iteration 22/22" in done.stdout and "learned" in done.stdout


def test_ctrl_c_finishes_the_chunk_and_saves_and_the_same_command_goes_on(run, tmp_path, capsys):
    folder = unfinished(run, tmp_path / "run", 18)
    config = train.parse([*SMALL, "--out", str(folder)]).training
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match="SIGINT; iteration 20 is saved in") as leaving:
        train_in_folder(config, lambda _: None, lambda _: signal.raise_signal(signal.SIGINT))
    assert leaving.value.code == 130 and signal.getsignal(signal.SIGINT) == handler
    assert len(pd.read_csv(folder / "metrics.csv")) == 20
    assert train.main([*SMALL, "--out", str(folder)]) == 0
    assert "going on from iteration 20" in capsys.readouterr().out
    assert_same(folder, run, 22)


def test_a_finished_run_is_shown_and_stays_as_it_is(run, capsys):
    before = files(run)
    assert train.main([*SMALL, "--out", str(run)]) == 0
    said = capsys.readouterr().out
    assert "this training is finished" in said and "The learned departments earn" in said
    assert re.search(r"Seconds: tune [0-9.]+, compile .*, write [0-9.]+; report [0-9.]+\.", said)
    assert files(run) == before


def test_other_settings_are_refused_by_name(run, capsys):
    before = files(run)
    other = ["--fast-rate", "0.1", "--regime", "joint"]
    assert train.main([*SMALL, *other, "--out", str(run)]) == 2
    error = capsys.readouterr().err
    assert "fast_rate 0.02 there, 0.1 here" in error and "regime mtma there, joint" in error
    assert "choose another --out, or remove the folder" in error and error.count("\n") == 1
    assert files(run) == before


def test_the_last_three_and_the_best_are_kept(run):
    """The first check, after 12 iterations, keeps the better of what was learned and the start; the
    second, after 22, what was learned since if it beats that."""
    folder = run / "checkpoints"
    before, after = (
        json.loads((folder / each / "about" / "metadata").read_text())["kept_profit"]
        for each in ("18", "22")
    )
    assert after >= before
    best = {"12"} if after == before else set()
    assert {path.name for path in folder.iterdir()} == {"18", "20", "22", "best"} | best


def test_what_is_damaged_is_named_and_the_same_numbers_are_reached_from_what_is_whole(
    run, tmp_path, capsys
):
    """The newest checkpoint is cut, the one before is another program's, and the last row of the
    metrics is cut in its middle."""
    folder = unfinished(run, tmp_path / "run", 22)
    largest = max((folder / "checkpoints/22/state/d").iterdir(), key=lambda d: d.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])
    shutil.rmtree(folder / "checkpoints/20")
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save((folder / "checkpoints/20").absolute(), {"weights": np.arange(3)})
    (folder / "metrics.csv").write_bytes((folder / "metrics.csv").read_bytes()[:-9])
    assert train.main([*SMALL, "--out", str(folder)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for each in ("22", "20"):
        assert f"{each}: not a whole checkpoint" in said and f"now {each}.damaged" in said
    assert "going on from iteration 18" in said
    assert_same(folder, run, 22)


def test_a_run_is_evaluated_again_to_the_same_numbers(run, capsys):
    assert train.main(["evaluate", str(run), *AGAIN]) == 0
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert evaluation["policies"] == json.loads((run / "summary.json").read_text())["policies"]
    (run / "evaluation.json").unlink()
    out = capsys.readouterr().out
    assert "The learned departments earn" in out and "one more unit of stock" in out
    best = evaluation["best_heuristic"]
    assert evaluation["shadow_prices"].keys() == {"learned", best}
    for product in (0, 1):
        price = evaluation["shadow_prices"][best]["stock"][product]
        assert price["ci95"][0] < price["mean"] < price["ci95"][1] and price["mean"] > 0


def refused(word: str) -> float:
    """What JSON has no word for."""
    raise AssertionError(f"{word} is not JSON")


def test_a_store_without_customers_earns_nothing_and_what_is_written_says_why_shares_are_null(
    run, tmp_path, capsys
):
    folder = shutil.copytree(run, tmp_path / "run")
    scenarios.get("pair").model_copy(update={"arrivals": 0.0}).save(folder / "scenario.json")
    resealed(folder, "scenario.json")
    assert train.main(["evaluate", str(folder), *AGAIN]) == 0
    found = json.loads((folder / "evaluation.json").read_text(), parse_constant=refused)
    best = found["policies"][found["best_heuristic"]]
    assert best["profit_mean"] == 0 and best["fill_rate"] is None
    assert found["gain_over_best_heuristic"]["percent"] is None
    assert found["why_null"]["fill_rate"] == "no product was asked for"
    assert found["why_null"]["percent"] == "the best heuristic earns 0"
    summary = json.loads((folder / "summary.json").read_text())
    summary = {field: found.get(field, value) for field, value in summary.items()}
    (folder / "summary.json").write_text(json.dumps(summary))  # as a training leaves it
    resealed(folder, "summary.json")
    assert train.main(["report", str(folder)]) == 0
    assert "nan" not in capsys.readouterr().out
    assert "nan" not in (folder / "report.html").read_text().split("<script", 1)[0]


def test_what_became_of_the_scenario_file_after_the_training_changes_nothing(run, tmp_path):
    copy, file = tmp_path / "run", tmp_path / "pair.json"
    shutil.copytree(run, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"scenario": str(file)}))
    resealed(copy, "config.json")
    other = {"about": "Another store.", "products": ["new left", "new right"], "price": 99.0}
    scenarios.get("pair").model_copy(update=other).save(file)
    assert train.main(["evaluate", str(copy), *AGAIN]) == 0
    evaluation, summary = (
        json.loads((copy / name).read_text()) for name in ("evaluation.json", "summary.json")
    )
    assert evaluation["policies"] == summary["policies"]
    assert agents.load(copy).summary == summary
    assert train.main(["report", str(copy)]) == 0
    page = (copy / "report.html").read_text()
    assert scenarios.get("pair").about in page and "likes left" in page and "new left" not in page
    out = tmp_path / "alone"
    assert train.main(["export", str(copy), "--department=recommendation", f"--out={out}"]) == 0
    assert serving.load(out).schema["products"] == ["left", "right"]


def test_runs_are_reported_beside_each_other(run, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    page = tmp_path / "both.html"
    assert train.main(["report", str(run), str(other), "--out", str(page)]) == 0
    written = page.read_text(encoding="utf-8")
    assert str(run) in written and str(other) in written and "Two trainings" in written
    assert {path.name for path in tmp_path.iterdir()} == {"other", "both.html"}


@pytest.mark.parametrize("name", ["replenishment", "recommendation"])
def test_a_department_is_exported_and_decides_as_in_the_run(run, tmp_path, name):
    out = tmp_path / "alone"
    assert train.main(["export", str(run), "--department", name, "--out", str(out)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["alone"]
    served = serving.load(out)
    departments = load_departments(
        run, run_folder.read_config(run), run_folder.read_heuristics(run)
    )
    params = scenarios.get("pair").params()
    states = random_states(params, 50)
    memory = jax.vmap(lambda _: departments.start(params))(jnp.arange(50))
    act = jax.jit(lambda pair, *inputs: jax.vmap(pair.act, (None, 0, 0, None))(*inputs))
    action, _ = act(departments, jax.random.key(0), memory, states, params)
    given = vars(states) | served.start(50)
    given["attention"] = jax.vmap(choice.mean_attention, (0, None))(action.slate, params)
    alone = served.decide({name: given[name] for name in served.schema["properties"]})
    field = {"replenishment": "order", "recommendation": "slate"}[name]
    np.testing.assert_array_equal(alone[field], getattr(action, field))
    assert len(np.unique(alone[field], axis=0)) > 1


def test_days_that_happened_are_tried_under_every_policy(run, tmp_path, capsys):
    days = pd.date_range("2024-01-01", periods=60).repeat(40)
    receipts = pd.DataFrame({"date": days, "product": "left", "price": 10.0})
    receipts.to_csv(tmp_path / "sales.csv", index=False)
    arguments = ["backtest", str(run), "--transactions", str(tmp_path / "sales.csv")]
    assert train.main([*arguments, "--stores", "16", "--burn-in", "10"]) == 0
    assert "15 days from 2024-02-15" in capsys.readouterr().out
    summary = json.loads((run / "backtest.json").read_text())
    assert summary["days"] == 15 and len(summary["policies"]) in (2, 3)
    assert {"learned", summary["best_heuristic"]} <= set(summary["policies"])
    by_day = pd.read_csv(run / "backtest.csv")
    for name, own in by_day.groupby("policy"):
        earned = summary["policies"][name]["profit_mean"]
        assert own["profit"].sum() == pytest.approx(earned, rel=1e-4)
        np.testing.assert_allclose(own["traffic"], 1.0)
    assert (run / "backtest.png").read_bytes().startswith(b"\x89PNG")
    for name in ("json", "csv", "png"):
        (run / f"backtest.{name}").unlink()


def random_states(params, count):
    return stacked([random_state(seed, params) for seed in range(count)])


def test_a_run_of_an_earlier_version_is_refused_by_the_version_that_can_read_it(
    run, tmp_path, capsys
):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    config = json.loads((copy / "config.json").read_text())
    assert config.pop("version") == jaxsim.__version__
    (copy / "config.json").write_text(json.dumps(config | {"trace": 0.9}))
    assert train.main(["evaluate", str(copy)]) == 2
    error = capsys.readouterr().err
    assert "a run of version 0.1.0" in error and "closing-the-loop 0.1.0 can read it" in error
    assert error.count("\n") == 1


def test_the_nearest_run_is_named(run, capsys):
    assert train.main(["evaluate", str(run.parent / "fisrt")]) == 2
    assert f"did you mean {run}?" in capsys.readouterr().err


def test_an_unwritable_run_folder_is_refused_before_any_work(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert train.main([*SMALL, "--out", str(tmp_path / "file" / "run")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    if os.geteuid() != 0:  # nothing is unwritable to root
        (tmp_path / "locked").mkdir(mode=0o500)
        assert train.main([*SMALL, "--out", str(tmp_path / "locked" / "run")]) == 2


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def replaced(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


DAMAGED = {
    "settings cut short": (lambda run: cut(run / "config.json"), "config.json: not a JSON file"),
    "another seed": (lambda run: replaced(run / "config.json", '"seed": 7', '"seed": 8'),
                     "config.json: is not the file that was written"),
    "a word for a number": (lambda run: replaced(run / "config.json", '"width": 8', '"width": "8"'),
                            "config.json: width: '8'; allowed: a valid integer"),
    "no stores": (lambda run: replaced(run / "config.json", '"stores": 32', '"stores": 0'),
                  "config.json: stores: 0; allowed: 1 or more"),
    "no regime": (lambda run: replaced(run / "config.json", '"mtma"', "null"),
                  "config.json: regime: None; allowed: 'silo', "),
    "another price": (lambda run: replaced(run / "scenario.json", "10.0", "11.0"),
                      "scenario.json: is not the file that was written"),
    "no pairs": (lambda run: (run / "heuristics.json").write_text('{"pairs": []}'),
                 "heuristics.json: pairs: 0 pairs; allowed: one or more of 30"),
    "another pair": (
        lambda run: replaced(run / "heuristics.json", "when_tuned\": ", "when_tuned\": 1"),
        "heuristics.json: is not the file that was written"),
    "an interval of one number": (
        lambda run: replaced(run / "summary.json", '"ci95": [', '"ci95": [], "x": ['),
        "summary.json: gain_over_best_heuristic.ci95.0: is missing"),
    "metrics cut in a row": (lambda run: cut(run / "metrics.csv"),
                             "metrics.csv: is not the file that was written"),
    "no checkpoints": (lambda run: shutil.rmtree(run / "checkpoints"), "no checkpoint here"),
    "no checksums of them": (lambda run: cut(run / "SHA256SUMS"), "SHA256SUMS: is damaged"),
    "weights of another": (
        lambda run: shutil.copy(run / "config.json", run / "checkpoints/best/manifest.ocdbt"),
        "checkpoints/best/manifest.ocdbt: is not the file that was written"),
    "one file more": (lambda run: (run / "checkpoints/best/more").touch(),
                      "checkpoints/best/more: is not the file that was written"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "said"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_run_is_refused_by_its_file(run, tmp_path, damage, said, capsys):
    copy = shutil.copytree(run, tmp_path / "run")
    damage(copy)
    assert train.main(["report", str(copy)]) == 2
    error = capsys.readouterr().err
    assert str(copy) in error and said in error and error.count("\n") == 1


def test_a_run_without_checksums_is_read_and_that_is_said(run, tmp_path, caplog):
    """As builds of version 0.2 left it before there were any, with two times in its summary."""
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "SHA256SUMS").unlink()
    summary = json.loads((copy / "summary.json").read_text())
    times = {"compile_seconds": 1.0, "train_seconds": summary.pop("seconds")["learn"]}
    (copy / "summary.json").write_text(json.dumps(summary | times))
    assert agents.load(copy).summary.items() >= times.items()
    (record,) = caplog.records
    assert "has no SHA256SUMS, so damage to it would not be noticed" in record.getMessage()
