"""What a report holds, as plain numbers and words: all that the page needs, and nothing on how it
looks.

Money is per period, in the scenario's currency. Lists nest as their comments say; T are periods, N
products shown, K segments, L rows of the pipeline.
"""

from dataclasses import dataclass

BEST = "best classical pair"
"""Its name where trainings disagree on which it is."""


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """One policy, or one group over its trainings."""

    name: str
    learned: bool
    profit: float
    difference: Estimate  # to the best classical pair
    trainings: list[float]  # the difference of each training
    fill_rate: float
    stockout_share: float
    shown_share: float
    turnover: float


@dataclass(frozen=True)
class Step:
    """One reason for a difference in profit."""

    label: str
    why: str
    amount: float


@dataclass(frozen=True)
class Bridge:
    """Where a difference in profit comes from: the steps add up to it."""

    better: str
    than: str
    difference: Estimate
    percent: float
    steps: list[Step]


@dataclass(frozen=True)
class Band:
    """A mean over trainings at each moment, and the lowest and highest of them."""

    mean: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class Curve:
    """How one group of trainings learned."""

    group: str
    trainings: int
    millions: list[float]  # store-periods
    profit: Band  # while exploring, smoothed
    fill_rate: Band
    checked_at: list[float]  # million store-periods
    checked: Band  # profit without exploration
    rates: dict[str, list[float]]  # of each clock, in the first training


@dataclass(frozen=True)
class Facts:
    """One training in the table of trainings."""

    folder: str
    group: str
    seed: int
    profit: float
    difference: Estimate
    best_heuristic: str


@dataclass(frozen=True)
class Results:
    """What trainings of one store came to."""

    scenario: str
    group: str  # that the page speaks of first: a regime, or settings of a sweep
    evaluation: dict[str, int]  # stores, periods, burn_in
    best_heuristic: str
    best_profit: float | None  # of the best classical pair; none where the stores differ
    over_trainings: bool  # intervals are over trainings, else over customers
    decimals: int  # of money that an interval leaves meaning to
    standings: list[Standing]  # best first
    bridges: list[Bridge]
    curves: list[Curve]
    facts: list[Facts]
    commands: list[str]  # that made them
    settings: list[tuple[str, str, bool]]  # name, value, changed from the default
    versions: dict[str, str]


@dataclass(frozen=True)
class Story:
    """One store's time under one policy, on the same customers as the other stories."""

    decided_by: str
    products: list[str]
    segments: list[str]
    first_day: int
    on_hand: list  # (T, N) units when deciding
    pipeline: list  # (T, L, N) units on order when deciding; row l arrives l + 1 receipts from now
    ordered: list  # (T, N) units
    sold: list
    turned_away: list  # lost or now waiting
    attention: list  # (T, K, N), 0 to 1
    mean_attention: list  # (T, N), over customers


@dataclass(frozen=True)
class Line:
    """Change of one product in each period since, and two standard errors."""

    product: str
    mean: list[float]  # by lag
    error: list[float]


@dataclass(frozen=True)
class Answers:
    """What all products shown do after something happened to one of them."""

    happened: str
    attention: list[Line]  # share of customers; the product that it happened to comes first
    orders: list[Line]  # units


@dataclass(frozen=True)
class Responses:
    """What one more unit of stock of each product does to all of them."""

    stores: int
    answers: list[Answers]


@dataclass(frozen=True)
class Switching:
    """Who is shown first to each segment, by the stock of two products: 0 or 1."""

    products: list[str]
    segments: list[str]
    learned: list  # (X1, X2, K)
    exact: list | None  # (X1, X2, K), where the solver takes the store
    visited: list | None  # (X1, X2), by the exact policy
    same: list[float] | None  # (K,) share of the visited stocks where both show the same first
    optimal_profit: float | None


@dataclass(frozen=True)
class Scenes:
    """One training's policy at work."""

    shown: str  # whose
    stories: list[Story]
    responses: Responses
    switching: Switching | None


@dataclass(frozen=True)
class Report:
    """One page."""

    about: str
    results: Results
    scenes: Scenes | None
