"""From transactions to a scenario: arrivals, tastes, season and noise are fitted, the rest assumed.

One unit of the store is one purchase: a line of a receipt, whatever its number of pieces, at the
mean price and cost of such lines. Visitors are counted; those who buy none of the products buy
nothing. Method: moments, and multinomial-logit frequencies with an empirical-Bayes prior. Source:
this project.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import optimize, special

from jaxsim.calibration.replay import daily_sales
from jaxsim.calibration.traffic import split, whole_days
from jaxsim.calibration.transactions import CalibrationError, parse_columns, read_transactions
from jaxsim.scenarios.scenario import Scenario, parse

WEEKS = 520
"""Simulated weeks that the report averages a scenario's sales over."""

MOST_PRODUCTS = 20
"""Products that are kept by default."""

MOST_BUYING = 0.98
"""Largest share of a segment's visitors who buy: where there were more purchases, arrivals are
raised."""


COLUMNS = ("date=date", "product=product", "price=price")


@dataclass(frozen=True)
class CalibrateConfig:
    """Turn a file of transactions into a scenario."""

    transactions: Path
    """CSV (also zipped) or Parquet, one row per purchase."""
    out: Path
    """The scenario file to write (.json)."""
    columns: tuple[str, ...] = COLUMNS
    """The file's columns, as ROLE=COLUMN: date, product and price are needed; customer, segment,
    cost, group (a product's category) and quantity are optional. Price and cost are for the whole
    row, or for one piece where there is a quantity."""
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
    holding_a_day: float = 0.03
    """Assumed holding cost per day, as a share of cost: spoilage and capital."""
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


@dataclass(frozen=True)
class Calibration:
    """A fitted scenario, and a report on the days that it was not fitted to: values by name."""

    scenario: Scenario
    report: dict[str, float]


@dataclass(frozen=True)
class Counts:
    """The data as arrays: D days, K segments, N products. Money is per purchase."""

    days: pd.DatetimeIndex
    products: list[str]
    groups: list[str]
    segments: list[str]
    purchases: Float[np.ndarray, "D K N"]
    visitors: Float[np.ndarray, "D K"]
    price: Float[np.ndarray, " N"]
    cost: Float[np.ndarray, " N"]

    @property
    def weekday(self) -> np.ndarray:
        """Monday is 0."""
        return self.days.day_of_week.to_numpy()


@dataclass(frozen=True)
class Fitted:
    """Parameters of demand that are estimated."""

    tastes: Float[np.ndarray, "K N"]  # shares of products in purchases
    season: Float[np.ndarray, "K 7"]
    persistence: float  # ρ of the market state
    market: float  # σ of its innovations
    noise: Float[np.ndarray, " N"]  # σ of the lognormal shocks


def calibrate(config: CalibrateConfig) -> Calibration:
    """Reads the transactions, fits, and writes the scenario file. Raises `CalibrationError`, and
    then writes nothing."""
    _check(config)
    table = read_transactions(config.transactions, parse_columns(config.columns), config.margin)
    calibration = fit(table, config)
    try:
        calibration.scenario.save(config.out)
    except OSError as error:
        raise CalibrationError(f"out: {config.out} cannot be written ({error.strerror})") from None
    return calibration


def fit(table: pd.DataFrame, config: CalibrateConfig, **told: Any) -> Calibration:
    """Fits the first days and reports on the rest, which choose nothing: neither products, prices
    and segments nor what counts as a gap. `told` are fields of the scenario that no data tell
    (`about`, `sources`). Raises `CalibrationError`."""
    days = pd.date_range(table["date"].min(), table["date"].max())
    train = split(len(days), config.train_days)
    counts = count(table, days, days[train], config)
    whole = whole_days(counts.visitors.sum(1), counts.weekday, train)
    past = _days(counts, whole & (np.arange(len(whole)) < train))
    future = _days(counts, whole & (np.arange(len(whole)) >= train))
    season = weekly_season(past)
    expected = (past.visitors.mean(0) * season.T[past.weekday]).sum(1)
    persistence, market = market_state(past, expected)
    fitted = Fitted(
        tastes=shrunken_tastes(past),
        season=season,
        persistence=persistence,
        market=market,
        noise=demand_noise(past, expected, market**2 / (1 - persistence**2)),
    )
    scenario = _scenario(past, fitted, config, told)
    report = {"days left out as gaps": float((~whole).sum())}
    return Calibration(scenario, report | hold_out(future, past, fitted.tastes, scenario))


def count(
    table: pd.DataFrame, days: pd.DatetimeIndex, hold_out: pd.Timestamp, config: CalibrateConfig
) -> Counts:
    """Chooses products and segments on the days before `hold_out`, and counts purchases and
    visitors on all `days`; those of segments that only came later are left out. Raises
    `CalibrationError`."""
    history = table[table["date"] < hold_out]
    kept = choose_products(history, config)
    by_size = history["segment"].value_counts().index
    named = list(by_size if len(by_size) <= config.segments else by_size[: config.segments - 1])
    segment = table["segment"].where(table["segment"].isin(named), "other")
    segments = sorted(segment[history.index].unique())
    table = table.assign(segment=segment)
    bought = table[table["product"].isin(kept.index)]
    shape = (len(days), len(segments), len(kept))
    index = pd.MultiIndex.from_product([days, segments, kept.index])
    purchases = bought.groupby(["date", "segment", "product"]).size().reindex(index, fill_value=0)
    visitors = _visitors(table, purchases, pd.MultiIndex.from_product([days, segments]), config)
    return Counts(
        days=days,
        products=[str(product) for product in kept.index],
        groups=list(kept["group"]),
        segments=[str(each) for each in segments],
        purchases=purchases.to_numpy(float).reshape(shape),
        visitors=visitors.reshape(shape[:2]),
        price=kept["price"].to_numpy(),
        cost=kept["cost"].to_numpy(),
    )


def choose_products(table: pd.DataFrame, config: CalibrateConfig) -> pd.DataFrame:
    """The products bought most among those sold on five days in six with a sufficient margin, from
    the groups that sell most of these. Columns: group, price and cost per purchase. Raises
    `CalibrationError`."""
    of_product = table.groupby("product")
    all_days = (table["date"].max() - table["date"].min()).days + 1
    goods = pd.DataFrame(
        {
            "group": of_product["group"].first(),
            "days": of_product["date"].nunique(),
            "purchases": of_product.size(),
            "price": of_product["price"].mean(),
            "cost": of_product["cost"].mean(),
        }
    )
    sound = (goods["price"] > 0) & (goods["days"] >= all_days * 5 / 6)
    goods = goods[sound & (1 - goods["cost"] / goods["price"] > config.least_margin)]
    largest = goods.groupby("group")["purchases"].sum().nlargest(config.groups).index
    goods = goods[goods["group"].isin(largest)]
    number = min(MOST_PRODUCTS, len(goods)) if config.products is None else config.products
    if not 1 <= number <= len(goods):
        raise CalibrationError(
            f"products: {number}; allowed: 1 to {len(goods)}, those sold on five days in six "
            f"with a margin above {config.least_margin}"
        )
    goods = goods.sort_index().sort_values("purchases", ascending=False, kind="stable")
    return goods.head(number)


def shrunken_tastes(counts: Counts) -> Float[np.ndarray, "K N"]:
    """Shares of products in each segment's purchases, shrunk towards the overall shares by a
    Dirichlet prior whose weight maximises the likelihood of the segments' counts."""
    by_segment = counts.purchases.sum(0)
    everybody = (by_segment.sum(0) + 0.5) / (by_segment.sum() + 0.5 * by_segment.shape[1])

    def loss(log_weight: float) -> float:
        prior = np.exp(log_weight) * everybody
        return -float(
            (special.gammaln(by_segment + prior) - special.gammaln(prior)).sum()
            - (
                special.gammaln(by_segment.sum(1) + prior.sum()) - special.gammaln(prior.sum())
            ).sum()
        )

    best = optimize.minimize_scalar(loss, bounds=(0.0, 12.0), method="bounded")
    posterior = by_segment + np.exp(best.x) * everybody
    return posterior / posterior.sum(1, keepdims=True)


def weekly_season(counts: Counts) -> Float[np.ndarray, "K 7"]:
    """Mean visitors of each weekday over the mean of all weekdays, by segment; Monday first."""
    of_day = [counts.visitors[counts.weekday == day].mean(0) for day in range(7)]
    means = np.stack(of_day, -1)
    return means / np.maximum(means.mean(1, keepdims=True), 1e-9)


def market_state(counts: Counts, expected: Float[np.ndarray, " D"]) -> tuple[float, float]:
    """ρ and σ of the AR(1), in logs, of daily visitors over their expectation, with counting noise
    removed. ρ is estimated from consecutive days only."""
    ratio = counts.visitors.sum(1) / np.maximum(expected, 1e-9)
    ratio = ratio / ratio.mean() - 1
    variance = max(float(ratio.var() - (1 / np.maximum(expected, 1.0)).mean()), 1e-6)
    neighbours = np.diff(counts.days) == np.timedelta64(1, "D")
    covariance = float((ratio[1:] * ratio[:-1])[neighbours].mean())
    persistence = float(np.clip(covariance / variance, 0.0, 0.95))
    return persistence, float(np.sqrt(np.log1p(variance) * (1 - persistence**2)))


def demand_noise(
    counts: Counts, expected: Float[np.ndarray, " D"], market_variance: float
) -> Float[np.ndarray, " N"]:
    """σ_i of the lognormal shocks: the daily variance that Poisson demand and the market state do
    not explain."""
    daily = counts.purchases.sum(1)
    mean = daily.mean(0) * (expected / expected.mean())[:, None]
    excess = ((daily - mean) ** 2 - mean).mean(0) / (mean**2).mean(0)
    left = (1 + np.maximum(excess, 0)) / np.exp(market_variance)
    return np.sqrt(np.log(np.maximum(left, 1.0)))


def hold_out(
    future: Counts, past: Counts, tastes: Float[np.ndarray, "K N"], scenario: Scenario
) -> dict[str, float]:
    """The days not fitted: log-likelihood per purchase, beside that of popularity alone, and sales
    by product beside those of the scenario with nothing shown and full shelves."""
    seen = future.purchases.sum(0)
    popularity = past.purchases.sum((0, 1)) + 0.5
    popularity = popularity / popularity.sum()
    total = max(seen.sum(), 1.0)
    real = 7 * future.purchases.sum(1).mean(0)
    fitted_days = 7 * past.purchases.sum(1).mean(0)
    simulated = daily_sales(scenario, 7 * WEEKS)
    level = 7 * simulated.mean(0)
    return {
        "hold-out days": float(len(future.days)),
        "log-likelihood per purchase": float((seen * np.log(tastes)).sum() / total),
        "log-likelihood per purchase, popularity only": float(
            (seen * np.log(popularity)).sum() / total
        ),
        "weekly sales, real, all products": float(real.sum()),
        "weekly sales, simulated, all products": float(level.sum()),
        "correlation over products, hold-out": float(np.corrcoef(level, real)[0, 1]),
        "correlation over products, fitted days": float(np.corrcoef(level, fitted_days)[0, 1]),
        "daily variance over mean, real, median product": _dispersion(future.purchases.sum(1)),
        "daily variance over mean, fitted days, median product": _dispersion(past.purchases.sum(1)),
        "daily variance over mean, simulated, median product": _dispersion(simulated),
    }


def _scenario(
    past: Counts, fitted: Fitted, config: CalibrateConfig, told: dict[str, Any]
) -> Scenario:
    category = past.groups if config.needs else ["all"] * len(past.groups)
    members = np.array(category) == np.unique(category)[:, None]
    bought = past.purchases.sum(0) @ members.T
    each_buys = bought / np.maximum(past.visitors.sum(0), 1.0)[:, None]
    # In the store a customer buys one unit for a need: who buys several counts as several.
    times = np.maximum(each_buys.max(1) / MOST_BUYING, 1.0)
    buying = np.clip(each_buys / times[:, None], 1e-4, MOST_BUYING) @ members
    within = fitted.tastes / (fitted.tastes @ members.T @ members)
    suppliers = sorted(set(past.groups), key=past.groups.index)
    lead = [config.lead_times[suppliers.index(g) % len(config.lead_times)] for g in past.groups]
    limits = {}
    if config.capacity_days > 0:
        limits["capacity"] = _rounded(config.capacity_days * past.purchases.sum((1, 2)).mean())
        limits["overflow"] = _rounded(config.overflow * past.cost.mean())
    # The market factor e^m has mean exp(variance / 2); arrivals are what came on average.
    drift = np.exp(-0.5 * fitted.market**2 / (1 - fitted.persistence**2))
    body = dict(
        max_lead_time=max(1, *lead),
        products=past.products,
        segments=past.segments,
        price=_rounded(past.price),
        cost=_rounded(past.cost),
        holding=_rounded(past.cost * config.holding_a_day),
        penalty=_rounded(past.price * config.penalty),
        lead_time=lead,
        demand_noise=_rounded(fitted.noise),
        arrivals=_rounded(past.visitors.mean(0) * times * drift),
        utility=[_rounded(row) for row in np.log(within) + special.logit(buying)],
        no_purchase=1.0,
        lift=config.lift,
        slot_weight=list(config.slot_weight),
        season=[_rounded(row) for row in fitted.season],
        substitution=config.substitution,
        hide_stockouts=config.hide_stockouts,
        market_persistence=_rounded(fitted.persistence),
        market_noise=_rounded(fitted.market),
    )
    limits |= {"category": category} if len(set(category)) > 1 else {}
    usual = {"name": config.name or config.out.stem, "charge_missed": True}
    return parse(usual | told | body | limits, "calibration")


def _visitors(
    table: pd.DataFrame, purchases: pd.Series, index: pd.MultiIndex, config: CalibrateConfig
) -> np.ndarray:
    """Distinct customers by day and segment, or purchases over the assumed conversion."""
    if "customer" in table:
        seen = table.groupby(["date", "segment"])["customer"].nunique()
        return seen.reindex(index, fill_value=0).to_numpy(float)
    bought = purchases.groupby(level=[0, 1]).sum().reindex(index, fill_value=0)
    return bought.to_numpy(float) / config.conversion


def _days(counts: Counts, part: Bool[np.ndarray, " D"]) -> Counts:
    """The counts of some of the days."""
    fields = vars(counts) | {
        "days": counts.days[part],
        "purchases": counts.purchases[part],
        "visitors": counts.visitors[part],
    }
    return Counts(**fields)


def _dispersion(daily: Float[np.ndarray, "D N"]) -> float:
    """Median over products of the variance of daily sales over their mean."""
    return float(np.median(daily.var(0) / np.maximum(daily.mean(0), 1e-9)))


def _rounded(values: Any) -> Any:
    """Five significant digits, as plain numbers, so that files are readable."""
    plain = np.vectorize(lambda value: float(f"{value:.5g}"))(np.asarray(values, float))
    return plain.tolist()


def _check(config: CalibrateConfig) -> None:
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
    for field in ("lead_times", "slot_weight"):
        if not getattr(config, field):
            raise CalibrationError(f"{field}: none; allowed: one or more numbers")
    if config.out.suffix != ".json":
        raise CalibrationError(f"out: {config.out}; allowed: a name that ends in .json")
