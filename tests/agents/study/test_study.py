"""The study plans what the page needs, and writes what it counted."""

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from agents.errors import ConfigError, RunError
from agents.learning.regimes import REGIMES
from agents.report.tables import study_table
from agents.study import rates, results_tables, study
from agents.study.results_page import learning_of, page_of, write_page
from agents.study.results_pictures import CLOCKS, MEASURES, percent_over
from agents.study.settings import StudyConfig
from agents.study.study import reproduce
from agents.study.variants import (
    CEILING,
    MAIN,
    METHODS,
    QUICK_METHODS,
    QUICK_STORES,
    REGIMES_PART,
    STORES,
    variants,
)
from agents.sweeps.engine import Progress
from agents.sweeps.sweep_folder import read_table

ROOT = Path(__file__).parents[3]
SILENT = Progress(*[lambda *_: None] * 3)


@pytest.mark.parametrize("quick", [False, True])
def test_every_variant_on_a_store_has_the_same_budget_and_is_a_valid_training(quick):
    found = variants(quick, 3, 40 if quick else None)
    compared = [each for each in found if each.part == REGIMES_PART]
    stores = QUICK_STORES if quick else STORES
    methods = QUICK_METHODS if quick else [*REGIMES, "mtma-score"]
    assert {(each.config.scenario, each.name) for each in compared} == {
        (store, name) for store in stores for name in methods
    }
    budgets = {
        (each.config.scenario, each.config.store_periods) for each in found if each.part != CEILING
    }
    assert len(budgets) == len(stores)
    for each in found:
        each.config.validate()
    base = {each.config.scenario: each.config for each in compared if each.name == MAIN}
    changed = [each for each in found if each.part not in (REGIMES_PART, CEILING)]
    assert bool(changed) != quick
    assert all(each.config != base[each.config.scenario] for each in changed)


def test_long_trainings_have_ten_times_the_experience_of_the_usual_ones():
    found = variants(quick=False, seeds=3, rounds=None)
    usual = {each.config.scenario: each.config for each in found if each.name == MAIN}
    long = [each for each in found if each.part == CEILING]
    assert {each.config.scenario for each in long} == set(STORES)
    for each in long:
        assert each.config.store_periods == 10 * usual[each.config.scenario].store_periods


def test_variants_of_one_shape_share_a_program(tmp_path: Path):
    usual = [each for each in variants(False, seeds=3, rounds=40) if each.part != CEILING]
    programs = study.programs_of(usual, tmp_path)
    for program in programs:
        assert len({run.config.static_config() for run in program.runs}) == 1
        assert [run.number for run in program.runs] == list(range(len(program.runs)))
        assert [run.config.seed for run in program.runs[:3]] == [0, 1, 2]
    assert len({program.folder for program in programs}) == len(programs)
    names = [{run.settings["variant"] for run in program.runs} for program in programs]
    on_boutique, on_fresh = (each for each in names if "constant rates" in each)
    assert {"mtma", "exponents 0.51 and 0.6", "at one temperature"} <= on_boutique == on_fresh
    program, _ = (each for each in programs if "constant rates" in str(each.settings))
    assert program.settings["seeds"] == 3
    assert program.settings["variants"]["constant rates"]["timescales"] == "constant"
    first = {run.settings["variant"] for each in programs if each.named_beforehand
             for run in each.runs if run.settings["part"] == REGIMES_PART}  # fmt: skip
    assert first == set(QUICK_METHODS)


def rows_of(gains: dict[str, list[float]], scenario: str = "boutique") -> pd.DataFrame:
    rows = [
        dict(
            scenario=scenario, part="regimes", variant=regime, regime=regime, seed=seed,
            store_periods=1000, profit=100 + gain, gain=gain, availability=0.9, holding_paid=3.0,
            service_level=0.8, waste=0.5, learner="path", to_99_percent=500.0, worst_drop=1.5,
            last_fifth=0.05, best_heuristic="margin+capped",
        )
        for regime, values in gains.items()
        for seed, gain in enumerate(values)
    ]  # fmt: skip
    best = [
        rows[0] | dict(part="heuristic", variant="margin+capped", regime="heuristic", seed=seed)
        | dict(profit=100.0, gain=0.0)
        for seed in range(4)
    ]  # fmt: skip
    return pd.DataFrame(rows + best)


GOOD, BAD = [5.0, 5.1, 5.2, 5.3], [2.0, 3.0, 4.0, 1.0]
AROUND_0 = [-1.0, 1.0, 2.0, -2.0]


def test_learning_is_timed_and_its_drops_are_found():
    curve = pd.DataFrame(
        {"store_periods": [10, 20, 30, 40, 50], "greedy_profit": [80.0, 99.5, 104.0, 91.0, 100.0]}
    )
    found = learning_of(curve)
    assert found.pop("last_fifth") == pytest.approx(100 * 9 / 104)
    assert found == {"to_99_percent": 20.0, "worst_drop": 12.5}


def test_the_page_is_made_of_the_rows():
    rows = rows_of({"silo": BAD, "joint": AROUND_0, "mtma": GOOD})
    slower = rows[rows["regime"] == "mtma"].assign(
        part="rates", variant="slower", gain=lambda each: each["gain"] - 1,
        profit=lambda each: each["profit"] - 1,
    )  # fmt: skip
    page = page_of(pd.concat([rows, slower]))
    assert "| boutique | 1,000 | 4 |" in page
    assert "## What the parts are worth, on boutique" in page
    assert "| slower | +4.15 [+3.94, +4.36] | -1.00 [-1.00, -1.00] |" in page
    assert "| best tuned pair | 100.00 [100.00, 100.00] |  |  | 0.900 | 0.800 | 0.50" in page
    # The mean of -1, 1, 2, -2 and of its paired differences, plus and less t(3) = 3.182 errors.
    assert "| joint | 100.00 [97.09, 102.91] | *+0.00 [-2.91, +2.91]* | +5.15 [" in page
    assert "Comparisons in this table: 5, over 4 seeds." in page  # two of mtma, three gains
    assert "| boutique | `joint` | equal |  | 500 | 1.83 | 1.50 % | +0.05 % |" in page
    assert re.search(r"\| `mtma` \| three \| \+5.15 \[.*\] \| 500 \| 0.13 \| 1.50 % \|", page)


def test_the_comparisons_named_beforehand_are_one_family_over_all_stores():
    names = {"silo": BAD, "joint": AROUND_0, "mtma": GOOD, "mtma-score": BAD}
    rows = pd.concat([rows_of(names), rows_of(names, "fresh")])
    found = results_tables.primary(rows[rows["part"] == REGIMES_PART])
    assert [line[0] for line in found.lines] == ["boutique", "fresh"]
    assert found.note == "Comparisons in this table: 8, over 4 seeds."
    assert found.lines[0][1].startswith("+5.15 [")  # over the pair
    assert found.lines[0][2] == found.lines[0][4] and "+2.65" in found.lines[0][2]


def test_what_coordination_is_worth_is_in_percent_of_the_silos_profit():
    rows = rows_of({"silo": [0.0] * 4, "mtma": [5.0, 5.0, 6.0, 4.0]})
    assert list(percent_over(rows, "silo")) == pytest.approx([5.0, 5.0, 6.0, 4.0])
    assert percent_over(rows_of({"mtma": GOOD}), "silo").empty


def test_long_trainings_are_held_against_the_usual_ones_of_their_seeds():
    usual = rows_of({"mtma": GOOD})
    of_two = usual[(usual["regime"] == "mtma") & (usual["seed"] < 2)]
    long = of_two.assign(part=CEILING, variant="longer", profit=of_two["profit"] * 1.01)
    ((store, name, seeds, before, _, more),) = results_tables.ceilings(long, usual)
    assert (store, name, seeds) == ("boutique", "longer", 2)
    assert before == pytest.approx(5.05) and more == pytest.approx(1.0)


def test_the_page_says_how_much_of_what_can_be_earned_is():
    rows = rows_of({"silo": BAD, "mtma": [5.0, 5.0, 6.0, 4.0]})
    most = pd.DataFrame(
        [("boutique", 210.0, 106.0), ("grocery", 9.0, np.nan)],
        columns=["scenario", "upper_bound", "optimum"],
    )
    assert "| boutique | 105.00 | 210.00 | 50.0 | 0.94 |" in page_of(rows, most=most)
    assert "| boutique | 105.00 | 210.00 | 50.0 |  |" in page_of(
        rows, most=most.assign(optimum=np.nan)
    )
    assert "How much there is to earn" not in page_of(rows)


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds_have_no_interval_and_the_page_says_so(seeds):
    rows = rows_of({"joint": AROUND_0, "mtma": GOOD})
    page = page_of(rows[rows["seed"] < seeds])
    assert "[" not in page[page.index("## Profit by method") : page.index("![")]
    assert f"Seeds: {seeds}. Fewer than 3 say nothing about others: there is no interval." in page
    assert "nan" not in page


def test_convergence_is_read_off_the_rows():
    rows = pd.DataFrame(
        dict(learner="slope", schedule=schedule, satisfies=holds, seed=seed, updates=updates)
        | dict(zip(MEASURES, at, strict=True))
        for schedule, holds, end in (
            ("as asked", True, [0.01, 0.02, 0.3, 0.4]),
            ("constant", False, [0.01, 0.02, 0.3, 0.2]),
        )
        for updates, at in ((0, [1.0] * 4), (99, end))
        for seed in range(3)
    )
    rows.loc[rows.eval("seed == 1 and schedule == 'constant' and updates > 0"), "optimum_gap"] = 0.5
    page = page_of(rows_of({"mtma": GOOD}), converging=rows)
    same = "1.00e-02 [1.00e-02, 1.00e-02] | 2.00e-02 [2.00e-02, 2.00e-02] | 3.00e-01 [3.00e-01"
    assert f"| slope | constant | no | {same}, 3.00e-01] | 3.00e-01 [-1.30e-01, 7.30e-01] |" in page
    assert "| | at the start |  | 1.00e+00 | 1.00e+00 | 1.00e+00 | 1.00e+00 |" in page


def test_the_page_says_what_is_missing_and_what_was_learned_from():
    both = pd.concat(
        [rows_of({"mtma": GOOD}), rows_of({"mtma": GOOD}, "grocery").assign(store_periods=500)]
    )
    page = page_of(both, missing=[("pair", "regimes", "silo")])
    assert "## Not finished\n\n| store | part | variant |" in page
    assert "| pair | regimes | silo |" in page
    assert "| boutique | 1,000 | 4 |" in page and "| grocery | 500 | 4 |" in page
    assert "What the parts are worth" not in page
    assert "Not finished" not in page_of(both) and "Reading the study" not in page_of(both)


def test_results_in_the_repository_are_those_of_its_data():
    """They are version 0.1's, whose tables had other columns: each line is made of the files in
    results/ and nothing else, and from convergence on the page is today's."""
    rows = read_table(ROOT / "results", "study.csv")
    text = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    learned, pairs = rows[rows["part"] == REGIMES_PART], rows[rows["part"] == "heuristic"]
    expected = []
    for store, own in learned.groupby("scenario", sort=False):
        expected.append(f"| {store} | {own.store_periods.iloc[0]:,} | {own.seed.nunique()} |")
        found = results_tables.methods(own, pairs[pairs["scenario"] == store])
        expected += [
            f"| {name} | {results_tables.middle(each.profit, ',.2f')} | {gain} | {more} "
            f"| {each.fill_rate.mean():.3f} | {each.holding_paid.mean():,.3f} "
            f"| {each.turnover.mean():.3f} |"
            for name, each, gain, more in found.lines
        ]
        expected.append(found.note)
    found = results_tables.clocks(learned, CLOCKS)
    expected += [
        f"| {store} | `{name}` | {CLOCKS[name]} | {more} | {each.to_99_percent.median():,.0f} "
        f"| {each.gain.std():,.2f} | {each.worst_drop.max():.2f} % |"
        for store, name, each, more in found.lines
    ]
    expected.append(found.note)
    changed = rows[~rows["part"].isin([REGIMES_PART, "heuristic"])]
    for (store, part), own in changed.groupby(["scenario", "part"], sort=False):
        of = "joint" if part == "critic, on one clock" else "mtma"
        base = learned[(learned["scenario"] == store) & (learned["variant"] == of)]
        found = results_tables.parts(own, base)
        expected += [
            f"| {name or f'`{of}` as it is'} | {gain} | {more} |"
            for name, gain, more in found.lines
        ]
        expected.append(found.note)
    head, tail = text[: text.index("## Convergence")], text[text.index("## Convergence") :]
    of_data = [line for line in head.splitlines() if re.match(r"\|.*\d.*\||Comparisons", line)]
    assert sorted(of_data) == sorted(expected)
    converging, answers = (
        pd.read_csv(ROOT / "results" / name) for name in ("convergence.csv", "insights.csv")
    )
    page = page_of(rows_of({"mtma": GOOD}), converging, answers, read=True)
    assert page[page.index("## Convergence") :] == tail


def test_the_page_is_written_from_its_files_alone(tmp_path: Path):
    results = tmp_path / "results"
    results.mkdir()
    rows = rows_of({"silo": BAD, "joint": AROUND_0, "mtma": GOOD}, "pair")
    rows.to_csv(results / "study.csv", index=False)
    curves = rows[rows["part"] == REGIMES_PART].assign(greedy_profit=lambda each: each["profit"])
    curves.to_csv(results / "curves.csv", index=False)
    write_page(tmp_path)
    page = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "### pair" in page and "### grocery" not in page and "## Insights" not in page
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert "results/gains.png" in links
    for link in links:
        assert (tmp_path / link).exists(), link


def test_the_command_line_shows_gains_by_store_and_regime():
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(study_table(rows_of({"silo": BAD, "mtma": GOOD})))
    shown = console.export_text()
    assert re.search(r"store +silo +mtma", shown)
    assert re.search(r"boutique +\+2\.50 +\+5\.15", shown)


def test_no_page_is_made_of_nothing(tmp_path: Path):
    config = StudyConfig(quick=True, out=tmp_path, finished_only=True)
    with pytest.raises(RunError, match="no variant is finished; allowed: one or more"):
        reproduce(config, SILENT, variants(True, 3, 40))


def test_one_seed_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="seeds: 1; allowed: 2 or more"):
        reproduce(StudyConfig(seeds=1, out=tmp_path / "new"), SILENT)
    assert not (tmp_path / "new").exists()


def test_methods_run_with_the_rates_that_did_best_on_other_seeds():
    rows = pd.read_csv(ROOT / "results" / "rates.csv")
    assert rates.chosen(rows) == {each.name: each.rates for each in METHODS}
    tried = rows.groupby("method")["rates"].nunique()
    assert set(tried.index) == {each.name for each in METHODS} and set(tried) == {4}
    assert rows["seed"].min() > max(each.seeds for each in variants(False, 16, None))
