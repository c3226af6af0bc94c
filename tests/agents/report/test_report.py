"""The report's numbers add up, and its page works in a real browser.

Two classical pairs stand for the learned departments and the best pair: a policy is a policy.
"""

import dataclasses
import re
import shlex
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from selenium.webdriver.support.wait import WebDriverWait

from agents.devices import ONE
from agents.errors import RunError
from agents.evaluation.trajectories import DAYS, record
from agents.evaluation.tuning import TunedPair
from agents.learning.config import TrainConfig
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from agents.report.results import Finished, Results, command_of, results_of, rounded
from agents.report.scenes import Scenes, scenes_of, story_of
from agents.report.writing import page_of
from agents.runs.pipeline import compared
from jaxsim import scenarios
from jaxsim.scenarios.scenario import Scenario
from tests.agents.report.test_terminal import PAIRS
from tests.conftest import Browser
from train import parse

PAIR = scenarios.get("pair")
RULE = HeuristicParams(recommender="balancing", fractile=0.5)
GOOD, BAD = (HeuristicPair(RULE.replace(safety=jnp.float32(z))) for z in (0.5, 3.0))
AGES = PAIR.model_copy(update={"max_shelf_life": 3, "shelf_life": [2, 3], "disposal": 1.0})
TUNED = [TunedPair("balancing+base-stock", HeuristicPair(RULE), 0.0)]


def metrics_of(shift: float) -> pd.DataFrame:
    iteration = np.arange(1, 41)
    return pd.DataFrame(
        {
            "iteration": iteration,
            "store_periods": iteration * 8192,
            "profit": 10 + shift + np.log(iteration),
            "fill_rate": np.linspace(0.9, 0.95, 40),
            "critic_rate": 3e-3 / iteration,
            "fast_rate": 1e-3 / iteration,
            "slow_rate": 1e-3 / iteration**2,
            "greedy_profit": np.where(iteration % 10 == 0, 13.0 + shift, np.nan),
        }
    )


def finished(regime: str, seed: int, policy: HeuristicPair) -> Finished:
    config = TrainConfig(
        scenario="pair", regime=regime, seed=seed,
        evaluation_stores=32, evaluation_periods=40, burn_in=20,
    )  # fmt: skip
    key = jax.random.key(seed)
    summary = compared(config, PAIR.name, PAIR.params(), TUNED, policy, key, ONE)
    folder = Path(f"runs/{regime}-{seed}")
    return Finished(folder, regime, "", command_of(config), config, summary, metrics_of(seed / 10))


@pytest.fixture(scope="module")
def trainings() -> list[Finished]:
    """Two seeds of each of two regimes; the siloed hold too much stock."""
    return [
        finished(regime, seed, policy)
        for regime, policy in (("silo", BAD), ("mtma", GOOD))
        for seed in (0, 1)
    ]


@pytest.fixture(scope="module")
def results(trainings: list[Finished]) -> Results:
    return results_of(trainings)


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    policies = {"learned": GOOD, "best pair": HeuristicPair(RULE)}
    return scenes_of(jax.random.key(0), policies, PAIR, burn_in=10)


@pytest.fixture(scope="module")
def page(results: Results, scenes: Scenes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_of(PAIR, results, scenes), encoding="utf-8")
    return path


def aged(scenario: Scenario) -> dict[str, Any]:
    trace = jax.device_get(record(jax.random.key(0), BAD, scenario.params(), DAYS, 10))
    return story_of("learned", trace, scenario, trace.flows.sold.sum(0))


@pytest.fixture(scope="module")
def several(results: Results) -> Results:
    best, pair, *_ = results.rows
    pairs = [dataclasses.replace(pair, name=name, profit=profit) for name, profit in PAIRS.items()]
    return dataclasses.replace(results, rows=[best, *pairs])


@pytest.fixture(scope="module")
def aged_page(several: Results, scenes: Scenes, page: Path) -> Path:
    path = page.with_name("aged.html")
    html = page_of(AGES, several, dataclasses.replace(scenes, stories=[aged(AGES)]))
    path.write_text(html, encoding="utf-8")
    return path


def test_steps_add_up_to_the_difference_in_profit(trainings, results):
    for bridge in results.bridges:
        total = sum(bridge.steps.values())
        assert total == pytest.approx(bridge.difference.mean, abs=1e-4)
    seeds = [
        [run.learned["profit_mean"] for run in trainings if run.config.regime == regime]
        for regime in ("mtma", "silo")
    ]
    to_silo = results.bridges[1]
    assert to_silo.difference.mean == pytest.approx(np.mean(seeds[0]) - np.mean(seeds[1]))
    assert to_silo.steps["Holding"] > 0  # the siloed pay for their safety stock


def test_an_interval_of_one_seed_covers_the_paired_one(trainings):
    """The bound from two paired intervals is no narrower than the interval of the difference."""
    mine, other = trainings[2], trainings[0]
    bridge = results_of([mine, other]).bridges[1]
    bad, key = [TunedPair("x", BAD, 0.0)], jax.random.key(0)
    paired = compared(mine.config, PAIR.name, PAIR.params(), bad, GOOD, key, ONE)
    low, high = paired["gain_over_best_heuristic"]["ci95"]
    assert bridge.difference.mean == pytest.approx(paired["gain_over_best_heuristic"]["mean"])
    assert bridge.difference.low <= low < high <= bridge.difference.high


def test_two_trainings_have_no_interval_and_three_have(trainings, results):
    html = page_of(PAIR, results, None)
    assert "no interval over two trainings" in html and "too few for an interval" in html
    assert "nan" not in html and "best classical pair</span>" in re.sub(r"\s+<", "<", html)
    assert "Of 2 comparisons with the best pair" in html
    third = dataclasses.replace(trainings[2], config=TrainConfig(seed=2))
    three = results_of([*trainings[2:], third])
    gains = [run.learned["difference_to_best_heuristic"] for run in [*trainings[2:], third]]
    half = stats.t.ppf(0.975, 2) * stats.sem(gains)
    found = three.bridges[0].difference
    assert (found.low, found.high) == pytest.approx((np.mean(gains) - half, np.mean(gains) + half))


def test_rounded_steps_add_up_in_print():
    steps = dict(zip("abcde", (0.444, 0.444, 0.444, -0.111, -0.0004), strict=True))
    shown = rounded(steps, 2)
    assert sum(shown.values()) == pytest.approx(1.22) and list(shown) == list(steps)
    for label, amount in shown.items():
        assert abs(steps[label] - amount) < 0.01 and round(amount, 2) == pytest.approx(amount)


def test_bands_run_from_the_lowest_to_the_highest_training(results):
    curve = next(each for each in results.curves if each.group == "mtma")
    mean, low, high = curve.over_time("profit", opening=0.05)[:, 50:]
    np.testing.assert_allclose(high - low, 0.1, atol=1e-9)
    np.testing.assert_allclose(mean - low, 0.05, atol=1e-9)
    at, checked = curve.checks()
    assert list(at) == [8192.0 * iteration for iteration in (10, 20, 30, 40)]
    np.testing.assert_allclose(checked, np.add(13, [[0.05] * 4, [0.0] * 4, [0.1] * 4]))


def test_runs_of_two_stores_are_refused(trainings):
    other = dataclasses.replace(
        trainings[0], summary=trainings[0].summary | {"scenario": "boutique"}
    )
    with pytest.raises(RunError, match="runs of one store"):
        results_of([trainings[1], other])


def test_the_command_makes_the_same_training():
    config = TrainConfig(scenario="my store.json", regime="silo", fast_rate=1e-3, seed=3)
    for each in (config, dataclasses.replace(config, out=Path("a folder"))):
        words = command_of(each)
        assert words.startswith("python train.py train --scenario 'my store.json' --regime silo")
        assert parse(shlex.split(words)[2:]).training == each


def test_scenes_are_what_was_simulated(scenes):
    story = scenes.stories[0]
    stock, sold, ordered = (np.array(story[each]) for each in ("on_hand", "sold", "ordered"))
    owned = stock + np.array(story["pipeline"]).sum(1)
    np.testing.assert_array_equal(owned[1:], (owned + ordered - sold)[:-1])
    assert list(scenes.responses) == ["one more unit of left", "one more unit of right"]
    _, orders = scenes.responses["one more unit of left"]
    at_once = re.search(r'aria-label="orders \(units\): left from (\S+) to', orders.svg)
    assert -1 <= float(at_once[1]) < -0.7  # base-stock: one more, one less, if it orders
    money, orders, _ = scenes.prices["left"]
    assert "sale price from" in money.svg and "one more unit on hand from" in money.svg
    assert orders.title == "ordered (units)"
    switching = scenes.switching
    assert switching.optimal_profit == pytest.approx(11.616, abs=0.002)
    assert np.shape(switching.learned) == np.shape(switching.exact)
    assert all(0.5 < share <= 1 for share in switching.same)


def test_stories_of_goods_that_age_are_what_was_simulated():
    """Oldest first: what its product's buyers leave of the units on their last day is wasted."""
    story = aged(AGES)
    ageing, sold, ordered = (story["ageing"], *map(np.array, (story["sold"], story["ordered"])))
    late, wasted = np.array(ageing["last_day"]), np.array(ageing["wasted"])
    owned = np.array(story["on_hand"]) + np.array(story["pipeline"]).sum(1)
    np.testing.assert_array_equal(owned[1:], (owned + ordered - sold - wasted)[:-1])
    np.testing.assert_array_equal(np.sum(ageing["by_age"], 1), story["on_hand"])
    np.testing.assert_array_equal(wasted, np.maximum(late - sold, 0))
    shown, unseen, thrown = (np.array(each) for each in ageing["ending"].values())
    np.testing.assert_allclose(shown + unseen + thrown, late.sum(1), atol=0.02)
    assert wasted.sum() > 0 and shown.sum() > 0 and unseen.min() >= -0.01
    assert ageing["told"].startswith(f"of {late.sum()} units on their last day, ")
    assert ageing["told"].endswith(f" and {wasted.sum()} were thrown away.")
    daily = aged(AGES.model_copy(update={"lead_time": 0, "shelf_life": 1}))
    np.testing.assert_array_equal(daily["ageing"]["last_day"], daily["ordered"])


def test_page_asks_nothing_of_anybody(browser: Browser, page):
    browser.open(page)
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [page.as_uri()]
    assert not re.search(r"(?:src|href)=\"?(?:https?:)?//", page.read_text())


def test_charts_are_there_and_say_what_they_show(browser: Browser, page):
    browser.open(page)
    sizes = browser.run(
        "[...document.querySelectorAll('svg.chart')].filter((each) => each.checkVisibility())"
        ".map((each) => "
        "[each.clientWidth, each.clientHeight, each.getAttribute('aria-label').length])"
    )
    assert len(sizes) == 12  # three of learning, four strips, three of prices, two responses
    assert all(width > 200 and height > 60 and words > 10 for width, height, words in sizes)
    words = browser.run("document.querySelector('#learning').innerText")
    assert "experience (million store-periods)" in words and "mtma" in words and "silo" in words
    unnamed = browser.run(
        "[...document.querySelectorAll('select, input, button')].filter((each) => "
        "!(each.ariaLabel || each.textContent.trim() || each.labels?.length)).length"
    )
    assert unnamed == 0


def test_dominated_pairs_are_hidden_unless_they_are_asked_for(several, aged_page):
    hidden, shown = aged_page.read_text(encoding="utf-8"), page_of(PAIR, several, None, True)
    assert [name for name in PAIRS if name not in hidden] == ["margin+capped"]
    assert "1 dominated pair is hidden" in hidden and all(name in shown for name in PAIRS)


def test_ids_are_there_once_and_the_same_whenever_the_page_is_written(results, scenes, page):
    again = page_of(PAIR, results, scenes)
    assert page.read_text(encoding="utf-8") == again
    ids = re.findall(r' id="([^"]+)"', again)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", again)) <= set(ids)


def test_names_are_text_and_nothing_else(browser: Browser, trainings, scenes, tmp_path):
    name = '_$5 & $6 <img src=x onerror=document.title=1> "quoted"'
    renamed = [dataclasses.replace(run, group=name) for run in trainings[:2]]
    page = tmp_path / "report.html"
    page.write_text(
        page_of(
            PAIR.model_copy(update={"about": name}), results_of([*renamed, trainings[2]]), scenes
        ),
        encoding="utf-8",
    )
    browser.open(page)
    assert (
        browser.complaints() == [] and browser.run("document.querySelectorAll('img').length") == 0
    )
    assert browser.run("document.title") == "pair: mtma"
    key = "[...document.querySelectorAll('#learning text')].map((each) => each.textContent.trim())"
    assert name in browser.run(key)


def test_a_choice_opens_one_row_of_charts_at_a_time(browser: Browser, page):
    browser.open(page)
    shown = (
        "[...document.querySelectorAll('#responses svg.chart')]"
        ".filter((each) => each.checkVisibility()).map((each) => each.ariaLabel)"
    )
    before = browser.run(shown)
    browser.run("document.querySelectorAll('#responses summary')[1].click()")
    after = browser.run(shown)
    assert len(before) == len(after) == 2 and not set(before) & set(after)


def test_bridge_on_the_page_adds_up(browser: Browser, page):
    browser.open(page)
    for bridge in browser.run(
        "[...document.querySelectorAll('.bridge')].map((each) => "
        "[...each.querySelectorAll('.number')].map((number) => number.textContent))"
    ):
        *steps, total = (
            round(100 * float(each.replace("−", "-").replace(",", ""))) for each in bridge
        )
        assert sum(steps) == total


NOW = "document.querySelector('[data-part=now]').textContent"
STRIPS_DRAWN = "document.querySelector('[data-part=strips]').innerHTML"
STRIPS = "document.querySelector('[data-part=strips]').innerText"


def press(browser: Browser, part: str) -> None:
    browser.run(f"document.querySelector('[data-part={part}]').click()")


def test_player_plays_and_pauses(browser: Browser, page):
    browser.open(page)
    before = browser.run(STRIPS)
    assert browser.run(NOW) == "Day 1 of 42"
    press(browser, "play")
    WebDriverWait(browser.driver, 10, 0.05).until(lambda _: browser.run(NOW) == "Day 3 of 42")
    press(browser, "play")
    assert browser.run(STRIPS) != before
    time.sleep(0.9)  # longer than a day takes
    assert browser.run(NOW) == "Day 3 of 42"
    press(browser, "back")
    assert browser.run(NOW) == "Day 2 of 42"


def test_keyboard_and_choices_show_other_numbers(browser: Browser, page, scenes):
    browser.open(page)
    browser.run("document.querySelector('[data-part=next]').focus()")
    browser.driver.switch_to.active_element.send_keys("\ue014")  # right arrow
    assert browser.run(NOW) == "Day 2 of 42"
    for part, value in (("product", 1), ("segment", 1), ("story", 1)):
        before = browser.run(STRIPS_DRAWN)
        browser.run(
            f"(() => {{ const each = document.querySelector('[data-part={part}]');"
            f"each.value = {value}; each.dispatchEvent(new Event('change')); }})()"
        )
        assert browser.run(STRIPS_DRAWN) != before
    told = browser.run(STRIPS)
    story = scenes.stories[1]
    assert (
        f"{story['on_hand'][1][1]} on hand" in told and f"{story['ordered'][1][1]} ordered" in told
    )


def test_fits_a_phone(browser: Browser, page, aged_page):
    for each in (page, aged_page):
        browser.open(each, width=360)
        assert browser.run("document.documentElement.scrollWidth") <= 360
        assert browser.complaints() == []
    ageing = aged(AGES)["ageing"]
    for _ in range(day := int(np.argmax(np.sum(ageing["wasted"], 1)))):
        press(browser, "next")
    told, late = browser.run(STRIPS), ageing["last_day"][day]
    assert f"{late[0]} on their last day" in told and f"{ageing['wasted'][day][0]} wasted" in told
    marks = "[...document.querySelectorAll('.late-units')].map((each) => each.textContent)"
    assert browser.run(marks) == [f"{units} last day" for units in late if units]
    assert browser.run("document.querySelector('.ages').innerText").endswith(ageing["told"])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_can_be_read(browser: Browser, page, dark):
    """WCAG AA: 4.5 to 1 for all text against what is behind it."""
    browser.open(page, dark=dark)
    for style in ("--ink", "--soft"):
        for behind in ("--paper", "--card", "--wash"):
            assert contrast(colour(browser, style), colour(browser, behind)) >= 4.5, (style, behind)
    assert (sum(colour(browser, "--paper")) < 200) == dark


def test_paper_is_white_and_has_no_buttons(browser: Browser, page):
    browser.open(page, dark=True, media="print")
    assert colour(browser, "--paper") == [255, 255, 255]
    for hidden in ("nav", "[data-part=play]", "[data-part=day]"):
        style = f"getComputedStyle(document.querySelector('{hidden}')).display"
        assert browser.run(style) == "none"
    assert browser.run("document.querySelector('[data-part=now]').checkVisibility()")


def colour(browser: Browser, name: str) -> list[int]:
    """Red, green and blue of one of the page's colours."""
    shown = browser.run(
        "(() => { const made = document.body.appendChild(document.createElement('i'));"
        f"made.style.color = 'var({name})'; return getComputedStyle(made).color; }})()"
    )
    return [int(part) for part in re.findall(r"\d+", shown)[:3]]


def contrast(one: list[int], other: list[int]) -> float:
    def luminance(rgb: list[int]) -> float:
        parts = np.array(rgb) / 255
        linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
