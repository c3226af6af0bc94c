"""What the study compares: methods (a regime with a learner), each with rates of its own, and what
is left of the two main ones when a part of them changes."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.learning.config import TrainConfig
from agents.learning.regimes import REGIMES, Learner, RegimeName

REGIMES_PART, CEILING = "regimes", "ceiling"
MAIN, BY_SCORE = "mtma", "mtma-score"
"""The methods that parts are changed of."""
SEEDS_OF_A_CHANGE = 8
"""Of the trainings with a part changed: they are looked at, and settle nothing."""
LONGER, WIDTHS, SEEDS_OF_A_CEILING = 10, (32, 64), 2
"""Times the experience, and widths of networks, of the trainings that show what is left."""
CHECKS = 5
"""Greedy evaluations while learning: the last fifth of a curve lies between the last two."""


@dataclass(frozen=True)
class Budget:
    """What every run on a store may spend, and how it is measured."""

    rounds: int = 200
    """Of 32 stores × 32 periods."""
    stores: int = 256
    """Of an evaluation, over 100 periods."""
    burn_in: int = 40
    """Periods before them."""


STORES: dict[str, Budget] = {
    "pair": Budget(rounds=400, stores=512),
    "boutique": Budget(),
    "fresh": Budget(),
    "scarce": Budget(),
    "loyal": Budget(stores=128, burn_in=300),  # goodwill answers over hundreds of periods
    "grocery-dry": Budget(),
    "grocery": Budget(),
}
ABLATED = ("boutique", "fresh")
"""Stores on which parts are changed."""
QUICK_STORES, QUICK_METHODS = ("pair", "boutique"), ("silo", "joint", MAIN, BY_SCORE)
"""Of a quick study: a program for each, and most of its time is their compilation."""


@dataclass(frozen=True)
class Method:
    """A way to learn, and its rates: those that `agents.study.rates` has chosen for it."""

    regime: RegimeName
    learner: Learner
    rates: tuple[float, float]
    """Of the fast and of the slow department; with one clock the second is not used."""

    @property
    def name(self) -> str:
        """As it names variants and lines of tables."""
        return TrainConfig(regime=self.regime, learner=self.learner).method

    @property
    def one_clock(self) -> bool:
        return not REGIMES[self.regime].three_clocks

    def config(self, store: str, budget: Budget, rates: tuple[float, float]) -> TrainConfig:
        """A training of this method with other rates."""
        shared: dict[str, Any] = dict(
            scenario=store, regime=self.regime, horizon=32, fast_rate=rates[0], slow_rate=rates[1],
            evaluations=CHECKS, evaluation_stores=budget.stores, evaluation_periods=100,
            burn_in=budget.burn_in,
        )  # fmt: skip
        if self.learner == "path":
            return TrainConfig(iterations=budget.rounds, stores=32, **shared)
        return TrainConfig.by_score(iterations=budget.rounds // 2, stores=64, **shared)


METHODS = (
    Method("silo", "path", (2e-2, 2e-2)),
    Method("independent", "path", (4e-2, 4e-2)),
    Method("priced", "path", (1e-2, 1e-2)),
    Method("single", "path", (1e-2, 1e-2)),
    Method("joint", "path", (1e-2, 1e-2)),
    Method("mtma", "path", (4e-2, 1.2e-2)),
    Method("mtma-reversed", "path", (2e-2, 6e-3)),
    Method("mtma", "score", (4e-3, 4e-3)),
)


@dataclass(frozen=True)
class Change:
    """A part of a method, and what it is changed to."""

    part: str
    name: str
    method: str
    settings: Mapping[str, Any]


ABLATIONS = (
    Change("clocks", "constant rates", MAIN, {"timescales": "constant"}),
    Change("clocks", "exponents 0.51 and 0.6", MAIN,
           {"fast_exponent": 0.51, "slow_exponent": 0.6}),
    Change("end of the path", "worth nothing: no critic", MAIN, {"discount": 1e-3}),
    Change("weights in use", "the last ones, not their average", MAIN, {"averaging": 1.0}),
    Change("draws of slates", "at one temperature", MAIN, {"temperature_end": 0.5}),
    Change("memory", "none", MAIN, {"replenishment_memory": "none"}),
    Change("noise", "no common customers", BY_SCORE, {"crn_group": 1}),
    Change("noise", "no control variate", BY_SCORE, {"control_variate": 0.0}),
    Change("noise", "neither", BY_SCORE, {"crn_group": 1, "control_variate": 0.0}),
    Change("values", "learned after the departments", BY_SCORE, {"critic_first": False}),
    Change("values", "of the store, not of products", BY_SCORE, {"values": "store"}),
    Change("credit of an order", "its own product only", BY_SCORE, {"cross_product_credit": 0.0}),
    Change("fast updates to a slow one", "4", BY_SCORE, {"fast_per_slow": 4}),
)  # fmt: skip
"""One part changed at a time; those of one part and method are a table."""


@dataclass(frozen=True)
class Variant:
    """One row of one table, before the seeds."""

    part: str
    name: str
    config: TrainConfig
    seeds: int


def variants(quick: bool, seeds: int, rounds: int | None) -> list[Variant]:
    """Every method on every store, the ablations, and long trainings as a ceiling; `quick`: the
    methods of the comparisons on two small stores. `rounds`: of every run instead of its store's
    own."""
    stores = {store: STORES[store] for store in (QUICK_STORES if quick else STORES)}
    if rounds is not None:
        stores = {store: dataclasses.replace(each, rounds=rounds) for store, each in stores.items()}
    found = [
        Variant(REGIMES_PART, method.name, method.config(store, budget, method.rates), seeds)
        for store, budget in stores.items()
        for method in METHODS
        if not quick or method.name in QUICK_METHODS
    ]
    if quick:
        return found
    base = {(each.config.scenario, each.name): each for each in found}
    for store in ABLATED:
        for change in ABLATIONS:
            changed = dataclasses.replace(base[store, change.method].config, **change.settings)
            found.append(Variant(change.part, change.name, changed, min(seeds, SEEDS_OF_A_CHANGE)))
    return [*found, *_ceilings(base)]


def _ceilings(base: Mapping[tuple[str, str], Variant]) -> Sequence[Variant]:
    """Long trainings of the main method: what more experience and wider networks still find."""
    return [
        Variant(
            CEILING, f"{LONGER} times the experience, width {width}",
            dataclasses.replace(
                of.config, iterations=LONGER * of.config.iterations, width=width
            ),
            SEEDS_OF_A_CEILING,
        )
        for (_, name), of in base.items()
        if name == MAIN
        for width in WIDTHS
    ]  # fmt: skip
