"""An exact optimum as a `jaxsim.Policy`: a table of decisions by state."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxsim import choice
from jaxsim.exact import truncation
from jaxsim.exact.grid import AgedGrid, Grid
from jaxsim.exact.optimum import Optimum, optimum
from jaxsim.exact.tables import Tables
from jaxsim.params import Params
from jaxsim.records import Action, State

QUICK_SIZE = 8_000
"""Most states times joint slates that are solved while a user waits for a report."""
QUICK_TOLERANCE = 1e-3  # money per period


class ExactPolicy(struct.PyTreeNode):
    """Orders and slates of every state of the grid; a state outside it acts as the nearest one."""

    orders: Float[Array, "... N"]  # units
    slates: Int[Array, "... K S"]
    attention: Float[Array, "M K N"]  # of each joint slate that customers may remember
    grid: Grid = struct.field(pytree_node=False)

    def start(self, params: Params) -> tuple[()]:
        """No memory."""
        return ()

    def act(
        self, key: PRNGKeyArray, memory: tuple[()], state: State, params: Params
    ) -> tuple[Action, tuple[()]]:
        """Orders and slates of one store; `key` and `memory` are not used."""
        at = self._position(state)
        return Action(order=self.orders[at], slate=self.slates[at]), memory

    def _position(self, state: State) -> tuple[Array, ...]:
        remembered = jnp.abs(self.attention - state.fatigue[None]).sum((1, 2)).argmin()
        if isinstance(self.grid, AgedGrid):
            assert state.expiring is not None
            stock = [
                state.expiring[row, i] for i, m in enumerate(self.grid.life) for row in range(m)
            ]
        else:
            stock = state.on_hand - state.backlog + jnp.asarray(self.grid.owed)
        units = [remembered, *stock]
        for product, rows in enumerate(self.grid.rows):
            units += list(state.pipeline[:rows, product])
        return tuple(
            jnp.clip(each, 0, size - 1).astype(jnp.int32)
            for each, size in zip(units, self.grid.shape, strict=True)
        )


def policy_of(found: Optimum) -> ExactPolicy:
    """The policy of an optimum, for the simulator."""
    slates = jnp.asarray(found.tables.slates, jnp.int32)
    remembered = slates[: found.grid.remembered]
    return ExactPolicy(
        orders=jnp.asarray(found.orders, jnp.float32),
        slates=slates[np.asarray(found.solution.slate)],
        attention=jax.vmap(choice.attention_of, (0, None))(remembered, found.tables.params),
        grid=found.grid,
    )


def solved(params: Params) -> Optimum | None:
    """The joint optimum of a store with two products, or None where it is outside the exact model,
    would take long, or its state is more than the stock of both."""
    slates = 2**params.segments
    few = params.products == 2 and slates <= QUICK_SIZE
    if not few or int(params.lead_time.max()) > 1 or bool(params.backlogged.any()):
        return None
    try:
        truncation.require_solvable(params, discount=1.0)
        tables = Tables(params)
        if slates * math.prod(tables.first_grid.shape) > QUICK_SIZE:
            return None
        return optimum(tables, tolerance=QUICK_TOLERANCE)
    except truncation.ExactError:
        return None
