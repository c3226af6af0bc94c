"""jaxsim: retail stores in JAX, where recommendation moves demand and stock limits what is sold.

    env, params = jaxsim.make("grocery")
    state = env.reset(key, params)
    state, flows = env.step(key, state, action, params)

Two decisions a period, orders and slates (`Action`), on one `State`; the period's ledger is
`Flows`. Everything is a pure function of (key, state, action, params) and goes through `jax.jit`
and `jax.vmap`. `rollout` follows many stores under a `Policy`. docs/model.md has the equations.
"""

from jaxsim import families, scenarios
from jaxsim.adapters.registration import register_when_imported
from jaxsim.environment import Environment, make
from jaxsim.errors import UserError
from jaxsim.params import Params
from jaxsim.records import Action, Flows, State
from jaxsim.rollout import Policy, Trajectory, rollout, rollout_sums
from jaxsim.versions import version, versions

__all__ = [
    "Action",
    "Environment",
    "Flows",
    "Params",
    "Policy",
    "State",
    "Trajectory",
    "UserError",
    "__version__",
    "families",
    "make",
    "rollout",
    "rollout_sums",
    "scenarios",
    "versions",
]

__version__ = version()

register_when_imported()
