"""Intervals cover what they promise, and a table of differences is judged as one."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from agents.evaluation.statistics import estimate, holm, paired_difference, told_apart

STUDIES = 4_000


@pytest.mark.parametrize("seeds", [3, 8])
def test_intervals_over_seeds_cover_the_truth_as_often_as_they_say(seeds):
    """A percentile bootstrap covers 75 % at three seeds and 89 % at eight."""
    rng = np.random.default_rng(seeds)
    found = [estimate(rng.normal(1.0, 2.0, seeds)) for _ in range(STUDIES)]
    covered = np.mean([each.low < 1.0 < each.high for each in found])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / STUDIES)


def test_ten_differences_that_are_none_are_rarely_told_apart_anywhere():
    rng = np.random.default_rng(0)
    draws = rng.normal(0.0, 1.0, (STUDIES // 10, 10, 8))
    tables = [[estimate(row) for row in table] for table in draws]
    wrong = np.mean([any(told_apart(table)) for table in tables])
    assert wrong < 0.05 + 4 * np.sqrt(0.95 * 0.05 / len(tables))
    alone = np.mean([any(each.p < 0.05 for each in table) for table in tables])
    assert alone > 0.3  # one by one, two tables in five would speak of a difference


def test_holm_s_correction_is_his():
    """By hand: 4 · 0.005, 3 · 0.01, 2 · 0.03 and, as corrected values never fall, 0.06 again."""
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.4, 0.6])), [0.8, 0.8])
    assert holm(np.array([])).size == 0


def test_signs_are_told_from_the_mean_and_the_family():
    rng = np.random.default_rng(1)
    noise = rng.normal(0.0, 0.1, 8)
    clear, against = estimate(1 + noise), estimate(noise - 1)
    assert told_apart([clear, against, estimate(noise - noise.mean())]) == [1, -1, 0]
    faint = estimate(np.array([0.1, 0.2, 0.15, 0.4, 0.05, -0.1, 0.3, 0.02]))
    assert 0.01 < faint.p < 0.05
    assert told_apart([faint]) == [1] and told_apart([faint] * 10) == [0] * 10


def test_differences_are_taken_seed_by_seed():
    rows = pd.DataFrame({"seed": [0, 1, 2, 3], "profit": [1.0, 22.0, 33.0, 44.0]})
    base = pd.DataFrame({"seed": [3, 2, 1], "profit": [40.0, 30.0, 20.0]})
    found, differences = paired_difference(rows, base), np.array([2.0, 3.0, 4.0])
    half = stats.t.ppf(0.975, 2) * stats.sem(differences)
    assert (found.mean, found.seeds) == (3.0, 3)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half))
    assert found.p == pytest.approx(stats.ttest_rel([22, 33, 44], [20, 30, 40]).pvalue)


def test_values_all_alike_and_too_few_seeds():
    alike, none = estimate(np.full(4, 2.0)), estimate(np.zeros(4))
    assert (alike.low, alike.high, alike.p) == (2, 2, 0) and none.p == 1
    few = estimate(np.array([1.0, 2.0]))
    assert few.mean == 1.5 and np.isnan([few.low, few.high, few.p]).all()
    assert told_apart([few, few]) == [0, 0]
