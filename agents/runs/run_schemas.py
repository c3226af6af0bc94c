"""What the JSON files of a run hold, for writing and for reading them.

`config.json` names the version that wrote the folder. Versions of one series (0.2) read each
other's: a field that a later one adds has a default here. Another series is refused.
"""

import dataclasses
from typing import Annotated, Any, Self, get_type_hints

from pydantic import Field, create_model, model_validator

from agents.learning.config import Learner, TrainConfig
from agents.learning.regimes import RegimeName
from agents.policies.heuristics import ORDER_RULES, RECOMMENDERS
from agents.schemas import Defined, Document, Number

Interval = tuple[Number, Number]
Count = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
LEARNED = "learned"
"""The name of the departments among the policies of a summary."""
PAIRS = {f"{recommender}+{rule}" for recommender in RECOMMENDERS for rule in ORDER_RULES}

SETTINGS: dict[str, Any] = {
    field.name: (get_type_hints(TrainConfig)[field.name], ...)
    for field in dataclasses.fields(TrainConfig)
}


class Settings(create_model("Settings", __base__=Document, **SETTINGS)):
    """Every setting of a training, resolved."""

    @model_validator(mode="after")
    def _can_be_trained(self) -> Self:
        config_of(self).validate()
        return self


class Config(Settings):
    """`config.json`: the settings of a training, and the version that wrote it."""

    version: str = "0.1.0"


class Heuristic(Document):
    """The numbers of `agents.policies.heuristics.HeuristicParams`."""

    recommender: Annotated[int, Field(ge=0, lt=len(RECOMMENDERS))]
    stock_weight: Number
    safety: Number
    fractile: Number
    spread: Number
    cap: Number
    gap: Number
    least_margin: Number
    projected: Number = 0.0  # as in versions without this rule
    expected_waste: Number = 0.0
    low: Number = 0.0
    limit: Number = 1.0


class Pair(Document):
    """One tuned pair."""

    name: str
    profit_when_tuned: Number
    heuristic: Heuristic


class Heuristics(Document):
    """`heuristics.json`: every tuned pair, best first."""

    pairs: list[Pair]

    @model_validator(mode="after")
    def _pairs_are_known(self) -> Self:
        """Where every product is on every slate, all recommenders are one, and pairs are fewer."""
        names = [pair.name for pair in self.pairs]
        if not names or not set(names) <= PAIRS or len(set(names)) != len(names):
            raise ValueError(
                f"pairs: {len(names)} pairs; allowed: one or more of {len(PAIRS)} recommenders and "
                "order rules, each once"
            )
        return self


class Line(Document):
    """One policy's profit (money per period) and KPIs; `agents.evaluation.simulation.kpis`."""

    profit_mean: Number
    profit_ci95: Interval
    difference_to_best_heuristic: Number
    difference_ci95: Interval
    revenue: Number
    margin: Number
    purchase: Number
    holding: Number
    penalty: Number
    demand_value: Number
    fill_rate: Defined
    service_level: Defined
    missed: Number
    availability: Number
    carried: Number
    stockout_share: Number
    turnover: Defined
    shown_share: Defined
    bullwhip: Defined
    waste: Number = 0.0  # none, in folders of versions whose goods did not age
    waste_cost: Number = 0.0
    disposal: Number = 0.0


class Gain(Document):
    """Profit per period more than the best tuned pair."""

    mean: Number
    ci95: Interval
    percent: Defined


class Absence(Document):
    """A product that a policy never ordered; see `agents.evaluation.simulation.never_ordered`."""

    product: Count
    missed: Number
    margin: Number


class Sizes(Document):
    """Of an evaluation."""

    stores: Annotated[int, Field(ge=2)]
    periods: Annotated[int, Field(ge=1)]
    burn_in: Count


class Seconds(Document):
    """Of a training, by part: `agents.runs.stopwatch.PARTS`."""

    tune: Number
    compile: Number
    learn: Number
    evaluate: Number
    write: Number


class Summary(Document):
    """`summary.json`: what a training came to."""

    scenario: str
    regime: RegimeName
    learner: Learner
    seed: Count
    store_periods: Count
    policies: dict[str, Line]
    best_heuristic: str
    gain_over_best_heuristic: Gain
    never_ordered: dict[str, list[Absence]]
    why_null: dict[str, str]
    evaluation: Sizes
    versions: dict[str, str]
    seconds: Seconds | None = None
    compile_seconds: Number | None = None  # this and the next: as builds of version 0.2 wrote them
    train_seconds: Number | None = None  # before there were `seconds`

    @model_validator(mode="after")
    def _names_belong_together(self) -> Self:
        for name in (LEARNED, self.best_heuristic):
            for field in ("policies", "never_ordered"):
                if name not in getattr(self, field):
                    raise ValueError(f"{field}: has no {name!r}; allowed: with {LEARNED} and the "
                                     "best_heuristic")  # fmt: skip
        return self


class About(Document):
    """What a numbered checkpoint holds besides arrays. Digests are None in one that was made
    before they were kept."""

    iteration: Count
    store_periods: Count
    seconds: Annotated[float, Field(ge=0)]
    kept_profit: Number | None
    settings: dict[str, Any]
    arrays: dict[str, Digest] | None = None  # by the name of each
    metrics: Digest | None = None  # of the rows of metrics.csv until then
    sha256: Digest | None = None  # of all of this but itself


Identities = create_model(
    "Identities", __base__=Document, wandb=(str | None, None), mlflow=(str | None, None)
)
"""`logs.json`: under which names the services know a run."""


def config_of(document: Document) -> TrainConfig:
    """The training of these settings."""
    return TrainConfig(**document.model_dump(exclude={"version"}))
