"""What a scenario sells with nothing shown and shelves always full: for checks against data."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsim import store
from jaxsim.params import Params
from jaxsim.records import Action, State
from jaxsim.scenarios.scenario import Scenario

PLENTY = 1e6
SEED = 0


def daily_sales(scenario: Scenario, days: int) -> Float[np.ndarray, "D N"]:
    """One store's sales, a row a day."""
    return np.asarray(_sales(jax.random.key(SEED), scenario.params(), days))


def _sales(key: jax.Array, params: Params, days: int) -> Float[Array, "D N"]:
    """Thirty days are dropped first, so that the market state is anywhere."""
    unshown = params.replace(lift=jnp.zeros_like(params.lift))
    slate = jnp.tile(jnp.arange(params.slots), (params.segments, 1))
    nothing = Action(order=jnp.zeros(params.products), slate=slate)

    def one_day(state: State, day_key: jax.Array) -> tuple[State, Array]:
        full = state.replace(on_hand=jnp.full(params.products, PLENTY))
        state, flows = store.step(day_key, full, nothing, unshown)
        return state, flows.sold

    start_key, days_key = jax.random.split(key)
    start = store.reset(start_key, params)
    _, sold = jax.lax.scan(one_day, start, jax.random.split(days_key, 30 + days))
    return sold[30:]
