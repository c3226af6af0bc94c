"""The study plans what the page needs, and writes what it counted."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agents.errors import ConfigError, RunError
from agents.evaluation import statistics
from agents.learning.regimes import REGIMES
from agents.study import results_convergence, results_page, results_verdict, study
from agents.study.study import StudyConfig, grouped, planned_seeds, run_study, variants
from agents.sweeps.runner import Progress

SILENT = Progress(*[lambda *_: None] * 3)


def test_every_variant_on_a_store_has_the_same_budget_and_is_a_valid_training():
    for config in (StudyConfig(), StudyConfig(quick=True)):
        found = variants(config)
        regimes = [each for each in found if each.part == study.REGIMES_PART]
        assert {(each.config.scenario, each.name) for each in regimes} == {
            (store, regime) for store in config.scenarios for regime in REGIMES
        }
        sizes = ("scenario", "iterations", "stores", "horizon", "crn_group")
        budgets = {tuple(getattr(each.config, size) for size in sizes) for each in found}
        assert len(budgets) == len(config.scenarios)
        base = config.training(config.ablated)
        assert all(each.config != base for each in found if each.part != study.REGIMES_PART)


def test_variants_of_one_shape_share_a_program():
    groups = grouped(variants(StudyConfig(quick=True)))
    for members in groups.values():
        assert len({each.config.static_config() for each in members}) == 1
    (together,) = (
        members
        for members in groups.values()
        if "constant rates" in {each.name for each in members}
    )
    assert {"mtma", "slow rate 1/4 of the fast", "its own product only"} <= {
        each.name for each in together
    }
    planned = planned_seeds(together, 3)
    assert [run.number for run in planned] == list(range(3 * len(together)))
    assert [run.config.seed for run in planned[:3]] == [0, 1, 2]


def rows_of(gains: dict[str, list[float]], scenario: str = "boutique") -> pd.DataFrame:
    rows = [
        dict(
            scenario=scenario, part="regimes", variant=regime, regime=regime, seed=seed,
            store_periods=1000, profit=100 + gain, gain=gain, fill_rate=0.9, holding_paid=3.0,
            turnover=0.5, to_99_percent=500.0, worst_drop=1.5, best_heuristic="margin+capped",
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


ABOUT = dict(
    quick=False, seeds=4, ablated="boutique", evaluation_stores=8, evaluation_periods=9,
    variants=3, missing=[],
)  # fmt: skip
GOOD, BAD = [5.0, 5.1, 5.2, 5.3], [2.0, 3.0, 4.0, 1.0]


def against(mtma: list[float], joint: list[float], drops: tuple[float, float]) -> str:
    rows = rows_of({"mtma": mtma, "joint": joint})
    of = dict(zip(("mtma", "joint", "heuristic"), (*drops, 0.0), strict=True))
    rows["worst_drop"] = rows["regime"].map(of)
    return results_verdict.verdict(rows[rows["part"] == "regimes"], ABOUT)


def test_the_first_paragraph_says_where_three_clocks_are_better_and_where_worse():
    better = against(GOOD, BAD, (1.0, 2.0))
    assert "**Against one clock (`joint`), `mtma` earns more on boutique.**" in better
    assert "spreads less on boutique; after its best a run drops less on boutique." in better
    assert "Nowhere is it worse" in better
    worse = against(BAD, GOOD, (2.0, 1.0))
    assert "**Against one clock (`joint`), `mtma` earns less on boutique.**" in worse
    assert "**On boutique it is worse on profit, spread and drop alike.**" in worse


def test_one_measure_does_not_stand_for_another():
    steady_over_seeds_only = against([4.0, 4.1, 4.2, 4.3], [5.0, 4.0, 6.0, 5.5], (2.0, 1.0))
    assert "`mtma` earns less on boutique.**" in steady_over_seeds_only
    assert "spreads less on boutique; after its best a run drops more on boutique." in (
        steady_over_seeds_only
    )
    assert "cannot be told from it on boutique.**" in against(GOOD, GOOD[::-1], (1.0, 1.0))


def test_seeds_of_only_one_of_them_are_not_compared():
    learned = rows_of({"mtma": GOOD})
    assert "nothing to compare" in results_verdict.verdict(learned, ABOUT)
    quick = results_verdict.verdict(rows_of({"mtma": BAD, "joint": GOOD}), ABOUT | {"quick": True})
    assert quick.startswith("**This is the quick version**: 4 seeds") and "earns less" in quick


AROUND_0 = [-1.0, 1.0, 2.0, -2.0]


def test_coordination_pays_where_intervals_are_apart_only():
    says = lambda mtma, silo: results_verdict.coordination(  # noqa: E731
        rows_of({"mtma": mtma, "silo": silo}).query("part == 'regimes'")
    )
    assert says(GOOD, BAD) == (
        "**With intervals apart, `mtma` is above the best tuned pair on boutique; above `silo` on "
        "boutique.** "
    )
    assert "; below `silo` on boutique" in says(BAD, GOOD)
    assert "is not apart from the best tuned pair on boutique; below" in says(AROUND_0, GOOD)
    assert "is below the best tuned pair on boutique; not apart" in says([-5.0, -5.1], [-5.1, -5.0])


def test_every_store_tells_who_is_above_the_best_pair_and_who_below():
    learned = rows_of({"mtma": GOOD, "silo": [-5.0, -5.1], "joint": AROUND_0, "single": BAD})
    learned = learned[learned["part"] == "regimes"]
    assert results_page.apart_from_the_pair(learned) == (
        "Above the best tuned pair: `mtma`, `single`. Below the best tuned pair: `silo`."
    )
    nobody = results_page.apart_from_the_pair(learned[learned["regime"] == "joint"])
    assert nobody == "No regime is above or below the best tuned pair."


def test_statistics():
    middle = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 700.0])
    assert statistics.interquartile_mean(middle) == 3.5
    low, high = statistics.bootstrap_interval(middle)
    assert low < 3.5 < high
    share, (low, high) = statistics.probability_of_improvement(
        np.array([1.0, 3]), np.array([2.0, 3])
    )
    assert share == (0 + 0 + 1 + 0.5) / 4 and 0 <= low <= share <= high <= 1


def test_learning_is_timed_and_its_drops_are_found():
    curve = pd.DataFrame(
        {"store_periods": [10, 20, 30, 40, 50], "greedy_profit": [80.0, 99.5, 104.0, 91.0, 100.0]}
    )
    assert results_page.learning_of(curve) == {"to_99_percent": 20.0, "worst_drop": 12.5}


def test_the_page_is_made_of_the_rows():
    rows = rows_of({"silo": BAD, "joint": GOOD, "mtma": GOOD})
    slower = rows[rows["regime"] == "mtma"].assign(
        part="rate ratio", variant="slower", gain=lambda each: each["gain"] - 1,
        profit=lambda each: each["profit"] - 1,
    )  # fmt: skip
    page = results_page.page(pd.concat([rows, slower]), ABOUT)
    assert "| slower | +4.15 [+4.00, +4.30] | -1.00 [-1.00, -1.00] |" in page
    assert "| best tuned pair | 100.00 [100.00, 100.00] |  | 1.00 [1.00, 1.00] |" in page
    assert re.search(r"\| boutique \| `joint` \| equal \|  \| 500 \| 0.13 \| 1.50 % \|", page)
    assert "| boutique | `mtma` | three | +0.00 [+0.00, +0.00] | 500 | 0.13 | 1.50 % |" in page
    assert page.split("\n\n")[1] == results_verdict.verdict(rows[rows["part"] == "regimes"], ABOUT)
    assert "Every run learned from 1,000 store-periods, with" in page


def test_convergence_is_read_off_the_rows():
    measures = ("slate_gradient", "order_gradient", "response_gap", "optimum_gap")
    rows = pd.DataFrame(
        dict(schedule=schedule, satisfies=holds, seed=seed, updates=updates)
        | dict(zip(measures, at, strict=True))
        for schedule, holds, end in (
            ("as asked", True, [0.01, 0.02, 0.3, 0.4]),
            ("constant", False, [0.01, 0.02, 0.3, 0.2]),
            ("finite sums", False, [0.5, 0.5, 0.6, 0.5]),
        )
        for updates, at in ((0, [1.0] * 4), (99, end))
        for seed in range(2)
    )
    rows.loc[rows.eval("seed == 1 and schedule == 'constant' and updates > 0"), "optimum_gap"] = 0.4
    page = "\n\n".join(results_convergence.convergence(rows))
    same = "1.00e-02 [1.00e-02, 1.00e-02] | 2.00e-02 [2.00e-02, 2.00e-02] | 3.00e-01 [3.00e-01"
    assert f"| constant | no | {same}, 3.00e-01] | 3.00e-01 [2.00e-01, 4.00e-01] |" in page
    assert "went to 1 % and 2 % of what they were" in page
    assert "best response to 30 %, of both from the optimum to 40 %. " in page
    assert (
        "with a condition broken: constant, 1 and 0.75 times as far; "
        "finite sums, 2 and 1.2 times as far. "
    ) in page


def test_budgets_are_told_apart_where_they_differ_by_store():
    both = pd.concat(
        [
            rows_of({"mtma": GOOD}),
            rows_of({"mtma": GOOD}, "pair"),
            rows_of({"mtma": GOOD}, "grocery").assign(store_periods=500),
        ]
    )
    assert results_page.budgets(both) == (
        "1,000 store-periods on boutique, pair and 500 store-periods on grocery"
    )


def test_the_page_says_first_that_it_is_not_whole_and_last_what_is_missing():
    missing = [
        {"scenario": "pair", "part": "regimes", "variant": "silo"},
        {"scenario": "pair", "part": "regimes", "variant": "joint"},
    ]
    page = results_page.page(rows_of({"mtma": GOOD}), ABOUT | {"missing": missing})
    assert page.split("\n\n")[1].startswith("**Not finished**: 1 of 3 variants are here;")
    assert page.endswith("## Missing\n\n- regimes on pair: silo, joint\n")
    assert "What the parts are worth" not in page
    assert "Not finished" not in results_page.page(rows_of({"mtma": GOOD}), ABOUT)


def test_no_page_is_made_of_nothing(tmp_path: Path):
    config = StudyConfig(quick=True, out=tmp_path, finished_only=True)
    with pytest.raises(RunError, match="no variant is finished; allowed: one or more"):
        run_study(config, variants(config), SILENT)


def test_one_seed_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="seeds: 1; allowed: 2 or more"):
        study.reproduce(StudyConfig(seeds=1, out=tmp_path / "new"), SILENT)
    assert not (tmp_path / "new").exists()
