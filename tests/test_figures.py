"""Figures on the pages are those that benchmarks left."""

import json
import re

from tests.test_docs import ROOT, TEXT


def test_the_fits_of_other_shops_are_those_of_the_benchmark() -> None:
    found = json.loads((ROOT / "benchmarks" / "calibrations.json").read_text(encoding="utf-8"))
    for cells in zip(*map(fit_of, found["rows"]), strict=True):
        assert f" | {' | '.join(cells)} |" in TEXT["docs/calibration.md"], cells


def fit_of(row: dict) -> list[str]:
    """A shop's column: sizes, and how it does on the days that were not fitted."""
    better = row["log-likelihood per purchase"]
    better -= row["log-likelihood per purchase, popularity only"]
    simulated, real = (
        row[f"weekly sales, {which}, all products"] for which in ("simulated", "real")
    )
    variance = "daily variance over mean, {}, median product"
    return [
        f"{row['products']}, {row['segments']}",
        f"{row['hold-out days']:.0f}",
        f"{better:+.3f}",
        f"{100 * (simulated / real - 1):+.1f} %",
        f"{row['correlation over products, hold-out']:.3f}",
        *(f"{row[variance.format(which)]:.2f}" for which in ("real", "simulated")),
    ]


def test_the_learners_gains_are_those_of_its_benchmark() -> None:
    """Every row of the benchmark on its page, and those that the README shows."""
    rows = json.loads((ROOT / "benchmarks" / "learning.json").read_text(encoding="utf-8"))["rows"]
    shown = {page: dict(re.findall(GAIN, TEXT[page])) for page in ("docs/gains.md", "README.md")}
    assert shown["docs/gains.md"].keys() == {row["name"] for row in rows}
    assert shown["README.md"]
    for row in rows:
        for page in shown.values():
            assert page.get(row["name"], gain_of(row)) == gain_of(row), row["name"]
        if "kpis" in row:
            assert kpis_of(row) in TEXT["docs/gains.md"].splitlines()


def gain_of(row: dict) -> str:
    """Seeds, gain, interval and gap, as the pages show them; rows of published stores are held to
    the optimum alone."""
    gain = "| |"
    if "gain" in row:
        low, high = row["gain_ci95"]
        gain = f"{row['gain']:+.2f} | {low:+.2f} to {high:+.2f} |"
    gap = f" {row['gap_percent']:.2f} %" if "gap_percent" in row else ""
    return f"{row['seeds']} | {gain}{gap} |"


def kpis_of(row: dict) -> str:
    """The row's line in the table of KPIs: each of the best pair, then of the learned ones."""
    both = [row["kpis"][who] for who in ("pair", "learned")]
    formats = {"waste": ".2f", "availability": ".3f", "service_level": ".3f"}
    cells = [f"{each[kpi]:{style}}" for kpi, style in formats.items() for each in both]
    return f"| `{row['name']}` | {' | '.join(cells)} |"


GAIN = re.compile(
    r"^\| `([\w-]+)` \| [^|]+ \| (\d+ \| (?:\| \||\S+ \| \S+ to \S+ \|).* \|)$", re.MULTILINE
)
"""A row's name, and its numbers."""
