"""The value of coordination over a range of stores: curves around `pair`, and maps of slow movers.

Every row is one two-product store solved exactly by all who coordinate and all who do not.
"""

import itertools
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import jax.numpy as jnp

from agents.theory.restricted import Benchmarks, benchmarks_of
from jaxsim.exact.optimum import tables_of
from jaxsim.params import Params

KEEPS = 0
"""The shelf life of goods that keep."""
CURVES = {
    "lead_time": (0, 1, 2),
    "margin": (0.15, 0.2, 0.3, 0.4, 0.5, 0.65),
    "holding": (0.1, 0.3, 0.6, 1.0, 1.5),
    "lift": (0.0, 0.6, 1.2, 1.8, 2.4),
    "demand": (0.125, 0.25, 0.5, 1.0, 1.5),
}
"""What is changed in the pair store, one thing at a time."""

MAPS = {
    ("margin", "lift"): ((0.15, 0.2, 0.3, 0.4, 0.5), (0.0, 0.6, 1.2, 1.8, 2.4)),
    ("demand", "holding"): ((0.125, 0.25, 0.5, 1.0), (0.1, 0.3, 0.6, 1.0, 1.5)),
    ("lead_time", "demand"): ((0, 1, 2), (0.125, 0.25, 0.5, 1.0)),
    ("shelf_life", "margin"): ((1, 2, 3, 4, KEEPS), (0.2, 0.3, 0.4, 0.5, 0.65)),
}
"""Two things at a time, the rest as in `MAP_STORE`."""

MAP_STORE = {"demand": 0.25, "margin": 0.2}
"""The pair store as slow movers with thin and equal margins, where there is something to win."""

Setting = tuple[tuple[str, float], ...]


def settings() -> list[tuple[str, Setting]]:
    """The name of a curve or map, and what is changed in the pair store for one of its points."""
    curves = [(what, ((what, value),)) for what, values in CURVES.items() for value in values]
    maps = []
    for (first, second), ranges in MAPS.items():
        for values in itertools.product(*ranges):
            changes = MAP_STORE | dict(zip((first, second), values, strict=True))
            maps.append((f"{first} x {second}", tuple(sorted(changes.items()))))
    return curves + maps


def value_rows(pair: Params, tolerance: float) -> Iterable[dict[str, Any]]:
    """Benchmarks of every setting, and their gaps in percent; a store met twice is solved once."""
    known: dict[tuple[float, ...], Benchmarks] = {}
    for view, setting in settings():
        params = changed(pair, setting)
        parameters = parameters_of(params, pair)
        store = tuple(parameters.values())
        if store not in known:
            known[store] = benchmarks_of(tables_of(params), tolerance)
        yield {"view": view} | parameters | asdict(known[store]) | known[store].gaps()


def changed(params: Params, setting: Setting) -> Params:
    """The store with another lead time, shelf life, margin (share of price, the same for all
    products), holding cost or lift, or with all arrivals multiplied (`demand`)."""
    for what, value in setting:
        if what == "lead_time":
            lead = jnp.full(params.products, int(value), jnp.int32)
            params = params.replace(lead_time=lead, max_lead_time=max(int(value), 1))
        elif what == "shelf_life":
            life = jnp.full(params.products, int(value), jnp.int32)
            params = params.replace(shelf_life=life, max_shelf_life=int(value))
        elif what == "margin":
            params = params.replace(cost=(1 - value) * params.price)
        elif what == "demand":
            params = params.replace(arrivals=value * params.arrivals)
        else:
            params = params.replace(**{what: jnp.full_like(getattr(params, what), value)})
    return params


def parameters_of(params: Params, pair: Params) -> dict[str, float]:
    """What the settings change, rounded; `demand` is in units of that of `pair`."""
    values = {
        "lead_time": params.lead_time.max(),
        "shelf_life": params.shelf_life.max(),
        "margin": ((params.price - params.cost) / params.price).mean(),
        "holding": params.holding.mean(),
        "lift": params.lift.mean(),
        "demand": params.arrivals.sum() / pair.arrivals.sum(),
    }
    return {what: round(float(value), 6) for what, value in values.items()}
