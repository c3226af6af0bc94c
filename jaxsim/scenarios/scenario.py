"""A scenario: a store as a small readable JSON file of named numbers, validated when it is read."""

import itertools
import json
import logging
from pathlib import Path
from typing import Annotated, Self

import jax.numpy as jnp
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jaxsim import families
from jaxsim.errors import ScenarioError
from jaxsim.files import appearing
from jaxsim.params import UNLIMITED, Params

LOG = logging.getLogger(__name__)
NOW_CHARGED = (
    "charge_missed: left out; penalty and goodwill now also know the customers whom hidden "
    "products cost: true says so, false is as in version 1"
)


Money = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Units = Annotated[float, Field(ge=0, le=UNLIMITED, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Memory = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Sigma = Annotated[float, Field(ge=0, le=3, allow_inf_nan=False)]
Utility = Annotated[float, Field(ge=-30, le=30, allow_inf_nan=False)]
Lift = Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)]
Periods = Annotated[int, Field(ge=0, le=64, strict=True)]
Pack = Annotated[int, Field(ge=1, le=100_000, strict=True)]
Batch = Annotated[float, Field(ge=1, le=100_000, allow_inf_nan=False)]
Review = Annotated[int, Field(ge=1, le=365, strict=True)]

PRODUCT_FIELDS = (
    "price", "cost", "holding", "penalty", "order_cost", "lead_time", "review", "max_order",
    "pack", "backlogged", "stall", "volume", "shelf_life", "arrival_age", "disposal",
    "batch", "dispersion", "demand_noise",
)  # fmt: skip
SEGMENT_FIELDS = ("arrivals", "lift", "fatigue_weight")
SCALAR_FIELDS = (
    "substitution", "hide_stockouts", "charge_missed", "fresh_share", "market_persistence",
    "market_noise", "goodwill_rate", "goodwill_target", "goodwill_floor", "goodwill_ceiling",
    "fatigue_memory", "capacity", "overflow", "forecast_memory",
)  # fmt: skip


class Scenario(BaseModel):
    """Every field of `Params` by name, and texts. A single number stands for all products (or
    segments); `utility` has one row per segment, `season` one row per segment or one for all.
    `category` names each product's category; left out, there is one. `no_purchase` may have a row
    per segment with a number for each category, in the order in which the categories first appear.

    `load` and `parse` raise `ScenarioError` for an unknown field or family, a wrong type, a value
    out of range, NaN or infinity, a wrong length, a lead time above `max_lead_time`, a shelf life
    above `max_shelf_life` or not above `arrival_age`, a slate larger than the catalogue, batches in
    a family without them. A
    `max_order` between whole packs is not refused: the store rounds it down (`Params.order_cap`),
    so that half of a cap of 5 is a cap of 2. Units and meanings: `jaxsim.params.Params`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(min_length=1, max_length=80)]
    about: str = ""
    sources: list[str] = []
    family: str = "poisson"
    max_lead_time: Annotated[int, Field(ge=1, le=64, strict=True)]
    max_shelf_life: Periods = 0
    products: Annotated[list[str], Field(min_length=1, max_length=100_000)]
    segments: Annotated[list[str], Field(min_length=1, max_length=10_000)]
    category: list[str] = []

    price: Money | list[Money]
    cost: Money | list[Money]
    holding: Money | list[Money]
    penalty: Money | list[Money] = 0.0
    order_cost: Money | list[Money] = 0.0
    lead_time: Periods | list[Periods]
    review: Review | list[Review] = 1
    max_order: Units | list[Units] = UNLIMITED
    pack: Pack | list[Pack] = 1
    backlogged: bool | list[bool] = False
    stall: Memory | list[Memory] = 0.0
    volume: Rate | list[Rate] = 1.0
    shelf_life: Periods | list[Periods] = 0
    arrival_age: Periods | list[Periods] = 0
    disposal: Money | list[Money] = 0.0
    batch: Batch | list[Batch] = 1.0
    dispersion: Batch | list[Batch] = 1.0
    demand_noise: Sigma | list[Sigma] = 0.0

    arrivals: Rate | list[Rate]
    utility: list[list[Utility]]
    no_purchase: Rate | list[Rate] | list[list[Rate]] = 1.0
    lift: Lift | list[Lift] = 0.0
    slot_weight: Annotated[list[Share], Field(min_length=1)] = [1.0]
    season: Annotated[list[list[Rate]], Field(min_length=1)] = [[1.0]]
    substitution: Share = 0.0
    hide_stockouts: bool = False
    charge_missed: bool = True
    fresh_share: Share = 0.0

    market_persistence: Memory = 0.0
    market_noise: Sigma = 0.0
    goodwill_rate: Share = 0.0
    goodwill_target: Share = 1.0
    goodwill_floor: Rate = 0.0
    goodwill_ceiling: Rate = 2.0
    fatigue_weight: Rate | list[Rate] = 0.0
    fatigue_memory: Memory = 0.0
    capacity: Units = UNLIMITED
    overflow: Money = 0.0
    forecast_memory: Memory = 0.9

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Self:
        sizes = {field: len(self.products) for field in PRODUCT_FIELDS}
        sizes |= {field: len(self.segments) for field in SEGMENT_FIELDS}
        for field, size in sizes.items():
            value = getattr(self, field)
            if isinstance(value, list) and len(value) != size:
                raise ValueError(f"{field}: has {len(value)} values; allowed: 1 number or {size}")
        for field, rows in (("utility", {len(self.segments)}), ("season", {1, len(self.segments)})):
            _check_matrix(field, getattr(self, field), rows)
        if len(self.utility[0]) != len(self.products):
            raise ValueError(
                f"utility: rows have {len(self.utility[0])} values; allowed: {len(self.products)}"
            )
        self._check_categories()
        self._check_relations()
        return self

    def _check_categories(self) -> None:
        if self.category and len(self.category) != len(self.products):
            raise ValueError(
                f"category: has {len(self.category)} names; allowed: none or {len(self.products)}"
            )
        rows, k, c = self.no_purchase, len(self.segments), len(self.categories)
        if not isinstance(rows, list):
            return
        if len(rows) != k:
            raise ValueError(f"no_purchase: has {len(rows)} values; allowed: 1 number or {k}")
        wide = {len(row) if isinstance(row, list) else 0 for row in rows}
        if wide not in ({0}, {c}):
            raise ValueError(
                f"no_purchase: rows of lengths {sorted(wide)}; allowed: numbers, or rows of {c}"
            )

    @property
    def categories(self) -> list[str]:
        """Names of the categories, in the order in which they first appear; one without a name
        where products have none."""
        return list(dict.fromkeys(self.category)) or [""]

    def _check_relations(self) -> None:
        families.get(self.family)
        longest = int(np.max(self.lead_time))
        if longest > self.max_lead_time:
            raise ValueError(
                f"lead_time: {longest}; allowed: 0 to max_lead_time={self.max_lead_time}"
            )
        self._check_ages()
        self._check_batches()
        slots = self.slot_weight
        if len(slots) > len(self.products):
            raise ValueError(
                f"slot_weight: a slate of {len(slots)}; allowed: 1 to {len(self.products)} products"
            )
        if slots[0] != 1 or any(b > a for a, b in itertools.pairwise(slots)):
            raise ValueError(f"slot_weight: {slots}; allowed: first 1, then not increasing")
        if not any(any(row) for row in self.season):
            raise ValueError("season: all 0; allowed: at least one number above 0")
        if self.goodwill_floor > min(1.0, self.goodwill_ceiling) or self.goodwill_ceiling < 1:
            raise ValueError(
                f"goodwill_floor: {self.goodwill_floor} with goodwill_ceiling "
                f"{self.goodwill_ceiling}; allowed: floor <= 1 <= ceiling"
            )
        for field in ("products", "segments"):
            names = getattr(self, field)
            if len(set(names)) != len(names):
                raise ValueError(f"{field}: names repeat; allowed: distinct names")

    def _check_ages(self) -> None:
        longest = int(np.max(self.shelf_life))
        if longest > self.max_shelf_life:
            raise ValueError(
                f"shelf_life: {longest}; allowed: 0 to max_shelf_life={self.max_shelf_life}"
            )
        life, age = np.broadcast_arrays(np.array(self.shelf_life), np.array(self.arrival_age))
        if (late := (life > 0) & (age >= life)).any():
            raise ValueError(
                f"shelf_life: {life[late].max()} of goods that arrive {age[late].max()} periods "
                "old; allowed: above arrival_age, or 0 for goods that keep"
            )

    def _check_batches(self) -> None:
        batch, dispersion = np.broadcast_arrays(self.batch, self.dispersion)
        if not families.get(self.family).in_batches:
            if (most := max(batch.max(), dispersion.max())) > 1:
                raise ValueError(
                    f"batch, dispersion: {most:g} with family {self.family}; allowed: 1, or "
                    "another family, negative-binomial"
                )
        elif (narrow := batch > dispersion).any():
            raise ValueError(
                f"dispersion: {dispersion[narrow].min():g} of batches of {batch[narrow].max():g} "
                "on average; allowed: at least the batch (it is E(B²) / E(B) of batches B)"
            )

    def params(self) -> Params:
        """The store as arrays: numbers broadcast to their full shapes, float32 and int32."""
        n, k = len(self.products), len(self.segments)
        shapes = dict.fromkeys(PRODUCT_FIELDS, (n,)) | dict.fromkeys(SEGMENT_FIELDS, (k,))
        shapes |= dict.fromkeys(SCALAR_FIELDS, ())
        names, every = self.categories, self.category or [""] * n
        body = self.model_dump() | {"category": [names.index(each) for each in every]}
        if isinstance(self.no_purchase, list) and not isinstance(self.no_purchase[0], list):
            body["no_purchase"] = [[each] for each in self.no_purchase]
        shapes |= {
            "category": (n,),
            "no_purchase": (k, len(names)),
            "utility": (k, n),
            "season": (k, len(self.season[0])),
            "slot_weight": (len(self.slot_weight),),
        }
        arrays = {
            field: jnp.broadcast_to(jnp.asarray(body[field], _dtype(field)), shape)
            for field, shape in shapes.items()
        }
        return Params(
            family=self.family,
            max_lead_time=self.max_lead_time,
            max_shelf_life=self.max_shelf_life,
            **arrays,
        )

    def save(self, path: str | Path) -> None:
        """Writes the scenario as readable JSON, complete or not at all. Raises `OSError`."""
        body = {k: v for k, v in self.model_dump().items() if k in self.model_fields_set}
        lines = [f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in body.items()]
        with appearing(Path(path)) as temporary:
            temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _dtype(field: str) -> type:
    if field in ("lead_time", "review", "category", "shelf_life", "arrival_age"):
        return jnp.int32
    return bool if field in ("backlogged", "hide_stockouts", "charge_missed") else jnp.float32


def _check_matrix(field: str, rows: list[list[float]], allowed_rows: set[int]) -> None:
    if len(rows) not in allowed_rows:
        allowed = " or ".join(str(count) for count in sorted(allowed_rows))
        raise ValueError(f"{field}: has {len(rows)} rows; allowed: {allowed}")
    if not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        lengths = sorted({len(row) for row in rows})
        raise ValueError(f"{field}: rows of lengths {lengths}; allowed: rows of one length, not 0")


def parse(body: object, where: str) -> Scenario:
    """Validates a decoded JSON document; `where` names its origin in errors. Raises
    `ScenarioError`."""
    try:
        json.dumps(body, ensure_ascii=False, default=str).encode()  # what could not be saved again
        return Scenario.model_validate(body)
    except ValidationError as error:
        raise ScenarioError(f"{where}: {_first_line(error)}") from None
    except UnicodeEncodeError:
        raise ScenarioError(f"{where}: half a character (a lone surrogate) in a text") from None
    except (RecursionError, OverflowError, ValueError) as error:
        raise ScenarioError(f"{where}: not a scenario ({error})") from None


def load(path: str | Path) -> Scenario:
    """Reads and validates a scenario file; says so where a field that it leaves out now means
    something else. Raises `ScenarioError`."""
    path = Path(path)
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or str(error).partition(";")[0]
        raise ScenarioError(f"{path}: not a readable JSON file ({why})") from None
    scenario = parse(body, str(path))
    seen = np.any(scenario.penalty) or scenario.goodwill_rate > 0
    if scenario.hide_stockouts and seen and "charge_missed" not in scenario.model_fields_set:
        LOG.warning("%s: %s", path, NOW_CHARGED)
    return scenario


def _first_line(error: ValidationError) -> str:
    """One line that names field, value and what is allowed, from pydantic's first error.

    A field that may be a number or a list of numbers has an error for each: the one further inside
    is the useful one.
    """
    complaints = error.errors(include_url=False)
    field = complaints[0]["loc"][:1]
    same = [c for c in complaints if c["loc"][:1] == field]
    worst = max(same, key=lambda c: sum(isinstance(part, int) for part in c["loc"]))
    if worst["type"] == "value_error":
        return worst["msg"].removeprefix("Value error, ")
    if not worst["loc"]:
        return "not a scenario; allowed: one JSON object of named fields"
    name = str(worst["loc"][0]) + "".join(f"[{p}]" for p in worst["loc"] if isinstance(p, int))
    if worst["type"] == "extra_forbidden":
        return f"{name}: unknown field; allowed: {', '.join(Scenario.model_fields)}"
    if worst["type"] == "missing":
        return f"{name}: is missing; it has no default"
    value = json.dumps(worst["input"], default=str)[:60]
    return f"{name}: {value}; allowed: {worst['msg'].removeprefix('Input should be ')}"
