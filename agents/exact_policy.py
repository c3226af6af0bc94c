"""An exact optimum as a policy like any other: it looks up what to do."""

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxsim.exact import Grid
from jaxsim.optimum import Optimum
from jaxsim.params import Params
from jaxsim.records import Action, State


@struct.dataclass
class ExactPolicy:
    """Orders and slates of every state of the grid; a state beyond it acts as the nearest."""

    orders: Float[Array, "... N"]  # units
    slates: Int[Array, "... K S"]
    grid: Grid = struct.field(pytree_node=False)

    def start(self, params: Params) -> tuple[()]:
        return ()

    def act(
        self, key: PRNGKeyArray, memory: tuple[()], state: State, params: Params
    ) -> tuple[Action, tuple[()]]:
        """Orders and slates of one store; `key` and `memory` are not needed."""
        at = self._position(state)
        return Action(order=self.orders[at], slate=self.slates[at]), memory

    def _position(self, state: State) -> tuple[Array, ...]:
        net = state.on_hand - state.backlog + jnp.asarray(self.grid.owed)
        shelves = list(net)
        for product, rows in enumerate(self.grid.rows):
            shelves += list(state.pipeline[:rows, product])
        return tuple(
            jnp.clip(units, 0, size - 1).astype(jnp.int32)
            for units, size in zip(shelves, self.grid.shape, strict=True)
        )


def policy_of(found: Optimum) -> ExactPolicy:
    """The policy of an optimum, ready to be evaluated, compared and drawn."""
    slates = found.slates[np.asarray(found.solution.slate)]
    return ExactPolicy(
        orders=jnp.asarray(found.orders, jnp.float32),
        slates=jnp.asarray(slates, jnp.int32),
        grid=found.grid,
    )
