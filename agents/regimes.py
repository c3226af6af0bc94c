"""The regimes as data: what each department sees, what it is rewarded for, and its clock.

One trainer serves them all; only these settings differ.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Regime:
    """How two departments of one firm are set up to learn."""

    about: str
    shared_view: bool  # replenishment sees attention, recommendation sees stock
    own_kpi: bool  # each is rewarded for its own KPI (else: the store's profit), by its own critic
    three_clocks: bool  # fast and slow differ (else: both departments keep the fast clock)


REGIMES = {
    "silo": Regime(
        "own half of the view, own KPI, own critic, one clock",
        shared_view=False, own_kpi=True, three_clocks=False,
    ),
    "independent": Regime(
        "department views, own KPI, own critic, one clock",
        shared_view=True, own_kpi=True, three_clocks=False,
    ),
    "joint": Regime(
        "department views, profit, central critic, one clock",
        shared_view=True, own_kpi=False, three_clocks=False,
    ),
    "mtma": Regime(
        "department views, profit, central critic; critic, fast and slow department",
        shared_view=True, own_kpi=False, three_clocks=True,
    ),
}  # fmt: skip
