"""Learned departments against the exact optimum: `python -m benchmarks.learned_against_exact`.

Two studies. The `pair` store: both departments, several seeds side by side. The 32 lost-sales
stores of Zipkin (2008): the replenishment department, all stores in one compiled sweep, beside the
best base-stock policy with a cap on orders, which is exact too. Writes a JSON file with every row.
"""

import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from agents.evaluation.agreement import agreement
from agents.evaluation.tuning import tune
from agents.files import open_folder, write_json
from agents.learning.config import TrainConfig
from agents.policies.heuristics import HeuristicParams
from agents.sweeps import vectorised
from agents.sweeps.vectorised import Runs
from jaxsim import scenarios
from jaxsim.exact import classical
from jaxsim.exact.one_product import best_capped_base_stock
from jaxsim.exact.optimum import Optimum, optimum
from jaxsim.exact.policy import policy_of
from jaxsim.params import Params

CHECKS = 12  # greedy evaluations on validation customers; the best weights are kept
STORES, PERIODS, BURN_IN = 512, 400, 60  # of each
TOLERANCE = 1e-4  # money per period
PAIR = TrainConfig.by_score(
    iterations=1200, crn_group=8, minibatches=16, fast_per_slow=2, gae_lambda=0.95,
    entropy_coef=0.03, fast_rate=2e-3, slow_rate=2e-3, schedule_offset=2000.0,
    replenishment_memory="none",
)  # fmt: skip
LOST_SALES = TrainConfig.by_score(
    iterations=480, stores=64, fast_rate=2e-3, slow_rate=2e-3, schedule_offset=300.0,
    replenishment_memory="none",
)  # fmt: skip


@dataclass(frozen=True)
class Config:
    """Train on stores whose optimum is known, and measure how far it stays away."""

    out: Path = Path("runs/learned-against-exact")
    """Folder for learned.json."""
    seed: int = 0
    """First seed; customers for tuning, learning, validation and the comparison are its own."""
    pair_seeds: int = 5
    """Trainings on the pair store."""
    only: str = "both"
    """`pair`, `lost-sales` or `both`."""


def trained(groups: dict[str, Runs], config: TrainConfig, key: jax.Array) -> dict[str, Runs]:
    """Every run to its end, keeping the weights best on validation customers."""
    for _ in range(CHECKS):
        groups, _ = vectorised.learn(groups, config.iterations // CHECKS)
        for name, runs in groups.items():
            customers = vectorised.repeated(key, len(runs.kept_profit))
            now = vectorised.current(runs)
            totals = vectorised.evaluate(customers, now, runs.params, STORES, PERIODS, BURN_IN)
            groups[name] = vectorised.keep_better(runs, totals.profit.mean(-1) / PERIODS)
    return groups


def pair_rows(config: Config) -> list[dict[str, Any]]:
    """Both departments of the pair store, a row for each seed."""
    params = scenarios.get("pair").params()
    exact = policy_of(optimum(params, tolerance=TOLERANCE))
    tune_key, learn_key, check_key, compare_key = _keys(config.seed)
    tuned = tune(params, key=tune_key)
    start = next(pair for pair in tuned if pair.name.endswith("base-stock"))
    keys = jax.random.split(learn_key, config.pair_seeds)
    trainer = PAIR.trainer(start.policy.heuristic)
    runs = vectorised.start(
        keys, *(vectorised.repeated(each, len(keys)) for each in (trainer, params))
    )
    runs = trained({"pair": runs}, PAIR, check_key)["pair"]
    measured = partial(agreement, compare_key, exact=exact, params=params)
    rows = [
        {"policy": f"tuned {pair.name}"} | asdict(measured(pair.policy))
        for pair in (tuned[0], start)
    ]
    for number, policy in enumerate(vectorised.policies(runs)):
        rows.append({"policy": "learned", "seed": number} | asdict(measured(policy)))
    return rows


def lost_sales_rows(config: Config) -> list[dict[str, Any]]:
    """The replenishment department alone on every lost-sales store, a row for each."""
    instances = list(classical.lost_sales_grid())
    stores = {instance: _store(*instance) for instance in instances}
    solved = {each: optimum(params, tolerance=TOLERANCE) for each, params in stores.items()}
    _, learn_key, check_key, compare_key = _keys(config.seed)
    # The newsvendor's level over lead time and review, as it stands in every textbook.
    trainer = LOST_SALES.trainer(HeuristicParams(recommender="popularity", stock_weight=0.0))
    groups = {}
    for family in ("poisson", "geometric"):
        of_family = [params for (each, *_), params in stores.items() if each == family]
        groups[family] = vectorised.start(
            jax.random.split(jax.random.fold_in(learn_key, len(groups)), len(of_family)),
            vectorised.repeated(trainer, len(of_family)),
            vectorised.stacked(of_family),
        )
    groups = trained(groups, LOST_SALES, check_key)
    policies = {family: iter(vectorised.policies(runs)) for family, runs in groups.items()}
    return [
        _lost_sales_row(compare_key, each, stores[each], solved[each], next(policies[each[0]]))
        for each in instances
    ]


def _store(family: str, penalty: float, lead_time: int) -> Params:
    """All of one shape, and with the rate of demand known, as the exact solver knows it."""
    params = classical.one_product("lost-sales", penalty, lead_time, family)
    return params.replace(max_lead_time=4, forecast_memory=jnp.ones(()))


def _lost_sales_row(
    key: jax.Array, instance: tuple, params: Params, solved: Optimum, policy: Any
) -> dict[str, Any]:
    family, penalty, lead_time = instance
    found = agreement(key, policy, policy_of(solved), params)
    level, cap, capped_cost = best_capped_base_stock(params)
    optimal = -solved.profit
    return {
        "family": family,
        "penalty": penalty,
        "lead_time": lead_time,
        "optimal_cost": optimal,
        "capped_base_stock": [level, cap],
        "capped_gap_percent": 100 * (capped_cost / optimal - 1),
    } | asdict(found)


def _keys(seed: int) -> jax.Array:
    """For tuning, learning, validation and the comparison."""
    return jax.random.split(jax.random.key(seed), 4)


def _table(title: str, rows: list[dict[str, Any]], columns: dict[str, str]) -> Table:
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*(_shown(row.get(field, "")) for field in columns.values()))
    return table


def _shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


MEASURES = {
    "gap %": "gap_percent", "s.e.": "gap_error", "same slate": "same_slate",
    "rank corr.": "order_correlation", "order off": "order_distance", "same signs": "same_signs",
}  # fmt: skip


def main() -> None:
    config, console = tyro.cli(Config), Console(width=110)
    folder, found = open_folder(config.out), {}
    if config.only != "lost-sales":
        began = time.perf_counter()
        rows = found["pair"] = pair_rows(config)
        console.print(_table("pair", rows, {"policy": "policy", "seed": "seed"} | MEASURES))
        gaps = [row["gap_percent"] for row in rows if "seed" in row]
        console.print(f"median gap {np.median(gaps):.3f} %, {time.perf_counter() - began:.0f} s")
    if config.only != "pair":
        began = time.perf_counter()
        rows = found["lost_sales"] = lost_sales_rows(config)
        columns = {each: each for each in ("family", "penalty", "lead_time", "optimal_cost")}
        capped = {"capped gap %": "capped_gap_percent"}
        console.print(_table("lost sales", rows, columns | capped | MEASURES))
        gaps = np.array([row["gap_percent"] for row in rows])
        better = sum(row["gap_percent"] < row["capped_gap_percent"] for row in rows)
        console.print(
            f"gap: mean {gaps.mean():.3f} %, largest {gaps.max():.3f} %; better than the best "
            f"capped base-stock in {better} of {len(rows)}; {time.perf_counter() - began:.0f} s"
        )
    write_json(folder / "learned.json", found)


if __name__ == "__main__":
    main()
