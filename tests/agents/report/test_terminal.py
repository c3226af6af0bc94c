"""Tables on narrow terminals, on those that know few letters, and in pipes."""

import io
import sys

import pytest

from agents.errors import one_line
from agents.report.tables import policy_table
from agents.report.terminal import open_console, show

NAME = "[red]茶_$x$ :smile:"
SIZES = {"stores": 256, "periods": 200}
ROW = {
    "profit_mean": 1e9, "profit_ci95": (0.9e9, 1.1e9), "difference_to_best_heuristic": -1e9,
    "difference_ci95": (-1e9, 0.0), "service_level": 0.9, "availability": 0.8,
}  # fmt: skip
SUMMARY = {
    "scenario": NAME, "evaluation": SIZES, "best_heuristic": "myopic",
    "policies": {"learned": ROW, "myopic": ROW},
}  # fmt: skip
PAIRS = {
    "myopic+s-S": 5.0, "margin+s-S": 4.0, "myopic+capped": 3.0, "margin+capped": 2.0,
    "margin+base-stock": 1.0,
}  # fmt: skip
"""Profits of pairs; only the fourth is neither the best of its recommender nor of its rule."""


@pytest.mark.parametrize("columns", ["40", "200"])
def test_a_table_of_pairs_says_how_many_are_hidden(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    rows = {name: ROW | {"profit_mean": profit} for name, profit in PAIRS.items()}
    summary = SUMMARY | {"best_heuristic": "myopic+s-S", "policies": rows | {"learned": ROW}}
    show(open_console(), policy_table(summary))
    hidden = capsys.readouterr().out
    assert "1 dominated pair is hidden" in hidden and "--all-pairs" in hidden
    assert [name for name in PAIRS if name not in hidden] == ["margin+capped"]
    show(open_console(), policy_table(summary, all_pairs=True))
    shown = capsys.readouterr().out
    assert "hidden" not in shown and all(name in shown for name in PAIRS)


@pytest.mark.parametrize("columns", ["60", None])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_money_shows_whole_on_any_terminal(monkeypatch, columns, encoding):
    printed = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", printed)
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    show(open_console(), policy_table(SUMMARY))
    printed.flush()
    text = printed.buffer.getvalue().decode(encoding)
    sign = "+/-" if encoding == "ascii" else "±"
    assert f"1,000,000,000.00 {sign} 100,000,000.00" in text
    assert f"-1,000,000,000.00 {sign} 500,000,000.00" in text
    tea = "茶" if encoding == "utf-8" else "\\u8336"
    assert f"[red]{tea}_$x$ :smile:" in text and "\x1b" not in text


def test_small_money_shows_the_figures_of_its_interval(capsys):
    row = ROW | {
        "profit_mean": 3.62, "profit_ci95": (3.6, 3.64), "difference_to_best_heuristic": -0.00213,
        "difference_ci95": (-0.0024, -0.0018),
    }  # fmt: skip
    show(open_console(), policy_table(SUMMARY | {"policies": {"learned": row, "myopic": row}}))
    printed = capsys.readouterr().out
    assert "3.620 ± 0.020" in printed and "-0.00213 ± 0.00030" in printed


def test_what_a_name_holds_stays_in_its_line():
    assert one_line("a\nb\x1b[31m é") == "a\\nb\\x1b[31m é"
