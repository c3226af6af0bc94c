"""The theory as a study: known answers, the pair store, and maps of what coordination is worth.

Everything is computed exactly by `jaxsim.optimum`, but for the search of the best base-stock level
of a lost-sales store, which is simulated; its cost is then exact again.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from agents import runs
from agents.base_stock import best_level
from agents.theory import benchmarks_of, best_base_stock
from agents.theory_pictures import draw_map, draw_structure
from jaxsim import scenarios
from jaxsim.exact import joint_slates
from jaxsim.optimum import Optimum, average_worth, base_stock, first_grid, optimum
from jaxsim.params import Params

TOLERANCE = 2e-4  # money per period
THEORY = "theory.json"


@dataclass(frozen=True)
class TheoryConfig:
    """Solve small stores exactly: known answers, and what coordination is worth."""

    out: Path = Path("runs/theory")
    """Folder for theory.json and pictures. Files of an earlier run are replaced."""


def study(config: TheoryConfig, announce: Callable[[str], None]) -> dict[str, Any]:
    """Everything, written to `config.out` when complete. Raises `RunError`."""
    folder = runs.open_folder(config.out)
    announce("lost sales: 32 stores")
    lost_sales = [lost_sales_row(*instance) for instance in lost_sales_grid()]
    announce("backlog: 8 stores")
    backlog = [backlog_row(penalty, lead) for penalty in (4.0, 9.0) for lead in range(1, 5)]
    announce("the pair store")
    pair = scenarios.get("pair").params()
    best_levels = best_base_stock(pair, TOLERANCE)
    changes = list(settings())
    announce(f"what coordination is worth, over {len(changes)} stores")
    value = [value_row(pair, what, setting) for what, setting in changes]
    found = {
        "lost_sales": lost_sales,
        "backlog": backlog,
        "pair": asdict(benchmarks_of(pair, TOLERANCE))
        | {"base_stock": best_levels[0], "base_stock_levels": list(best_levels[1])},
        "value_of_coordination": value,
    }
    runs.write_json(folder / THEORY, found)
    draw_map(value, folder / "value.png")
    draw_structure(optimum(pair, tolerance=TOLERANCE), folder / "structure.png")
    return found


def lost_sales_grid() -> Iterable[tuple[str, float, int]]:
    """Family, penalty and lead time of Zipkin's (2008) instances."""
    return (
        (family, penalty, lead)
        for family in ("poisson", "geometric")
        for penalty in (4.0, 9.0, 19.0, 39.0)
        for lead in range(1, 5)
    )


def lost_sales_row(family: str, penalty: float, lead_time: int) -> dict[str, Any]:
    """Optimal cost, and that of the best base-stock policy, in money per period."""
    params = one_product("lost-sales", penalty, lead_time, family)
    grid = first_grid(params, joint_slates(params))
    level = best_level(jax.random.key(0), params, grid.on_hand[0])
    rule = base_stock(params, level)
    return {
        "family": family,
        "penalty": penalty,
        "lead_time": lead_time,
        "optimal_cost": -optimum(params, tolerance=TOLERANCE).profit,
        "best_base_stock": level,
        "best_base_stock_cost": -average_worth(rule, rule.day),
    }


def backlog_row(penalty: float, lead_time: int) -> dict[str, Any]:
    """The optimum, which is a base-stock policy, and its level: the most it orders up to."""
    found = optimum(one_product("backlog", penalty, lead_time, "poisson"), tolerance=TOLERANCE)
    return {
        "penalty": penalty,
        "lead_time": lead_time,
        "base_stock": order_up_to_level(found),
        "cost": -found.profit,
    }


def order_up_to_level(found: Optimum) -> int:
    """Inventory position after ordering in the states where a one-product store spends time."""
    grid, over = found.grid, found.long_run
    states = over.states[over.share > 1e-9]
    at = jnp.stack(jnp.unravel_index(states, grid.shape), -1)
    order = found.orders.reshape(-1)[states]
    position = at.sum(-1) - grid.owed[0] + order
    return int(jnp.bincount(position[order > 0], length=int(position.max()) + 1).argmax())


def one_product(scenario: str, penalty: float, lead_time: int, family: str) -> Params:
    """A one-product scenario with another penalty, lead time and family of demand."""
    return (
        scenarios.get(scenario)
        .params()
        .replace(
            penalty=jnp.full(1, penalty),
            lead_time=jnp.full(1, lead_time, jnp.int32),
            family=family,
            max_lead_time=max(lead_time, 1),
        )
    )


def settings() -> Iterable[tuple[str, float]]:
    """What is changed in the pair store, one thing at a time."""
    swept = {
        "lead_time": (0, 1, 2),
        "margin": (0.15, 0.25, 0.35, 0.5, 0.65),
        "holding": (0.1, 0.3, 0.6, 1.0, 1.5),
        "lift": (0.0, 0.6, 1.2, 1.8, 2.4),
        "demand": (0.25, 0.5, 1.0, 1.5, 2.0),
    }
    return ((what, float(value)) for what, values in swept.items() for value in values)


def value_row(pair: Params, what: str, setting: float) -> dict[str, Any]:
    """The benchmarks of the pair store with one thing changed, and their gaps in percent."""
    params = changed(pair, what, setting)
    found = benchmarks_of(params, TOLERANCE)
    return {"changed": what, "value": setting} | _parameters(params) | asdict(found) | found.gaps()


def changed(params: Params, what: str, setting: float) -> Params:
    """The store with this lead time, mean margin (share of price; the difference between products
    stays), holding cost, lift, or with all arrivals multiplied."""
    if what == "lead_time":
        lead = jnp.full(params.products, int(setting), jnp.int32)
        return params.replace(lead_time=lead, max_lead_time=max(int(setting), 1))
    if what == "margin":
        shift = setting - _margin(params).mean()
        return params.replace(cost=params.cost - shift * params.price)
    if what == "demand":
        return params.replace(arrivals=setting * params.arrivals)
    return params.replace(**{what: jnp.full_like(getattr(params, what), setting)})


def _margin(params: Params) -> Float[Array, " N"]:
    return (params.price - params.cost) / params.price


def _parameters(params: Params) -> dict[str, float]:
    return {
        "lead_time": float(params.lead_time.max()),
        "margin": float(_margin(params).mean()),
        "holding": float(params.holding.mean()),
        "lift": float(params.lift.mean()),
        "arrivals": float(params.arrivals.sum()),
    }
