"""jaxsim: retail stores in JAX, where recommendation moves demand and stock limits what is sold.

    env, params = jaxsim.make("grocery")
    state = env.reset(key, params)
    state, flows = env.step(key, state, action, params)

Two decisions a period, orders and slates (`Action`), on one `State`; the period's ledger is
`Flows`. Everything is a pure function of (key, state, action, params) and goes through `jax.jit`
and `jax.vmap`. `rollout` follows many stores under a `Policy`. docs/model.md has the equations.

The names below are the public ones. Those that need JAX are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxsim.adapters.registration import register_when_imported
from jaxsim.errors import UserError
from jaxsim.versions import version, versions

if TYPE_CHECKING:
    from jaxsim import families as families
    from jaxsim import scenarios as scenarios
    from jaxsim.environment import Environment as Environment
    from jaxsim.environment import make as make
    from jaxsim.params import Params as Params
    from jaxsim.records import Action as Action
    from jaxsim.records import Flows as Flows
    from jaxsim.records import State as State
    from jaxsim.rollouts import Policy as Policy
    from jaxsim.rollouts import Trajectory as Trajectory
    from jaxsim.rollouts import rollout as rollout
    from jaxsim.rollouts import rollout_sums as rollout_sums

_HOMES = {
    "Action": "jaxsim.records",
    "Environment": "jaxsim.environment",
    "Flows": "jaxsim.records",
    "Params": "jaxsim.params",
    "Policy": "jaxsim.rollouts",
    "State": "jaxsim.records",
    "Trajectory": "jaxsim.rollouts",
    "make": "jaxsim.environment",
    "rollout": "jaxsim.rollouts",
    "rollout_sums": "jaxsim.rollouts",
}
_MODULES = ("families", "scenarios")

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


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"jaxsim.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxsim' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
