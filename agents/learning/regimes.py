"""The regimes as data: what each department sees, what it is rewarded for, and its clock.

One trainer serves them all; only these settings differ.
"""

from dataclasses import dataclass
from typing import Literal

Department = Literal["recommendation", "replenishment"]
Learner = Literal["path", "score"]
"""Departments follow the slope of the simulated ledger, or the score function."""
RegimeName = Literal[
    "silo", "independent", "priced", "single", "joint", "mtma", "mtma-reversed"
]  # fmt: skip


@dataclass(frozen=True)
class Regime:
    """How two departments of one firm are set up to learn."""

    about: str
    shared_view: bool  # replenishment sees attention, recommendation sees stock
    own_kpi: bool  # each is rewarded for its own KPI (else: the store's profit), by its own critic
    # one: both departments on the fast clock; reversed: the fast and the slow department swapped.
    clocks: Literal["one", "three", "reversed"]
    one_network: bool = False  # that sees what both departments see and decides for both
    # Recommendation is rewarded for its own margin, charged a price for each unit of stock that it
    # sells; replenishment for the store's profit.
    charged: bool = False

    @property
    def three_clocks(self) -> bool:
        return self.clocks != "one"


REGIMES: dict[RegimeName, Regime] = {
    "silo": Regime(
        "own half of the view, own KPI, own critic, one clock",
        shared_view=False, own_kpi=True, clocks="one",
    ),
    "independent": Regime(
        "department views, own KPI, own critic, one clock",
        shared_view=True, own_kpi=True, clocks="one",
    ),
    "priced": Regime(
        "department views; profit for replenishment, margin over a shadow price for recommendation",
        shared_view=True, own_kpi=False, clocks="three", charged=True,
    ),
    "single": Regime(
        "one network for both decisions, both views, profit, one critic, one clock",
        shared_view=True, own_kpi=False, clocks="one", one_network=True,
    ),
    "joint": Regime(
        "department views, profit, central critic, one clock: mtma with equal clocks",
        shared_view=True, own_kpi=False, clocks="one",
    ),
    "mtma": Regime(
        "department views, profit, central critic; critic, fast and slow department",
        shared_view=True, own_kpi=False, clocks="three",
    ),
    "mtma-reversed": Regime(
        "mtma with the fast and the slow department swapped",
        shared_view=True, own_kpi=False, clocks="reversed",
    ),
}  # fmt: skip
