"""Departments that learn to order and to recommend, how they are tuned, trained and compared.

The names below are the public ones; each is imported when it is first used, so that
`agents.runs.serving` runs without the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.errors import UserError as UserError
    from agents.evaluation.comparison import evaluate as evaluate
    from agents.evaluation.prices import shadow_prices as shadow_prices
    from agents.evaluation.tuning import Effort as Effort
    from agents.evaluation.tuning import TunedPair as TunedPair
    from agents.evaluation.tuning import tune as tune
    from agents.learning.config import TrainConfig as TrainConfig
    from agents.learning.networks import Networks as Networks
    from agents.policies.departments import Departments as Departments
    from agents.policies.heuristics import HeuristicPair as HeuristicPair
    from agents.policies.heuristics import HeuristicParams as HeuristicParams
    from agents.runs.pipeline import Result as Result
    from agents.runs.pipeline import load as load
    from agents.runs.pipeline import train as train
    from jaxsim import __version__ as __version__
    from jaxsim import versions as versions

_HOMES = {
    "Departments": "agents.policies.departments",
    "Effort": "agents.evaluation.tuning",
    "HeuristicPair": "agents.policies.heuristics",
    "HeuristicParams": "agents.policies.heuristics",
    "Networks": "agents.learning.networks",
    "Result": "agents.runs.pipeline",
    "TrainConfig": "agents.learning.config",
    "TunedPair": "agents.evaluation.tuning",
    "UserError": "agents.errors",
    "__version__": "jaxsim",
    "evaluate": "agents.evaluation.comparison",
    "load": "agents.runs.pipeline",
    "shadow_prices": "agents.evaluation.prices",
    "train": "agents.runs.pipeline",
    "tune": "agents.evaluation.tuning",
    "versions": "jaxsim",
}

__all__ = [
    "Departments",
    "Effort",
    "HeuristicPair",
    "HeuristicParams",
    "Networks",
    "Result",
    "TrainConfig",
    "TunedPair",
    "UserError",
    "__version__",
    "evaluate",
    "load",
    "shadow_prices",
    "train",
    "tune",
    "versions",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'agents' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
