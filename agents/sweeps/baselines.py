"""How runs of a sweep did on their evaluation customers, against the best tuned pair there."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from agents import checksums, files, schemas
from agents.errors import RunError
from agents.evaluation.keys import keys_of
from agents.evaluation.simulation import (
    Totals,
    interval,
    kpis,
    profit_per_period,
    simulate,
    undefined,
)
from agents.evaluation.tuning import Effort, TunedPair, store_periods, tune
from agents.runs import run_folder
from agents.schemas import Defined, Document, Number
from agents.sweeps.grid import STORE_FIELDS, PlannedRun
from jaxsim.rollouts import Policy
from jaxsim.scenarios.scenario import Scenario


@dataclass(frozen=True)
class Baseline:
    """The best tuned pair on the evaluation customers of one store and seed."""

    name: str
    profits: np.ndarray  # money per period, by store of the evaluation
    kpis: dict[str, float]


class Measured(Document):
    """A file of a baseline."""

    name: str
    profits: list[Number]
    kpis: dict[str, Defined]
    why_null: dict[str, str]


@dataclass(frozen=True)
class Stores:
    """Tuned pairs and baselines, kept in a folder: each is computed once for each store, effort
    of tuning and version."""

    folder: Path
    announce: Callable[[str], None]
    effort: Effort

    def tune(self, stores: list[Scenario]) -> None:
        """Tunes every pair on the stores that are new."""
        new = {self._place(store): store for store in stores}
        new = {place: new[place] for place in new if not _tuned_in(place)}
        for number, (place, store) in enumerate(new.items(), 1):
            self.announce(f"tuning every pair of heuristics, store {number} of {len(new)}")
            pairs = tune(store.params(), self.effort)
            run_folder.write_heuristics(files.open_folder(place), pairs)
            checksums.seal(place, checksums.digests_of(place, (run_folder.HEURISTICS,)))

    def tuned(self, store: Scenario) -> list[TunedPair]:
        """Every tuned pair of a store, best first. Raises `RunError` where it was not tuned, or by
        another version: departments correct the pair that they started from, and no other."""
        place = self._place(store)
        if not _tuned_in(place):
            raise RunError(
                f"{self.folder}: no pairs of this version for the store {store.name!r}; allowed: a "
                "folder that this version has made, or a new one"
            )
        return run_folder.read_heuristics(place)

    def baseline(self, run: PlannedRun) -> Baseline:
        """The pair that earns most on the run's own evaluation customers: errs, if at all, in the
        heuristics' favour."""
        config = run.config
        sizes = (config.evaluation_stores, config.evaluation_periods, config.burn_in)
        name = "-".join(map(str, ("best", config.seed, *sizes)))
        place, file = self._place(run.scenario), f"{name}.json"
        if not checksums.holds(place, file):
            self.announce(f"heuristics on the evaluation customers of seed {config.seed}")
            pairs = {pair.name: simulated(run, pair.policy) for pair in self.tuned(run.scenario)}
            best = max(pairs, key=lambda pair: pairs[pair].profit.mean(dtype=np.float64))
            profits = profit_per_period(pairs[best], config.evaluation_periods)
            measured = kpis(pairs[best], config.evaluation_periods)
            body = {
                "name": best, "profits": profits.tolist(), "kpis": measured,
                "why_null": undefined([measured]),
            }  # fmt: skip
            checksums.write(place, file, schemas.text_of(body, Measured))
        found = schemas.read(place, file, Measured)
        return Baseline(found.name, np.asarray(found.profits), schemas.nan_for_null(found.kpis))

    def _place(self, store: Scenario) -> Path:
        effort = asdict(self.effort)
        return self.folder / files.key_of(store=store.model_dump(mode="json"), effort=effort)


def _tuned_in(place: Path) -> bool:
    return checksums.holds(place, run_folder.HEURISTICS)


def run_row(run: PlannedRun, totals: Totals, best: Baseline) -> dict[str, Any]:
    """One tidy row of a run from what its departments did on its evaluation customers: which it is,
    its settings, profit and KPIs with 95 % intervals, its paired gain over the best tuned pair."""
    config = run.config
    profits = profit_per_period(totals, config.evaluation_periods)
    gain, (gain_low, gain_high) = interval(profits - best.profits)
    which = {
        "run": run.number,
        "scenario": run.scenario.name,
        "regime": config.regime,
        "learner": config.learner,
    }
    return (
        which
        | {"learner": config.learner, "seed": config.seed}
        | run.settings
        | {"store_periods": config.store_periods}
        | _profit(profits)
        | {"gain": gain, "gain_low": gain_low, "gain_high": gain_high}
        | {"best_heuristic": best.name}
        | _other_kpis(kpis(totals, config.evaluation_periods))
    )


def heuristic_row(run: PlannedRun, best: Baseline) -> dict[str, Any]:
    """One tidy row of the best tuned pair on the customers of a run's store and seed."""
    store = {field: value for field, value in run.settings.items() if field in STORE_FIELDS}
    effort = Effort().times(run.config.tuning_effort)
    return (
        {"scenario": run.scenario.name, "heuristic": best.name, "seed": run.config.seed}
        | store
        | {"store_periods": store_periods(run.scenario.params(), effort)}
        | _profit(best.profits)
        | _other_kpis(best.kpis)
    )


def simulated(run: PlannedRun, policy: Policy) -> Totals:
    """What a policy does on a run's evaluation customers."""
    config = run.config
    totals = simulate(
        keys_of(config.seed)["evaluate"],
        policy,
        run.scenario.params(),
        config.evaluation_stores,
        config.evaluation_periods,
        config.burn_in,
    )
    return jax.device_get(totals)


def _profit(profits: np.ndarray) -> dict[str, float]:
    profit, (low, high) = interval(profits)
    return {"profit": profit, "profit_low": low, "profit_high": high}


def _other_kpis(measured: dict[str, float]) -> dict[str, float]:
    """All but profit; money that is also the name of a store's number is called paid."""
    named = {f"{name}_paid" if name in STORE_FIELDS else name: measured[name] for name in measured}
    return {name: value for name, value in named.items() if name != "profit"}
