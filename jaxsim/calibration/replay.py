"""What a scenario sells with nothing shown and shelves always full: for checks against data."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxsim.params import Params
from jaxsim.records import Action, Chance, State
from jaxsim.rollouts import play, started
from jaxsim.scenarios.scenario import Scenario

PLENTY = 1e6  # units on hand, every morning
BURN_IN = 30  # days left out, so that the market state is anywhere
SEED = 0


class Nothing(struct.PyTreeNode):
    """A `jaxsim.Policy` that orders nothing and shows everybody the first products."""

    def start(self, params: Params) -> tuple[()]:
        return ()

    def act(
        self, key: PRNGKeyArray, memory: tuple[()], state: State, params: Params
    ) -> tuple[Action, tuple[()]]:
        slate = jnp.tile(jnp.arange(params.slots), (params.segments, 1))
        return Action(order=jnp.zeros(params.products), slate=slate), memory


def daily_sales(scenario: Scenario, days: int) -> Float[np.ndarray, "D N"]:
    """One store's sales in units, a row a day; what is shown moves nobody."""
    params = scenario.params()
    unmoved = params.replace(lift=jnp.zeros_like(params.lift))
    start_key, days_key = jax.random.split(jax.random.key(SEED))
    each_day = jax.random.split(days_key, BURN_IN + days)
    played = play(
        started(start_key[None], Nothing(), unmoved),
        lambda day: (each_day[day][None], each_day[day][None]),
        Nothing(), unmoved, periods=days, burn_in=BURN_IN,
        event=_full_shelves, keep=lambda happened: happened.flows.sold[0],
    )  # fmt: skip
    return np.asarray(played.kept)


def _full_shelves(day: Int[Array, ""], state: State, chance: Chance) -> tuple[State, Chance]:
    return state.replace(on_hand=jnp.full_like(state.on_hand, PLENTY)), chance
