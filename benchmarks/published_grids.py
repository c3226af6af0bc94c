"""Published stores of one product: a grid is trained in one sweep and held to its exact optima."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from agents.evaluation.keys import keys_of
from agents.evaluation.simulation import profit_per_period, simulate
from agents.learning.config import TrainConfig
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from agents.sweeps import vectorised
from agents.sweeps.vectorised import Runs
from jaxsim.exact import classical, known_perishables
from jaxsim.exact.optimum import optimum
from jaxsim.exact.perishable import best_orders
from jaxsim.exact.policy import policy_of
from jaxsim.params import Params
from jaxsim.rollouts import Policy

TOLERANCE = 1e-4  # of the exact optimum, money per period
ONE_PRODUCT = TrainConfig(
    iterations=360, stores=32, horizon=32, replenishment_memory="none", fast_rate=1e-2
)
SAFETY_FACTORS = np.arange(-30, 51, dtype=np.float32) / 20  # that are tried of an order rule
CHECKS = 4  # on validation customers, besides that of the start; the best weights are kept
CHECKED = 400  # periods of each
STORES, PERIODS = 512, 1000  # of the evaluation


@dataclass(frozen=True)
class Optimal:
    """The best policy of a store, and what it costs in money per period."""

    params: Params
    policy: Policy
    cost: float


@dataclass(frozen=True)
class Grid:
    """Published stores, and the order rule that learning starts from."""

    name: str
    about: str
    stores: Callable[[], dict[str, Params]]  # those of one family of demand have one shape
    optimal: Callable[[str, Params], Optimal]
    rule: HeuristicParams  # its safety factor is tuned for each store first


def measured(grid: Grid, seed: int, solved: dict[str, Optimal]) -> dict[str, Any]:
    """The gap of every store to its optimum, in percent of the optimal cost, after one sweep over
    all. `solved` keeps what was solved, for the next seed."""
    stores, keys = grid.stores(), keys_of(seed)
    for label in stores.keys() - solved.keys():
        solved[label] = grid.optimal(label, stores[label])
    began = time.perf_counter()
    learned = _trained(stores, grid.rule, keys)
    seconds = time.perf_counter() - began
    gaps = {label: _gap(keys["evaluate"], learned[label], solved[label]) for label in stores}
    return {
        "seed": seed,
        "seconds": seconds,
        "store_periods": ONE_PRODUCT.store_periods,
        "gaps": gaps,
    }


def _trained(
    stores: dict[str, Params], rule: HeuristicParams, keys: dict[str, jax.Array]
) -> dict[str, Policy]:
    """Departments of every store, those that did best on validation customers."""
    families = sorted({params.family for params in stores.values()}, reverse=True)
    of_family = {
        family: {label: each for label, each in stores.items() if each.family == family}
        for family in families
    }
    groups: dict[str, Runs] = {}
    for number, (family, own) in enumerate(of_family.items()):
        of_stores = vectorised.stacked(list(own.values()))
        factors = SAFETY_FACTORS[np.argmax(_earned(keys["tune"], rule, of_stores), -1)]
        trainers = [ONE_PRODUCT.trainer(rule.replace(safety=factor)) for factor in factors]
        groups[family] = vectorised.start(
            jax.random.split(jax.random.fold_in(keys["learn"], number), len(own)),
            vectorised.stacked(trainers),
            of_stores,
        )
    for check in range(CHECKS + 1):
        if check > 0:
            groups, _ = vectorised.learn(groups, ONE_PRODUCT.iterations // CHECKS)
        for name, runs in groups.items():
            customers = vectorised.repeated(keys["validate"], len(runs.kept_profit))
            now = vectorised.current(runs)
            totals = vectorised.evaluate(customers, now, runs.params, 256, CHECKED, 60)
            groups[name] = vectorised.keep_better(runs, totals.profit.mean(-1) / CHECKED)
    return {
        label: policy
        for family, own in of_family.items()
        for label, policy in zip(own, vectorised.policies(groups[family]), strict=True)
    }


@jax.jit
def _earned(
    key: PRNGKeyArray, rule: HeuristicParams, stores: Params
) -> Float[Array, "stores factors"]:
    """Money in all with each of the safety factors."""

    def with_factor(params: Params, factor: Float[Array, ""]) -> Float[Array, ""]:
        policy = HeuristicPair(jax.tree.map(jnp.asarray, rule.replace(safety=factor)))
        return simulate(key, policy, params, 64, 600, 60).profit.sum()

    of_store = jax.vmap(with_factor, (None, 0))
    return jax.lax.map(lambda params: of_store(params, jnp.asarray(SAFETY_FACTORS)), stores)


def _gap(key: jax.Array, policy: Policy, optimal: Optimal) -> float:
    """On the same customers, which take out most of the noise."""
    earned, best = (
        profit_per_period(simulate(key, each, optimal.params, STORES, PERIODS, 100), PERIODS)
        for each in (policy, optimal.policy)
    )
    return float(100 * np.mean(best - earned, dtype=np.float64) / optimal.cost)


def _lost_sales() -> dict[str, Params]:
    """All of one shape, and with the rate of demand known, as the exact solver knows it."""
    found = {}
    for family, penalty, lead_time in classical.lost_sales_grid():
        params = classical.one_product("lost-sales", penalty, lead_time, family)
        known = params.replace(max_lead_time=4, forecast_memory=jnp.ones(()))
        found[f"{family} {penalty} {lead_time}"] = known
    return found


def _lost_sales_optimum(label: str, params: Params) -> Optimal:
    found = optimum(params, tolerance=TOLERANCE)
    return Optimal(params, policy_of(found), -found.profit)


def _spoils(lead_time: int, shelf_life: int, label: str) -> Params:
    """A store with the arrays' sizes given. A lost sale costs its price, so that what is earned is
    a constant less the published cost."""
    found = known_perishables.store_of(_product(label), "rounded-gamma")
    return found.replace(
        price=found.penalty,
        penalty=jnp.zeros(1),
        forecast_memory=jnp.ones(()),
        max_lead_time=lead_time,
        max_shelf_life=shelf_life,
    )


def _product(label: str) -> known_perishables.Perishable:
    shelf_life, experiment = map(int, label.split())
    return known_perishables.published(shelf_life, experiment)


def _spoiling() -> dict[str, Params]:
    labels = [f"{life} {experiment}" for life, experiment in known_perishables.instances()]
    return {label: _spoils(2, 5, label) for label in labels}


def _spoiling_optimum(label: str, params: Params) -> Optimal:
    product = _product(label)
    found = best_orders(product)
    own = _spoils(product.lead_time, product.shelf_life, label)
    return Optimal(own, known_perishables.table_of(product, found.order), found.cost)


_start = partial(HeuristicParams, recommender="popularity", stock_weight=0.0)
GRIDS = (
    Grid("lost-sales", "32 lost-sales stores", _lost_sales, _lost_sales_optimum,
         _start().for_rule("projected")),
    Grid("perishable", "32 products that spoil", _spoiling, _spoiling_optimum,
         _start().for_rule("projected")),
)  # fmt: skip
