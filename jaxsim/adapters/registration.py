"""Every scenario as a Gymnasium id: `gymnasium.make("jaxsim/Grocery-v0")`.

Gymnasium 1.x finds no plugins by itself: ids are there once `jaxsim` is imported, before or after
`gymnasium`. `gymnasium.make("jaxsim:jaxsim/Grocery-v0")` imports it on the way.
"""

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from jaxsim import scenarios

GYMNASIUM = "gymnasium"


def id_of(scenario: str) -> str:
    """`lost-sales` to `jaxsim/LostSales-v0`."""
    return f"jaxsim/{''.join(map(str.capitalize, scenario.split('-')))}-v0"


def register() -> None:
    """Gives Gymnasium an id for every scenario that comes with the package, for single stores and,
    by `gymnasium.make_vec`, for batches that stay inside JAX. Keyword arguments are the adapter's:
    `task` and `periods`. Imports Gymnasium."""
    from gymnasium.envs import registration

    adapter = "jaxsim.adapters.gymnasium_env"
    for name in scenarios.names():
        if id_of(name) not in registration.registry:
            registration.register(
                id_of(name),
                entry_point=f"{adapter}:StoreEnv",
                vector_entry_point=f"{adapter}:StoreVectorEnv",
                kwargs={"store": name},
            )


def register_when_imported() -> None:
    """Registers now if Gymnasium is loaded, else as soon as somebody imports it: to import it here
    would cost all who do not use it a fifth of a second."""
    if sys.modules.get(GYMNASIUM) is not None:
        register()
    else:
        sys.meta_path.insert(0, _OnImport())


class _OnImport(MetaPathFinder):
    """Finds Gymnasium where it would be found anyway, and registers once it has been loaded."""

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        if name != GYMNASIUM:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_register(module: ModuleType) -> None:
            load(module)
            register()

        spec.loader.exec_module = load_and_register
        return spec
