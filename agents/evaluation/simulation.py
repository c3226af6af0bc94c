"""Comparing policies on the same customers: totals over periods, KPIs and intervals."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, PRNGKeyArray
from scipy import stats

from agents.devices import EVERYWHERE, ONE, SPREAD, Shards, gathered
from jaxsim.params import Params
from jaxsim.rollouts import Policy, Trajectory, rollout_sums

UNDEFINED = {
    "fill_rate": "no product was asked for",
    "service_level": "no product was asked for",
    "turnover": "no stock was left over",
    "shown_share": "nothing was sold",
    "bullwhip": "first-choice demand did not vary",
}
"""Why a KPI can be NaN: it is a share of nothing."""


class Totals(struct.PyTreeNode):
    """Sums over the measured periods of one store, from the ledger."""

    profit: Float[Array, ""]
    revenue: Float[Array, ""]
    purchase: Float[Array, ""]
    holding: Float[Array, ""]  # overflow included
    penalty: Float[Array, ""]
    demand_value: Float[Array, ""]  # first-choice demand at its price
    asked: Float[Array, " N"]
    wanted: Float[Array, " N"]  # asked for, or hidden from customers who left
    missed: Float[Array, " N"]
    offered: Float[Array, " N"]  # periods that began with stock
    bought: Float[Array, " N"]  # by customers of the same period: served and substituted
    served: Float[Array, " N"]
    sold: Float[Array, " N"]
    shown_sold: Float[Array, " N"]
    left: Float[Array, " N"]
    stockouts: Float[Array, " N"]  # periods that sold all there was
    wasted: Float[Array, " N"]
    ordered: Float[Array, " N"]
    ordered_squared: Float[Array, " N"]
    asked_squared: Float[Array, " N"]
    cost_of_sold: Float[Array, ""]
    cost_of_left: Float[Array, ""]
    cost_of_waste: Float[Array, ""]  # what was paid for it, and its disposal
    disposal: Float[Array, ""]


def totals_of(happened: Trajectory, params: Params) -> Totals:
    """What one period of one store contributes."""
    flows = happened.flows
    return Totals(
        profit=flows.profit.sum(),
        revenue=flows.revenue.sum(),
        purchase=(flows.purchase + flows.order_cost).sum(),
        holding=(flows.holding + flows.overflow).sum(),
        penalty=flows.penalty.sum(),
        demand_value=(params.price * flows.asked).sum(),
        asked=flows.asked,
        wanted=flows.wanted,
        missed=flows.missed,
        offered=flows.offered,
        bought=flows.served + flows.substituted,
        served=flows.served,
        sold=flows.sold,
        shown_sold=flows.shown_sold,
        left=flows.left,
        stockouts=(flows.left + flows.wasted <= 0).astype(jnp.float32),
        wasted=flows.wasted,
        ordered=flows.ordered,
        ordered_squared=flows.ordered**2,
        asked_squared=flows.asked**2,
        cost_of_sold=(params.cost * flows.sold).sum(),
        cost_of_left=(params.cost * flows.left).sum(),
        cost_of_waste=(params.cost * flows.wasted + flows.disposal).sum(),
        disposal=flows.disposal.sum(),
    )


@partial(jax.jit, static_argnames=("stores", "periods", "burn_in", "shards"))
def simulate(
    key: PRNGKeyArray,
    policy: Policy,
    params: Params,
    stores: int,
    periods: int,
    burn_in: int,
    shards: Shards = ONE,
) -> Totals:
    """Totals of each store over `periods` after `burn_in`, leading axis `stores`.

    The customers depend on `key` alone: the same key under two policies is the same customers, on
    any number of devices. `stores` must be a multiple of the shards.
    """

    def own_stores(key: PRNGKeyArray, policy: Policy, params: Params) -> Totals:
        return rollout_sums(
            key, policy, params, partial(totals_of, params=params),
            stores=shards.own_numbers(stores), periods=periods, burn_in=burn_in,
            place=shards.apart,
        )  # fmt: skip

    everywhere = (EVERYWHERE, EVERYWHERE, EVERYWHERE)
    return shards.map(own_stores, everywhere, SPREAD)(key, policy, params)


def kpis(totals: Totals, periods: int) -> dict[str, float]:
    """Key figures of a policy, in money per period or as shares, averaged over stores.

    `fill_rate`: first choices sold from stock, over all first choices, those of hidden products who
    left counted. `service_level`: sales to a period's customers, second choices too, over the same.
    `missed`: customers per period whom absence cost, seen or not. `availability`: share of products
    and periods that begin with stock; `stockout_share`: that sell all there was. `waste`: units per
    period that grow too old; `waste_cost`: what was paid for them and for their `disposal`.
    `carried`: share of products that were ever ordered. `turnover`: cost of sales over stock at
    cost, per period. `shown_share`: share of sales to customers who were shown the product.
    `bullwhip`: variance of orders over variance of first-choice demand, both summed over products.
    A share of nothing is NaN: see `UNDEFINED`.
    """
    t = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), totals)

    def mean(leaf: np.ndarray) -> float:
        return float(np.mean(leaf) / periods)

    return {
        "profit": mean(t.profit),
        "revenue": mean(t.revenue),
        "margin": mean(t.revenue - t.cost_of_sold),
        "purchase": mean(t.purchase),
        "holding": mean(t.holding),
        "penalty": mean(t.penalty),
        "waste": mean(t.wasted.sum(-1)),
        "waste_cost": mean(t.cost_of_waste),
        "disposal": mean(t.disposal),
        "demand_value": mean(t.demand_value),
        "fill_rate": _share(t.served, t.wanted),
        "service_level": _share(t.bought, t.wanted),
        "missed": mean(t.missed.sum(-1)),
        "availability": float(np.mean(t.offered) / periods),
        "carried": float((t.ordered.sum(0) > 0).mean()),
        "stockout_share": float(np.mean(t.stockouts) / periods),
        "turnover": _share(t.cost_of_sold, t.cost_of_left),
        "shown_share": _share(t.shown_sold, t.sold),
        "bullwhip": _bullwhip(t, periods),
    }


def never_ordered(totals: Totals, params: Params, periods: int) -> list[dict[str, float]]:
    """Products that a policy never ordered: `product` by index, `missed` customers per period whom
    its absence cost, and the `margin` that they would have brought, money per period."""
    ordered, missed = (np.asarray(leaf, np.float64) for leaf in (totals.ordered, totals.missed))
    per_period, margin = missed.mean(0) / periods, np.asarray(params.price - params.cost)
    return [
        {
            "product": int(each),
            "missed": float(per_period[each]),
            "margin": float(per_period[each] * margin[each]),
        }
        for each in np.flatnonzero(ordered.sum(0) == 0)
    ]


def undefined(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Why KPIs are NaN in any of these rows, by name."""
    rows = list(rows)
    return {name: why for name, why in UNDEFINED.items() if any(np.isnan(r[name]) for r in rows)}


def profit_per_period(totals: Totals, periods: int) -> np.ndarray:
    """Money per period of each store."""
    return np.asarray(totals.profit, np.float64) / periods


def interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, tuple[float, float]]:
    """Mean and its t-interval over independent values (of stores, or paired differences)."""
    mean = float(np.mean(values))
    spread = float(stats.sem(values))
    half = spread * float(stats.t.ppf(0.5 + confidence / 2, len(values) - 1)) if spread else 0.0
    return mean, (mean - half, mean + half)


def simulate_each(
    key: PRNGKeyArray,
    policies: Mapping[str, Policy],
    params: Params,
    stores: int,
    periods: int,
    burn_in: int,
    shards: Shards = ONE,
) -> dict[str, Totals]:
    """Totals of every policy by name, all on the same customers; on the host."""
    return {
        name: gathered(simulate(key, policy, params, stores, periods, burn_in, shards))
        for name, policy in policies.items()
    }


def _share(part: Array | np.ndarray, whole: Array | np.ndarray) -> float:
    total = float(np.sum(whole))
    return float(np.sum(part)) / total if total > 0 else float("nan")


def _bullwhip(t: Totals, periods: int) -> float:
    of_orders = t.ordered_squared / periods - (t.ordered / periods) ** 2
    of_demand = t.asked_squared / periods - (t.asked / periods) ** 2
    return _share(of_orders.sum(0), of_demand.sum(0))
