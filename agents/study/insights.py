"""How the learned departments of a store answer, beside the tuned pair that they started from and,
where the store is solved exactly, the exact policy: across products and over time.

With one seed all policies meet the same customers, and with another seed others, so that an
interval over seeds holds the luck of trainings and of customers alike.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from agents.evaluation.agreement import agreement
from agents.evaluation.keys import keys_of
from agents.evaluation.simulation import simulate
from agents.evaluation.tuning import TunedPair
from agents.learning.config import TrainConfig
from jaxsim import responses
from jaxsim.exact.policy import policy_of, solved
from jaxsim.params import Params
from jaxsim.rollouts import Policy
from jaxsim.scenarios.scenario import Scenario

SEEDS = 4
"""Trainings that are looked at: those of the first seeds."""
LEARNED, TUNED, EXACT = "learned", "tuned", "exact"
ACROSS, OVERSTOCK, SURGE, DELAY, AGREEMENT = "across", "overstock", "surge", "delay", "agreement"
OVERSTOCKED_DAYS = 2.0
"""Mean daily sales of the best-selling product that an overstock of it is, rounded up."""
SHORTEST = 6  # lags
Answered = tuple[str, str, str, Sequence[float] | np.ndarray]
"""Kind, what answers, of which product, and by how much at each lag."""


def settings() -> dict[str, Any]:
    """Everything that is fixed here and that the rows depend on."""
    return {"overstocked_days": OVERSTOCKED_DAYS, "shortest": SHORTEST}


def insights_of(
    config: TrainConfig, scenario: Scenario, learned: Sequence[Policy], tuned: TunedPair
) -> pd.DataFrame:
    """A row per number: policy (`learned`, `tuned`, `exact`) and its name, seed, kind (`across`,
    a shock of `product`, or `agreement` with the exact policy), what answers, of which product
    (`own`: the one that it happens to, or `others`: all others together), lag, value.

    `learned`: the departments of seeds 0, 1, …; `config` gives the size of an evaluation.
    Attention is a mean over customers, orders and stock are units. Across products: one more unit
    of a product, mean over products. Agreement: the fields of
    `agents.evaluation.agreement.Agreement`.
    """
    params, optimum = scenario.params(), solved(scenario.params())
    exact = None if optimum is None else policy_of(optimum)
    policies = {LEARNED: learned, TUNED: [tuned.policy] * len(learned)}
    if exact is not None:
        policies[EXACT] = [exact] * len(learned)
    names = {LEARNED: config.regime, TUNED: tuned.name, EXACT: EXACT}
    product, units = best_seller(config, params, tuned.policy)
    lags, stores = max(SHORTEST, 2 * int(params.lead_time.max())), config.evaluation_stores
    rows = []
    for name, of_seeds in policies.items():
        for seed, policy in enumerate(of_seeds):
            key = keys_of(seed)["trace"]
            found = list(_across(responses.cross_response(key, policy, params, stores)))
            for kind, size in {OVERSTOCK: units, SURGE: 1.0, DELAY: 1.0}.items():
                shock = responses.shock_of(params, kind, product, size)
                impulse = responses.impulse_response(key, policy, params, shock, lags, stores)
                found += _over_time(kind, impulse, product)
            if exact is not None and name != EXACT:
                sizes = stores, config.evaluation_periods, config.burn_in
                measured = asdict(agreement(key, policy, exact, params, *sizes))
                found += [(AGREEMENT, what, "all", [value]) for what, value in measured.items()]
            which = {"scenario": scenario.name, "policy": name, "name": names[name], "seed": seed}
            which |= {"product": scenario.products[product], "units": units}
            rows += [
                which | {"kind": kind, "what": what, "of": of, "lag": lag, "value": float(value)}
                for kind, what, of, values in found
                for lag, value in enumerate(values)
            ]
    return pd.DataFrame(rows)


def best_seller(config: TrainConfig, params: Params, policy: Policy) -> tuple[int, float]:
    """The product that sells most units, and the units of an overstock of it."""
    sizes = config.evaluation_stores, config.evaluation_periods, config.burn_in
    sold = np.asarray(simulate(keys_of(0)["trace"], policy, params, *sizes).sold, np.float64)
    daily = sold.mean(0) / config.evaluation_periods
    return int(daily.argmax()), float(max(1, math.ceil(OVERSTOCKED_DAYS * daily.max())))


def _across(found: responses.CrossResponse) -> Iterator[Answered]:
    for what, answer in {"attention": found.attention, "orders": found.order}.items():
        mean = np.asarray(answer.mean, np.float64)
        own = np.diagonal(mean)
        yield ACROSS, what, "own", [own.mean()]
        yield ACROSS, what, "others", [(mean.sum(1) - own).mean()]


def _over_time(kind: str, found: responses.Impulse, product: int) -> Iterator[Answered]:
    answers = {"attention": found.attention, "orders": found.ordered, "on hand": found.on_hand}
    for what, answer in answers.items():
        mean = np.asarray(answer.mean, np.float64)
        yield kind, what, "own", mean[:, product]
        yield kind, what, "others", mean.sum(1) - mean[:, product]
