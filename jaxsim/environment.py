"""The front door: a store by the name of its scenario, as pure functions or as other libraries know
an environment."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from jaxtyping import PRNGKeyArray

from jaxsim import scenarios, store
from jaxsim.errors import UserError, unknown
from jaxsim.params import Params
from jaxsim.records import Action, Flows, State

if TYPE_CHECKING:
    from jaxsim.adapters.gymnasium_env import StoreEnv
    from jaxsim.adapters.gymnax_env import EnvParams, StoreEnvironment
    from jaxsim.adapters.pettingzoo_env import StoreParallelEnv

ADAPTERS = {
    "gymnasium": ("jaxsim.adapters.gymnasium_env", "StoreEnv"),
    "gymnax": ("jaxsim.adapters.gymnax_env", "StoreEnvironment"),
    "pettingzoo": ("jaxsim.adapters.pettingzoo_env", "StoreParallelEnv"),
}
"""Where each interface is implemented. The extra that it needs has its name."""


class InterfaceError(UserError):
    """An interface that is not there, or whose extra is not installed."""


@dataclass(frozen=True)
class Environment:
    """A store as pure functions of one store; `jax.vmap` makes thousands of them.

    All numbers are in the `Params` that go with it, so that they can be changed, batched and
    differentiated; what is here are names.
    """

    name: str
    """Of the scenario."""
    products: tuple[str, ...]
    """Names, in the order of every array with an axis N."""
    segments: tuple[str, ...]
    """Names of customer segments, in the order of every array with an axis K."""

    def reset(self, key: PRNGKeyArray, params: Params) -> State:
        """A store in operation, in a random period of its season: see `jaxsim.store.reset`."""
        return store.reset(key, params)

    def step(
        self, key: PRNGKeyArray, state: State, action: Action, params: Params
    ) -> tuple[State, Flows]:
        """One period: the next state and the ledger, whose `profit` is by product.

        The customers depend on `key` alone, not on state or action. There is no terminal state:
        truncate outside.
        """
        return store.step(key, state, action, params)


@overload
def make(scenario: str = "grocery") -> tuple[Environment, Params]: ...
@overload
def make(scenario: str, interface: Literal["gymnasium"], **settings: Any) -> "StoreEnv": ...
@overload
def make(
    scenario: str, interface: Literal["gymnax"], **settings: Any
) -> "tuple[StoreEnvironment, EnvParams]": ...
@overload
def make(
    scenario: str, interface: Literal["pettingzoo"], **settings: Any
) -> "StoreParallelEnv": ...
def make(scenario: str = "grocery", interface: str | None = None, **settings: Any) -> Any:
    """A store by the name of its scenario, or by the path of a scenario file.

    Without an interface, an `Environment` and its `Params`. `interface="gymnax"` gives that
    library's pair of environment and parameters, `"gymnasium"` and `"pettingzoo"` an environment;
    `settings` are those of `jaxsim.adapters` (`task`, `periods`, `normalised`).

    Raises `ScenarioError` for an unknown scenario, and `InterfaceError` for an unknown interface,
    one whose extra is not installed, or settings without an interface.
    """
    if interface is None:
        if settings:
            raise InterfaceError(
                f"{next(iter(settings))}: given without an interface; "
                f"allowed: with interface one of {', '.join(ADAPTERS)}"
            )
        found = scenarios.get(scenario)
        names = found.name, tuple(found.products), tuple(found.segments)
        return Environment(*names), found.params()
    env = _adapter(interface)(scenario, **settings)
    return (env, env.default_params) if interface == "gymnax" else env


def _adapter(interface: str) -> Any:
    """The class behind an interface, imported only now. Raises `InterfaceError`."""
    if interface not in ADAPTERS:
        raise InterfaceError(unknown("interface", interface, ADAPTERS))
    module, name = ADAPTERS[interface]
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        missing = (error.name or "jaxsim").partition(".")[0]
        if missing == "jaxsim":
            raise
        raise InterfaceError(
            f"interface: {interface!r} needs {missing}, which is not installed; install the "
            f"extra {interface}: pip install '.[{interface}]' in a clone of this project"
        ) from None
