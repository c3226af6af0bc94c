"""Known answers of inventory theory, by simulation: `python -m benchmarks.known_answers`.

Every cell is a one-product store with Poisson(5) demand and holding cost 1 under a base-stock
policy, maybe capped, over at least 10⁷ periods. Published costs: Zipkin (2008) for lost sales;
the exact newsvendor over L + 1 periods for backlog.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, PRNGKeyArray
from rich.console import Console
from rich.table import Table
from scipy import stats

from agents.evaluation.simulation import interval
from jaxsim.exact import published
from jaxsim.params import UNLIMITED, Params
from jaxsim.records import Action, State
from jaxsim.rollouts import Trajectory, keyed, play, started
from jaxsim.scenarios import get

SEED = 7
BURN_IN = 100  # periods


@dataclass(frozen=True)
class Cell:
    """One instance with its published answer (cost per period, to `digits`)."""

    problem: str
    penalty: float
    lead_time: int
    base_stock: int
    cost: float
    digits: int
    cap: float = UNLIMITED


class OrderUpTo(struct.PyTreeNode):
    """Base-stock orders of a one-product store, as a `jaxsim.Policy`: up to `level` units of
    inventory position, at most `cap` units an order."""

    level: Float[Array, ""]
    cap: Float[Array, ""]

    def start(self, params: Params) -> tuple[()]:
        return ()

    def act(
        self, key: PRNGKeyArray, memory: tuple[()], state: State, params: Params
    ) -> tuple[Action, tuple[()]]:
        position = state.on_hand + state.pipeline.sum(0) - state.backlog
        order = jnp.clip(self.level - position, 0.0, self.cap)
        return Action(order=order, slate=jnp.zeros((1, 1), jnp.int32)), memory


def backlog(penalty: float) -> list[Cell]:
    answers = enumerate(published.BACKLOG[penalty], 1)
    return [Cell("backlog", penalty, lead, s, cost, 4) for lead, (s, cost) in answers]


def lost_sales(penalty: float) -> list[Cell]:
    answers = enumerate(published.BASE_STOCK["poisson", penalty], 1)
    return [Cell("lost sales", penalty, lead, s, cost, 2) for lead, (s, cost) in answers]


def capped(penalty: float) -> list[Cell]:
    answers = enumerate(published.CAPPED_BASE_STOCK["poisson", penalty], 1)
    return [Cell("lost sales", penalty, lead, s, cost, 3, cap) for lead, (s, cap, cost) in answers]


PUBLISHED = [
    *backlog(4.0),
    *backlog(9.0),
    *lost_sales(4.0),
    *lost_sales(9.0),
    *capped(4.0),
]


def instance(cell: Cell) -> tuple[Params, OrderUpTo]:
    """The store and the policy of one cell; four pipeline rows, so that all cells stack."""
    params = get("lost-sales").params()
    params = params.replace(
        penalty=jnp.full(1, cell.penalty),
        lead_time=jnp.full(1, cell.lead_time, jnp.int32),
        backlogged=jnp.full(1, cell.problem == "backlog"),
    )
    return params, OrderUpTo(jnp.float32(cell.base_stock), jnp.float32(cell.cap))


def simulate_cells(cells: list[Cell], stores: int, periods: int) -> np.ndarray:
    """Costs by cell and store."""
    instances = zip(*map(instance, cells), strict=True)
    params, policy = (
        jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts) for parts in instances
    )
    return np.asarray(costs(jax.random.key(SEED), params, policy, stores, periods))


@partial(jax.jit, static_argnames=("stores", "periods"))
def costs(
    key: PRNGKeyArray, params: Params, policy: OrderUpTo, stores: int, periods: int
) -> Float[Array, "cells stores"]:
    """Mean cost per period of every store, of stores and policies with a leading axis of cells."""

    keys = jax.random.split(key, stores)

    def of_cell(params: Params, policy: OrderUpTo) -> Float[Array, " stores"]:
        start = started(keys, policy, params)
        return play(
            start, keyed(keys, keys), policy, params, periods=periods, burn_in=BURN_IN, add=_cost
        ).sums

    return jax.vmap(of_cell)(params, policy) / periods


def _cost(happened: Trajectory) -> Float[Array, " stores"]:
    return -happened.flows.profit.sum(-1)


def agrees(cell: Cell, simulated: np.ndarray, confidence: float = 0.999) -> bool:
    """Whether the published cost lies in the Monte Carlo interval, give or take its rounding."""
    _, (low, high) = interval(simulated, confidence)
    rounding = 0.5 * 10.0**-cell.digits
    return low - rounding <= cell.cost <= high + rounding


def newsvendor_cost(level: int, mean: float, holding: float, penalty: float) -> float:
    """h E(S − D)⁺ + p E(D − S)⁺ for Poisson demand, summed."""
    demand = np.arange(int(mean + 40 * np.sqrt(mean)))
    chance = stats.poisson(mean).pmf(demand)
    over, under = np.maximum(level - demand, 0), np.maximum(demand - level, 0)
    return float((chance * (holding * over + penalty * under)).sum())


def main() -> None:
    table = Table("problem", "p", "L", "S", "cap", "published", "simulated (99.9 %)", "agrees")
    stores, periods = 1000, 10_000
    for cell, simulated in zip(PUBLISHED, simulate_cells(PUBLISHED, stores, periods), strict=True):
        mean, (low, high) = interval(simulated, 0.999)
        cap = "" if cell.cap == UNLIMITED else f"{cell.cap:.0f}"
        row = (cell.problem, f"{cell.penalty:g}", cell.lead_time, cell.base_stock, cap, cell.cost)
        spread = f"{mean:.4f} ± {(high - low) / 2:.4f}"
        table.add_row(*map(str, row), spread, "yes" if agrees(cell, simulated) else "NO")
    table.title = f"{stores * periods:,} periods a cell"
    Console().print(table)


if __name__ == "__main__":
    main()
