"""A store that is played with: the game is the simulator's, the server is its reader's alone, and
the page works by keyboard on a phone's width."""

import json
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from agents.errors import ConfigError
from agents.evaluation.simulation import simulate
from agents.evaluation.trajectories import record
from agents.play import game as games
from agents.play.game import DAYS, WEEK, Game
from agents.play.replies import played_reply
from agents.play.server import serving
from agents.play.shop import Couple, Shop
from agents.play.what_if import BURN_IN, MOST_STORES, PERIODS, Change, answers
from agents.policies.departments import Departments
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from benchmarks.serving import departments_of
from jaxsim import scenarios
from tests.conftest import Browser

AS_IT_IS: dict[str, Any] = {"lift": 1.0, "lead_time": 0, "margin": 1.0, "shelf_life": 0}


@pytest.fixture(scope="module")
def shop() -> Shop:
    """`pair`, run by untrained networks, by a classical pair, or by one that looks at margin."""
    scenario = scenarios.get("pair")
    params = scenario.params()
    rule = jax.tree.map(jnp.asarray, HeuristicParams(recommender="balancing", safety=0.5))
    silo = rule.replace(recommender=jnp.asarray(1), safety=jnp.asarray(0.2))
    couples = {
        "learned": Couple("networks", Departments(**departments_of(params))),
        "tuned": Couple("a rule", HeuristicPair(rule)),
        "siloed": Couple("another", HeuristicPair(silo)),
    }
    return Shop(scenario, params, couples, True, jax.random.key(3))


def decided(shop: Shop, department: str, decision: list) -> Game:
    """A game that decides the same on every day."""
    game = Game(department, "tuned", 1)
    return replace(game, decisions=(np.asarray(decision),) * DAYS)


@pytest.mark.parametrize("department", ["replenishment", "recommendation"])
def test_who_decides_as_the_learned_departments_takes_their_path(shop: Shop, department) -> None:
    policy = shop.couples["learned"].policy
    theirs = jax.device_get(record(shop.customers(5), policy, shop.params, DAYS, 0))
    named = {"replenishment": theirs.action.order, "recommendation": theirs.action.slate}
    decisions = tuple(np.asarray(each).astype(int) for each in named[department])
    game = Game(department, "learned", 5, decisions)
    games.check(game, shop)
    jax.tree.map(np.testing.assert_array_equal, games.happened(game, shop), theirs)
    early = games.happened(replace(game, decisions=decisions[:9]), shop)
    for day in (0, 8):
        np.testing.assert_array_equal(early.flows.profit[day], theirs.flows.profit[day])
    if department == "replenishment":  # who sees what is shown before it orders
        np.testing.assert_array_equal(early.action.slate[9], theirs.action.slate[9])


def test_where_every_product_is_shown_there_is_nothing_to_recommend(shop: Shop) -> None:
    every = replace(shop, params=shop.params.replace(slot_weight=jnp.ones(2)))
    with pytest.raises(
        ConfigError, match=r"recommendation; allowed: replenishment, as every slate"
    ):
        games.check(Game("recommendation", "tuned", 1), every)
    unlike = replace(shop, params=shop.params.replace(slot_weight=jnp.array([1.0, 0.4])))
    games.check(Game("recommendation", "tuned", 1), unlike)  # who is first is seen more


def test_a_closed_day_is_said(shop: Shop) -> None:
    season = jnp.ones((shop.params.segments, 7)).at[:, 5:].set(0.0)
    weekends = replace(shop, params=shop.params.replace(season=season))
    order = np.array([3, 1])
    games_so_far = [Game("replenishment", "tuned", 1, (order,) * days) for days in range(WEEK + 1)]
    replies = [played_reply(game, weekends) for game in games_so_far]
    opened = [bool(each["morning"]["open"]) for each in replies[:WEEK]]
    assert opened.count(False) == 2
    sold = np.array(replies[WEEK]["days"]["sold"])
    assert sold[opened].sum() > 0 and not sold[np.logical_not(opened)].any()


def test_the_rest_of_a_week_orders_what_sold_and_shows_the_same(shop: Shop) -> None:
    begun = Game("replenishment", "tuned", 1, (np.array([3, 1]), np.array([9, 6])))
    game = games.played_on(begun, shop, 6)
    assert game.day == WEEK
    days = games.happened(game, shop)
    levels = [games.position(days, day) + game.decisions[day] for day in range(1, WEEK)]
    np.testing.assert_array_equal(levels, np.tile(levels[0], (WEEK - 1, 1)))
    shown = Game("recommendation", "tuned", 1, (np.array([[0], [1]]),))
    assert [each.tolist() for each in games.played_on(shown, shop, 3).decisions] == [[[0], [1]]] * 4


def test_empty_and_overfull_shelves_are_told_apart(shop: Shop) -> None:
    key = shop.customers(1)
    found = {}
    for units in (0, 40):
        game = decided(shop, "replenishment", [units, units])
        reply = played_reply(game, shop)
        worth = games.stock_prices(key, games.happened(game, shop), shop.params)
        found[units] = (reply["weeks"][1], worth - np.asarray(shop.params.cost))
    (empty, of_empty), (full, of_full) = found[0], found[40]
    assert "Order more of" in empty["hint"] and "went" not in empty["hint"]
    assert "did not get what they came for" in empty["facts"][0] and empty["profit"] <= 0
    assert "Order less of" in full["hint"] and full["facts"][0].startswith("No customer")
    assert of_empty[WEEK:].max() > 2.0 and of_full.max() < 0
    assert reply["morning"] is None and len(reply["weeks"]) == 4


def test_showing_what_is_not_there_is_said(shop: Shop) -> None:
    game = Game("recommendation", "tuned", 1)
    none = HeuristicPair(shop.couples["tuned"].policy.heuristic.replace(cap=jnp.asarray(0.0)))
    closed = replace(shop, couples=shop.couples | {"tuned": Couple("orders nothing", none)})
    game = replace(game, decisions=(np.array([[0], [1]]),) * (2 * WEEK))
    week = played_reply(game, closed)["weeks"][1]
    assert week["facts"][-1].startswith("100 % of all attention")
    assert "sent customers to shelves that were empty" in week["hint"]


def test_what_if_nothing_changed_is_the_store_itself(shop: Shop) -> None:
    found = answers(shop, Change(**AS_IT_IS))
    pair = shop.couples["tuned"].policy
    totals = simulate(shop.key, pair, shop.params, MOST_STORES, PERIODS, BURN_IN)
    assert found["tuned"].profit == pytest.approx(float(totals.profit.mean()) / PERIODS, rel=1e-6)
    for answer in found.values():
        assert answer.profit_ci95[0] < answer.profit < answer.profit_ci95[1] and not answer.wasted
    assert found["tuned"].more == 0 and found["siloed"].more_ci95[0] < found["siloed"].more_ci95[1]
    poorer = answers(shop, Change(**AS_IT_IS | {"margin": 0.25}))["tuned"]
    assert poorer.profit < 0.5 * found["tuned"].profit
    stale = answers(shop, Change(**AS_IT_IS | {"shelf_life": 1, "lead_time": 2}))["tuned"]
    assert stale.wasted > 0 and stale.profit < found["tuned"].profit


@pytest.fixture(scope="module")
def address(shop: Shop) -> Iterator[str]:
    with serving(shop, 0) as address:
        yield address


def asked(
    address: str, path: str, body: Any = None, kind: str = "application/json", **headers: str
) -> tuple[int, dict[str, str], str]:
    """A request's status, headers and text; a POST where there is a body."""
    url = urlsplit(address)
    connection = HTTPConnection(url.hostname or "", url.port)
    sent = None if body is None else json.dumps(body)
    heads = ({} if body is None else {"Content-Type": kind}) | headers
    connection.request("POST" if sent else "GET", url.path + path, sent, heads)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, dict(reply.getheaders()), text


GAME = {"department": "replenishment", "other": "tuned", "customers": 1}


def test_the_page_is_for_those_who_know_its_address(address: str) -> None:
    status, headers, text = asked(address, "")
    assert status == 200 and "A store to play with" in text
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert headers["Referrer-Policy"] == "no-referrer" and "Server" not in headers
    url = urlsplit(address)
    for elsewhere in ("", "A" * (len(url.path) - 2) + "/", "/../"):
        for body in (None, GAME):
            base = f"{url.scheme}://{url.netloc}/{elsewhere}"
            status, headers, text = asked(base, "play", body)
            assert status == 403 and "the terminal shows" in text and url.path not in text
            assert "Content-Security-Policy" in headers
    for host in (
        "evil.example",
        f"evil.example:{url.port}",
        "127.0.0.1",
        f"127.0.0.1.x:{url.port}",
    ):
        assert asked(address, "play", GAME, Host=host)[0] == 403
    assert asked(address, "play", GAME, Host=f"localhost:{url.port}")[0] == 200
    assert asked(address, "play", GAME, kind="text/plain")[0] == 415
    assert asked(address, "server.py")[0] == asked(address, "..%2fserver.py")[0] == 404


MISTAKES = {
    "no game": ("play", [1], "[1]; allowed: an object"),
    "a field too many": ("play", GAME | {"cheat": 1}, "cheat: unknown field; allowed: customers,"),
    "no customers": ("play", {"department": "replenishment"}, "customers: is missing"),
    "a third department": ("play", GAME | {"department": "sales"}, "department: 'sales'; allowed:"),
    "too few orders": ("play", GAME | {"orders": [[1]]}, "day 1: 1 orders; allowed: one for each"),
    "a return": ("play", GAME | {"orders": [[1, -1]]}, "orders.0.1: -1; allowed: greater than"),
    "half a unit": ("play", GAME | {"orders": [[1, 0.5]]}, "orders.0.1: 0.5; allowed:"),
    "too many days": ("play", GAME | {"orders": [[1, 1]] * 29}, "orders: "),
    "another's decision": ("play", GAME | {"slates": [[[0], [1]]]}, "orders: the decisions of"),
    "no such product": (
        "play", GAME | {"department": "recommendation", "slates": [[[0], [2]]]},
        "day 1: shows a product that is not there; allowed: 0 to 1",
    ),
    "uneven slates": (
        "play", GAME | {"department": "recommendation", "slates": [[[0], [1, 0]]]}, "one length",
    ),
    "an end too soon": ("end", GAME | {"orders": [[1, 1]]}, "decisions: 1 days; allowed: all 28"),
    "no such lift": ("what-if", AS_IT_IS | {"lift": 3}, "lift: 3; allowed: less than or equal"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "body", "said"), MISTAKES.values(), ids=MISTAKES)
def test_what_cannot_be_is_one_line(address: str, path, body, said) -> None:
    status, _, text = asked(address, path, body)
    error = json.loads(text)["error"]
    assert status == 400 and said in error and "\n" not in error and len(error) <= 300


def test_a_port_that_is_taken_is_one_line(shop: Shop, address: str) -> None:
    taken = urlsplit(address).port
    with (
        pytest.raises(ConfigError, match=rf"port: {taken}: .*in use; allowed: a free port"),
        serving(shop, taken),
    ):
        pass


def test_a_week_is_played_by_keyboard_at_a_phones_width(browser: Browser, address: str) -> None:
    browser.open(address, width=360)
    press = browser.driver.switch_to

    def wait(for_what: str) -> None:
        WebDriverWait(browser.driver, 60, 0.05).until(lambda _: browser.run(for_what))

    def fits() -> bool:
        return browser.run("document.documentElement.scrollWidth") <= 360

    wait("document.body.dataset.ready")
    browser.run("document.querySelector('#begin button.go').focus()")
    press.active_element.send_keys(Keys.ENTER)
    wait("document.querySelector('#day form')")
    assert browser.run("document.activeElement.ariaLabel") == "order of left" and fits()
    for day in range(2, WEEK + 1):
        press.active_element.send_keys("4" + Keys.ENTER)
        wait(f"document.querySelector('#day h2').textContent === 'Day {day} of 28'")
        wait("document.activeElement.ariaLabel === 'order of left'")
    press.active_element.send_keys(Keys.ENTER)
    wait("!document.getElementById('week').hidden")
    assert "Week 1" in browser.run("document.querySelector('#week h2').textContent") and fits()
    press.active_element.send_keys(Keys.ENTER)  # on to the second week
    wait("document.querySelector('#day h2').textContent === 'Day 8 of 28'")

    browser.run("document.getElementById('tab-play').focus()")
    press.active_element.send_keys(Keys.ARROW_RIGHT)
    wait("document.querySelectorAll('#answers li').length === 3")
    first = browser.run("document.getElementById('answers').textContent")
    browser.run("document.getElementById('lift').focus()")
    press.active_element.send_keys(Keys.HOME)
    wait("document.querySelector('[for=lift] output').textContent === '× 0.00'")
    wait(f"document.getElementById('answers').textContent !== {json.dumps(first)}")
    assert fits() and browser.complaints() == []
    assert {urlsplit(each).netloc for each in browser.requests()} == {urlsplit(address).netloc}
