"""The step alone, over numbers of stores: actions given, and decided by a classical pair.

All stores are walked side by side through many periods in one compiled loop; the state stays on the
device, and every entry of every ledger goes into one sum.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import workloads
from benchmarks.accelerator import subject
from benchmarks.accelerator.ledger import Deadline, Ledger
from benchmarks.accelerator.programs import Work, measured
from benchmarks.accelerator.sizes import Sizes
from benchmarks.workloads import Decide, Walk
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
    decide = workloads.as_given if decided == GIVEN else classically(params)
    start = given if decided == GIVEN else workloads.start
    return Work(
        part=PART,
        name=decided,
        scenario=scenario,
        stores=stores,
        products=params.products,
        periods=periods,
        call=workloads.walking(params, decide, periods),
        start=partial(start, params, stores),
    )


def classically(params: Params) -> Decide:
    """A tuned pair that remembers nothing."""
    policy = subject.classical()
    return lambda key, memory, state, _: policy.act(key, memory, state, params)


def given(params: Params, stores: int) -> Walk:
    """Stores on their first day, each with some days of actions at random, drawn on the device."""
    drawn = workloads.at_random(params)
    keys = jax.random.split(jax.random.key(1), (stores, workloads.GIVEN))
    one_day = lambda key: drawn(key, (), None, jnp.int32(0))[0]  # noqa: E731
    return workloads.start(params, stores).replace(memory=jax.vmap(jax.vmap(one_day))(keys))
