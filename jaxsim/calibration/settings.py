"""What a calibration is asked for, and what it assumes where data say nothing."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from jaxsim.calibration.amounts import Decimal
from jaxsim.calibration.columns import CalibrationError
from jaxsim.calibration.days import DateOrder
from jaxsim.calibration.files import files_of


@dataclass(frozen=True, kw_only=True)
class TransactionsConfig:
    """Which file has a shop's transactions, and what its columns mean."""

    transactions: Path | None = None
    """A row per purchase: CSV (separated by , ; | or tabs, also zipped or gzipped) or Parquet; a
    folder of such files, or a pattern in quotes."""
    columns: tuple[str, ...] = ()
    """The file's columns, as ROLE=COLUMN: date, product and price are needed; customer, segment,
    cost, group (a product's category) and quantity are optional. Price and cost are for the whole
    row, or for one piece where there is a quantity. By default columns with usual names."""
    date_order: DateOrder | None = None
    """Which of day, month and year comes first, where the dates do not tell."""
    decimal: Decimal | None = None
    """The decimal sign, where the numbers do not tell."""
    first_day: date | None = None
    """The date of day 1, where days are only numbered."""


@dataclass(frozen=True, kw_only=True)
class CalibrateConfig(TransactionsConfig):
    """Turn a file of transactions into a scenario."""

    aggregated: Path | None = None
    """In place of transactions: purchases by day, segment and product, as the query makes them that
    --print-sql prints."""
    print_sql: bool = False
    """Print that query for the given columns, for a database, and do nothing else."""
    out: Path = Path("store.json")
    """The scenario file to write (.json)."""
    name: str | None = None
    """Name of the scenario; by default that of the file."""
    products: int | None = None
    """How many products to keep: those bought most, from the largest groups. By default 20, or
    fewer where fewer qualify."""
    groups: int = 5
    """From how many groups to keep products, where there is a group column."""
    segments: int = 8
    """Most segments: the largest ones, the rest joined as `other`."""
    train_days: int = 0
    """Days to fit on; the rest are for the report. 0: the first three quarters."""
    margin: float = 0.25
    """Margin over price where there is no cost column."""
    least_margin: float = 0.0
    """Leave out products with a smaller margin over price (loss leaders)."""
    conversion: float = 0.3
    """Share of visitors who buy one of these products, where there is no customer column."""
    lead_times: tuple[int, ...] = (2,)
    """Assumed lead times in days, assigned to the groups in turn."""
    shelf_lives: tuple[int, ...] = (0,)
    """Assumed days in which a fresh unit can be sold, given to the groups in turn; 0: it keeps."""
    holding_a_day: float = 0.03
    """Assumed holding cost per day, as a share of cost: capital and space, and spoilage where no
    shelf lives are given."""
    penalty: float = 0.0
    """Assumed penalty of a lost sale beyond its margin, as a share of price."""
    capacity_days: float = 0.0
    """Assumed shelf room in days of mean sales; 0: no limit."""
    overflow: float = 0.05
    """Assumed cost of a unit beyond the shelf per day, as a share of mean cost."""
    substitution: float = 0.45
    """Assumed share of customers with unmet demand who choose once more."""
    needs: bool = True
    """Whether groups are needs of their own: products compete, and substitute, within a group only.
    Otherwise, and where there is no group column, every product competes with every other."""
    hide_stockouts: bool = False
    """Whether the shop hides what is sold out, as a web shop can."""
    lift: float = 0.6
    """Assumed utility of a full slot of attention, which such data do not show."""
    slot_weight: tuple[float, ...] = (1.0, 0.8, 0.2)
    """Assumed attention of each slot of the slate, first 1, not increasing."""

    def validate(self) -> None:
        """Raises `CalibrationError` for a setting out of range, or for files that are not there."""
        if self.print_sql:
            return
        check(self)
        for path in (self.transactions, self.aggregated):
            if path is not None:
                files_of(path)


def check(config: CalibrateConfig) -> None:
    """Raises `CalibrationError` for a setting out of range."""
    allowed = {
        "groups": (1, 100_000), "segments": (1, 10_000),
        "margin": (0, 0.99), "least_margin": (-1, 0.99), "conversion": (0.001, 1),
        "holding_a_day": (0, 1), "penalty": (0, 10), "capacity_days": (0, 10_000),
        "overflow": (0, 10), "substitution": (0, 1), "lift": (-10, 10),
    }  # fmt: skip
    for field, (low, high) in allowed.items():
        value = getattr(config, field)
        if not low <= value <= high:
            raise CalibrationError(f"{field}: {value}; allowed: {low} to {high}")
    for field in ("lead_times", "shelf_lives", "slot_weight"):
        if not getattr(config, field):
            raise CalibrationError(f"{field}: none; allowed: one or more numbers")
    if (config.transactions is None) == (config.aggregated is None):
        raise CalibrationError(
            f"transactions: {config.transactions} with aggregated: {config.aggregated}; allowed: "
            "one of the two"
        )
    if config.out.suffix != ".json":
        raise CalibrationError(f"out: {config.out}; allowed: a name that ends in .json")
