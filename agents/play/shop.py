"""A run folder as a store to play with: the store, and who can run it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
from jaxtyping import PRNGKeyArray

from agents.errors import RunError
from agents.evaluation.keys import keys_of
from agents.evaluation.tuning import TunedPair
from agents.learning.regimes import REGIMES, Regime, RegimeName
from agents.policies.departments import Departments
from agents.policies.heuristics import HeuristicPair
from agents.runs import run_folder
from agents.runs.pipeline import load_departments
from jaxsim.params import Params
from jaxsim.scenarios.scenario import Scenario

Kind = Literal["learned", "tuned", "siloed"]
MARGIN, MARGIN_ALONE = "margin+", "looks at margin alone, never at stock"


@dataclass(frozen=True)
class Couple:
    """Two departments that can run the store together."""

    about: str
    """What the two are, a sentence for people."""
    policy: Departments | HeuristicPair


@dataclass(frozen=True)
class Shop:
    """A store, and the departments of whom one can be played with."""

    scenario: Scenario
    params: Params
    couples: dict[Kind, Couple]
    """`learned` and `tuned`, and `siloed` where there is such a couple."""
    common_goal: bool
    """Whether the learned departments were both taught by the store's profit."""
    key: PRNGKeyArray
    """Of all customers: those of the run's pictures."""

    def customers(self, number: int) -> PRNGKeyArray:
        """The key of one stream of customers; the same number is the same customers."""
        return jax.random.fold_in(self.key, number)


def read(run: Path, silo: Path | None) -> Shop:
    """What a finished training left, and as `siloed` another run on the same store, if one is
    given. Raises `RunError` or `ScenarioError`."""
    config, tuned = run_folder.read_config(run), run_folder.read_heuristics(run)
    scenario = run_folder.read_scenario(run)
    couples: dict[Kind, Couple] = {
        "learned": Couple(
            f"trained on this store {_taught(config.regime)}",
            load_departments(run, config, tuned),
        ),
        "tuned": _tuned(tuned[0]),
    }
    siloed = _margin_alone(tuned) if silo is None else _other_run(silo, scenario)
    if siloed is not None:
        couples["siloed"] = siloed
    goal = _common_goal(REGIMES[config.regime])
    return Shop(scenario, scenario.params(), couples, goal, keys_of(config.seed)["trace"])


def _common_goal(regime: Regime) -> bool:
    return not (regime.own_kpi or regime.charged)


def _taught(regime: RegimeName) -> str:
    each = REGIMES[regime]
    goal = "by the store's profit" if _common_goal(each) else "each by a number of its own"
    sight = "" if each.shared_view else ", blind to what the other sees"
    return f"{goal}{sight} (regime {regime})"


def _tuned(best: TunedPair) -> Couple:
    blind = f"; what is shown {MARGIN_ALONE}" if best.name.startswith(MARGIN) else ""
    return Couple(f"classical rules, tuned together ({best.name}){blind}", best.policy)


def _margin_alone(tuned: list[TunedPair]) -> Couple | None:
    """The best pair in which recommendation looks at its own margin only, if it is another than
    the best of all."""
    own = next((pair for pair in tuned if pair.name.startswith(MARGIN)), tuned[0])
    if own is tuned[0]:
        return None
    return Couple(f"classical rules; what is shown {MARGIN_ALONE} ({own.name})", own.policy)


def _other_run(folder: Path, scenario: Scenario) -> Couple:
    config, tuned = run_folder.read_config(folder), run_folder.read_heuristics(folder)
    if run_folder.read_scenario(folder) != scenario:
        raise RunError(f"silo: {folder} is a run on another store; allowed: a run on the same one")
    about = f"trained in another run {_taught(config.regime)}"
    return Couple(about, load_departments(folder, config, tuned))
