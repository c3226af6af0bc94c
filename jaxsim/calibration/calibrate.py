"""From transactions to a scenario: arrivals, tastes, season and noise are fitted, the rest assumed.

One unit of the store is one piece where the data tell pieces, else a purchase: a line of a receipt.
Customers take pieces in batches of the mean and dispersion of the purchases. Visitors are counted;
those who buy none of the products buy nothing. Method: moments, and multinomial-logit frequencies
with an empirical-Bayes prior. Source: this project.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import special

from jaxsim.calibration import absences, promotions
from jaxsim.calibration.aggregate import query_for, read_aggregated
from jaxsim.calibration.columns import NEEDED, CalibrationError, parse_columns
from jaxsim.calibration.counts import Counts, count, some_days
from jaxsim.calibration.estimates import (
    Fitted,
    demand_noise,
    market_state,
    shrunken_tastes,
    weekly_season,
)  # fmt: skip
from jaxsim.calibration.reader import Said
from jaxsim.calibration.replay import daily_sales
from jaxsim.calibration.settings import CalibrateConfig, check
from jaxsim.calibration.traffic import split, whole_days
from jaxsim.calibration.transactions import Sales, read_transactions
from jaxsim.scenarios.scenario import Scenario, parse

WEEKS = 520
"""Simulated weeks that the report averages a scenario's sales over."""

LEAST_OPEN = 0.2
"""Least share of days with sales: below, a date is taken to be mistaken."""

MOST_BUYING = 0.98
"""Largest share of a segment's visitors who buy: where there were more purchases, arrivals are
raised."""


@dataclass(frozen=True)
class Calibration:
    """A fitted scenario, and a report on the days that it was not fitted to: values by name."""

    scenario: Scenario
    report: dict[str, float]


@dataclass(frozen=True)
class History:
    """What is fitted, and judged."""

    counts: Counts
    whole: Bool[np.ndarray, " D"]
    """False on gaps."""
    train: int
    """Days to fit; the rest are for the report."""


def calibrate(
    config: CalibrateConfig, announce: Callable[[list[Said]], None] = lambda said: None
) -> Calibration:
    """Reads the transactions, fits, and writes the scenario file; `announce` is told what was read
    before anything is fitted. Raises `CalibrationError`, and then writes nothing."""
    check(config)
    sales = _sales(config)
    history = history_of(sales.table, config)
    announce(sales.said)
    calibration = fit(history, config)
    try:
        calibration.scenario.save(config.out)
    except OSError as error:
        raise CalibrationError(f"out: {config.out} cannot be written ({error.strerror})") from None
    return calibration


def portable_query(config: CalibrateConfig) -> str:
    """The query that makes the table for `aggregated` of a database's table `transactions`. Raises
    `CalibrationError`."""
    columns = parse_columns(config.columns) or {role: role for role in NEEDED}
    return query_for(columns, train_days=config.train_days)


def history_of(table: pd.DataFrame, config: CalibrateConfig) -> History:
    """Chooses products, segments and gaps on the first days; the rest choose nothing, neither
    products, prices and segments nor which of the first days are gaps. `table`: as
    `jaxsim.calibration.aggregate.read_aggregated` gives it. Raises `CalibrationError`."""
    days = pd.date_range(table["day"].min(), table["day"].max())
    opened = table["day"].nunique()
    if opened < len(days) * LEAST_OPEN:
        raise CalibrationError(
            f"transactions: sales on only {opened} of the {len(days)} days from {days[0]:%Y-%m-%d} "
            f"to {days[-1]:%Y-%m-%d}; allowed: on one in five or more; is a date mistaken?"
        )
    train = split(days, config.train_days)
    counts = count(table, days, days[train], config)
    whole = whole_days(counts.visitors.sum(1), counts.weekday, train)
    if not (whole[:train].any() and whole[train:].any()):
        raise CalibrationError(
            f"train_days: {train}; the days before or after are all gaps, with under half the "
            "visitors of their weekday; allowed: another number"
        )
    return History(counts, whole, train)


def fit(history: History, config: CalibrateConfig, **told: Any) -> Calibration:
    """Fits the first days and reports on the rest. `told` are fields of the scenario that no data
    tell (`about`, `sources`). Raises `ScenarioError` where they, or assumptions, are not allowed
    in a scenario."""
    fitted_days = np.arange(len(history.whole)) < history.train
    seen = some_days(history.counts, history.whole & fitted_days)
    future = some_days(history.counts, history.whole & ~fitted_days)
    there = absences.present(seen)
    usual = promotions.usual_prices(seen)
    elasticity = promotions.elasticity(seen, there, usual)
    past = absences.filled(_at_usual_prices(seen, usual, elasticity), there)
    season = weekly_season(past)
    expected = (past.visitors.mean(0) * season.T[past.weekday]).sum(1)
    persistence, market = market_state(past, expected)
    fitted = Fitted(
        tastes=shrunken_tastes(past),
        season=season,
        persistence=persistence,
        market=market,
        noise=demand_noise(past, there, expected, market**2 / (1 - persistence**2)),
    )
    scenario = _scenario(past, fitted, config, told)
    report = {
        "days left out as gaps": float((~history.whole).sum()),
        "days without a product, all products": float((~there).sum()),
        "price elasticity": elasticity,
    }
    effect = promotions.effect(future, usual, elasticity)
    popularity = seen.purchases.sum((0, 1)) + 0.5
    return Calibration(
        scenario, report | hold_out(future, past, effect, popularity, fitted.tastes, scenario)
    )


def hold_out(
    future: Counts,
    past: Counts,
    effect: Float[np.ndarray, "D N"],
    popularity: Float[np.ndarray, " N"],
    tastes: Float[np.ndarray, "K N"],
    scenario: Scenario,
) -> dict[str, float]:
    """The days not fitted: log-likelihood per purchase, beside that of popularity alone, and sales
    by product, where it was there, beside those of the scenario with nothing shown and full
    shelves. `effect`: what the days' own prices do to sales (`promotions.effect`). `popularity`:
    purchases of each product on the days fitted, whatever its price."""
    there = absences.present(future)
    sold = np.where(there, future.pieces, np.nan)
    seen, total = future.purchases.sum(0), max(future.purchases.sum(), 1.0)
    chances = tastes[None] * effect[:, None, :]
    chances = chances / chances.sum(-1, keepdims=True)
    real = 7 * np.nanmean(sold, 0)
    fitted_days = 7 * (past.purchases.sum(1) * past.batch).mean(0)
    simulated = daily_sales(scenario, 7 * WEEKS)
    level = 7 * simulated.mean(0)
    priced = level * np.nanmean(np.where(there, effect, np.nan), 0)
    return {
        "hold-out days": float(len(future.days)),
        "hold-out days without a product": float((~there).sum()),
        "log-likelihood per purchase": float((future.purchases * np.log(chances)).sum() / total),
        "log-likelihood per purchase, popularity only": float(
            (seen * np.log(popularity / popularity.sum())).sum() / total
        ),
        "weekly sales, real, all products": float(real.sum()),
        "weekly sales, simulated, all products": float(priced.sum()),
        "correlation over products, hold-out": _correlation(priced, real),
        "correlation over products, fitted days": _correlation(level, fitted_days),
        "daily variance over mean, real, median product": _dispersion(sold / effect),
        "daily variance over mean, fitted days, median product": _dispersion(past.pieces),
        "daily variance over mean, simulated, median product": _dispersion(simulated),
    }


def _at_usual_prices(counts: Counts, usual: Float[np.ndarray, " N"], elasticity: float) -> Counts:
    """The counts as if every day had had the usual prices."""
    effect = promotions.effect(counts, usual, elasticity)
    return replace(
        counts,
        price=usual,
        purchases=counts.purchases / effect[:, None, :],
        pieces=counts.pieces / effect,
    )


def _sales(config: CalibrateConfig) -> Sales:
    if config.aggregated is None:
        return read_transactions(config, config.train_days)
    table = read_aggregated(config.aggregated)
    purchases = table.loc[table["product"].isna(), "purchases"].sum()
    found = f"{purchases:,.0f} purchases in {len(table):,} rows of day, segment and product"
    return Sales(table, [Said("read", config.aggregated.name, found)])


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
    lead, life = (_in_turn(past.groups, each) for each in (config.lead_times, config.shelf_lives))
    limits = {}
    if config.capacity_days > 0:
        limits["capacity"] = _rounded(
            config.capacity_days * (past.purchases.sum(1) @ past.batch).mean()
        )
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
        slot_weight=list(config.slot_weight[: len(past.products)]),
        season=[_rounded(row) for row in fitted.season],
        substitution=config.substitution,
        hide_stockouts=config.hide_stockouts,
        market_persistence=_rounded(fitted.persistence),
        market_noise=_rounded(fitted.market),
    )
    if (past.batch > 1).any():
        batch = _rounded(past.batch)
        most = np.maximum(batch, _rounded(past.dispersion)).tolist()
        limits |= {"family": "negative-binomial", "batch": batch, "dispersion": most}
    limits |= {"category": category} if len(set(category)) > 1 else {}
    limits |= {"shelf_life": life, "max_shelf_life": max(life)} if any(life) else {}
    usual = {"name": config.name or config.out.stem, "charge_missed": True}
    return parse(usual | told | body | limits, "calibration")


def _in_turn(groups: list[str], values: tuple[int, ...]) -> list[int]:
    """A value for each product: the groups are given the values in turn."""
    order = sorted(set(groups), key=groups.index)
    return [values[order.index(group) % len(values)] for group in groups]


def _dispersion(daily: Float[np.ndarray, "D N"]) -> float:
    """Median over products of the variance of daily sales over their mean."""
    return float(np.median(np.nanvar(daily, 0) / np.maximum(np.nanmean(daily, 0), 1e-9)))


def _correlation(simulated: Float[np.ndarray, " N"], real: Float[np.ndarray, " N"]) -> float:
    """NaN where one of them is the same for all products."""
    alike = min(np.ptp(simulated), np.ptp(real)) == 0
    return float("nan") if alike else float(np.corrcoef(simulated, real)[0, 1])


def _rounded(values: Any) -> Any:
    """Five significant digits, as plain numbers, so that files are readable."""
    plain = np.vectorize(lambda value: float(f"{value:.5g}"))(np.asarray(values, float))
    return plain.tolist()
