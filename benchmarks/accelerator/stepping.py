"""The step alone, over numbers of stores: actions given, and decided by a classical pair.

All stores are walked side by side through many periods in one compiled loop; the state stays on the
device, and every entry of every ledger goes into one sum.
"""

from functools import partial

import jax
import numpy as np

from benchmarks import workloads
from benchmarks.accelerator import subject
from benchmarks.accelerator.ledger import Deadline, Ledger
from benchmarks.accelerator.programs import Work, measured
from benchmarks.accelerator.sizes import Sizes
from benchmarks.workloads import AsGiven, AtRandom, Walk
from jaxsim.params import Params

PART = "step"
GIVEN, CLASSICAL = "step, actions given", "step, classical pair"


def measure(ledger: Ledger, deadline: Deadline, sizes: Sizes) -> None:
    for scenario in sizes.step_scenarios:
        measured(works(scenario, sizes), ledger, deadline, sizes)


def works(scenario: str, sizes: Sizes) -> list[Work]:
    """Both ways of deciding, at every number of stores."""
    params = subject.params_of(scenario)
    return [
        work(scenario, params, stores, decided, sizes)
        for stores in sizes.step_stores
        for decided in (GIVEN, CLASSICAL)
    ]


def work(scenario: str, params: Params, stores: int, decided: str, sizes: Sizes) -> Work:
    periods = int(np.clip(sizes.call // (stores * params.products), *sizes.periods))
    policy = AsGiven() if decided == GIVEN else subject.classical()
    start = given if decided == GIVEN else partial(workloads.start, policy)
    return Work(
        part=PART,
        name=decided,
        scenario=scenario,
        stores=stores,
        products=params.products,
        periods=periods,
        call=workloads.walking(params, policy, periods),
        start=partial(start, params, stores),
    )


def given(params: Params, stores: int) -> Walk:
    """Stores on their first day, each with some days of actions at random, drawn on the device."""
    keys = jax.random.split(jax.random.key(1), (stores, workloads.GIVEN))
    drawn = jax.vmap(jax.vmap(lambda key: AtRandom().act(key, (), None, params)[0]))(keys)
    return workloads.start(AsGiven(), params, stores).with_given(drawn)
