"""How runs of a sweep did on their evaluation customers, against the best tuned pair there."""

from collections.abc import Iterable, Sequence
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
from agents.sweeps.engine import Tell
from agents.sweeps.grid import STORE_FIELDS, PlannedRun
from jaxsim.rollouts import Policy
from jaxsim.scenarios.scenario import Scenario

CONTENDERS = 8
"""Pairs that did best when tuned, among which the best on a run's customers is looked for."""


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
class Tuning:
    """A store on which every pair is to be tuned."""

    store: Scenario
    effort: Effort


@dataclass(frozen=True)
class Measuring:
    """A run on whose evaluation customers the best pair is to be found."""

    run: PlannedRun
    pairs: Sequence[TunedPair]


def tuned_pairs(task: Tuning, _: Tell) -> list[TunedPair]:
    """Every tuned pair of a store, best first."""
    return tune(task.store.params(), task.effort)


def best_pair(task: Measuring, _: Tell) -> Baseline:
    """The contender that earns most on the run's own evaluation customers: errs, if at all, in the
    heuristics' favour."""
    periods = task.run.config.evaluation_periods
    pairs = {pair.name: simulated(task.run, pair.policy) for pair in task.pairs}
    best = max(pairs, key=lambda pair: pairs[pair].profit.mean(dtype=np.float64))
    return Baseline(best, profit_per_period(pairs[best], periods), kpis(pairs[best], periods))


@dataclass(frozen=True)
class Stores:
    """Tuned pairs and baselines, kept in a folder: each is computed once for each store, effort
    of tuning and version."""

    folder: Path
    effort: Effort

    def untuned(self, stores: Iterable[Scenario]) -> list[Tuning]:
        """What is to be tuned of these stores: those that are new, each once."""
        new = {self._place(store): store for store in stores}
        return [Tuning(store, self.effort) for place, store in new.items() if not _tuned_in(place)]

    def keep_tuned(self, store: Scenario, pairs: list[TunedPair]) -> None:
        """Leaves the tuned pairs of a store in the folder. Raises `RunError`."""
        place = self._place(store)
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

    def unmeasured(self, runs: Iterable[PlannedRun]) -> list[Measuring]:
        """What is to be measured for these runs, whose stores are tuned: baselines that are not in
        the folder, each once."""
        new = {self._baseline(run): run for run in runs}
        return [
            Measuring(run, self.tuned(run.scenario)[:CONTENDERS])
            for (place, file), run in new.items()
            if not checksums.holds(place, file)
        ]

    def keep_baseline(self, run: PlannedRun, best: Baseline) -> None:
        """Leaves a run's baseline in the folder. Raises `RunError`."""
        body = {
            "name": best.name, "profits": best.profits.tolist(), "kpis": best.kpis,
            "why_null": undefined([best.kpis]),
        }  # fmt: skip
        checksums.write(*self._baseline(run), schemas.text_of(body, Measured))

    def baseline(self, run: PlannedRun) -> Baseline:
        """The best pair on a run's evaluation customers, which was measured. Raises `RunError`."""
        found = schemas.read(*self._baseline(run), Measured)
        return Baseline(found.name, np.asarray(found.profits), schemas.nan_for_null(found.kpis))

    def _place(self, store: Scenario) -> Path:
        effort = asdict(self.effort)
        return self.folder / files.key_of(store=store.model_dump(mode="json"), effort=effort)

    def _baseline(self, run: PlannedRun) -> tuple[Path, str]:
        """The folder and the file of a run's baseline."""
        config = run.config
        sizes = (config.evaluation_stores, config.evaluation_periods, config.burn_in)
        name = "-".join(map(str, (f"best-of-{CONTENDERS}", config.seed, *sizes)))
        return self._place(run.scenario), f"{name}.json"


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
