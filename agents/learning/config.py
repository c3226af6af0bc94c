"""The settings of a training as a user gives them: every field is a flag with help.

Nothing here needs JAX until an algorithm is made of them, so that `--help` and a mistake are
answered at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from agents.errors import ConfigError
from agents.learning import schedules
from agents.learning.regimes import REGIMES, Department, Learner, RegimeName
from agents.policies.names import MemoryKind

if TYPE_CHECKING:
    from agents.devices import Shards
    from agents.learning.networks import Networks
    from agents.learning.settings import Hyperparams, StaticConfig
    from agents.learning.trainer import Trainer
    from agents.policies.heuristics import HeuristicParams

LONGEST_CHUNK = 10

LogName = Literal["tensorboard", "wandb", "mlflow"]
BY_SCORE: dict[str, Any] = {
    "learner": "score", "iterations": 240, "stores": 256, "fast": "recommendation",
    "critic_rate": 2e-3, "fast_rate": 4e-3, "slow_rate": 4e-3, "schedule_offset": 1000.0,
    "warm_up": 16.0, "temperature": 0.25, "temperature_end": 0.25,
}  # fmt: skip
"""Where the defaults of the learner by score function differ."""


@dataclass(frozen=True)
class TrainConfig:
    """Train both departments of a store, then compare them with the tuned heuristics."""

    scenario: str = "grocery"
    """A registered scenario (see the verb `scenarios`) or the path of a scenario file."""
    regime: RegimeName = "mtma"
    """How the departments learn: apart (silo, independent), with recommendation charged for stock
    (priced, path only), as one network (single), or for one profit on one clock (joint), on three
    (mtma), or on three with the departments' swapped."""
    learner: Learner = "path"
    """`path` follows the slope of the simulated ledger through its periods; `score` the score
    function, as departments without a simulator would. Each has defaults of its own."""
    seed: int = 0
    """Seed of everything random: the same seed on the same machine gives the same numbers."""
    iterations: int = 640
    """Rounds of experience and updates; each is stores × horizon store-periods."""
    out: Path | None = None
    """Run folder; by default runs/SCENARIO-REGIME-SEED. A training with the same settings that
    was stopped there goes on from its newest checkpoint."""
    log: tuple[LogName, ...] = ("tensorboard",)
    """Where the metrics are logged besides metrics.csv; the last two are extras to be installed.
    Nothing after the flag: nowhere. A sweep leaves its curves in its own folder only."""
    devices: int | None = None
    """Devices that share the stores (of a sweep: the runs); by default all there are."""

    stores: int = 32
    """Stores simulated side by side."""
    horizon: int = 32
    """Periods per iteration."""
    critic_epochs: int = 4
    """Steps of the critic per iteration (path), or its passes over an iteration's experience before
    the departments learn from it (score)."""
    fast: Department = "replenishment"
    """Which department is fast (mtma-reversed: slow)."""
    critic_rate: float = 1e-2
    """Base rate of the critic."""
    fast_rate: float = 2e-2
    """Base rate of the fast department."""
    slow_rate: float = 6e-3
    """Base rate of the slow department."""
    fast_exponent: float = 0.55
    """α: the fast rates fall as (1 + n/n0)^(−α), n counting fast updates."""
    slow_exponent: float = 0.7
    """β: the slow rate falls as (1 + n/n0)^(−β), n counting slow updates."""
    schedule_offset: float | None = None
    """n0, in fast updates (the other clocks' n0 is the same moment in their own updates); by
    default a tenth of the iterations."""
    warm_up: float = 0.0
    """Updates of a department's own clock over which its rate rises to the schedule."""
    timescales: Literal["decaying", "constant"] = "decaying"
    """`constant` keeps the base rates and waives the conditions on the exponents."""
    temperature: float = 0.5
    """Of the draws of slates in training, over what a place on the slate is worth."""
    temperature_end: float = 0.05
    """At the last iteration; falls to it geometrically."""
    kpi_mix: float = 1.0
    """Share of a department's own KPI in its reward, the rest profit (silo and independent)."""

    tail: int = 3
    """The last periods of the horizon, whose decisions are counted but not learned from (path)."""
    averaging: float = 0.03
    """Step size of the running averages of weights, which are what is used (path)."""
    discount: float = 0.995
    """γ, of what the critic says lies beyond the horizon (path)."""
    target_rate: float = 0.1
    """Step size at which the critic's target network follows it (path)."""
    fresh_share: float = 0.1
    """Share of stores whose goodwill, if they have any, is set anew in each iteration (path)."""
    rematerialise: bool = False
    """Compute periods again on the way back, in a twentieth of the memory (path)."""

    crn_group: int = 4
    """Stores that meet the same customers, each a baseline for the others; divides stores
    (score)."""
    policy_epochs: int = 1
    """The departments' passes over an iteration's experience (score)."""
    minibatches: int = 4
    """Parts (of whole stores) that a pass is cut into: each is one update, of the critic in its
    passes, then of the fast department (score)."""
    fast_per_slow: int = 1
    """Fast updates to one slow update; divides minibatches. At 1 the clocks differ by their rates
    alone; regimes with one clock use 1 (score)."""
    average_reward_rate: float = 0.1
    """Step size of the average profit per iteration (score)."""
    gae_lambda: float = 0.9
    """λ of generalised advantages: how many periods a decision answers for (score)."""
    clip_eps: float = 0.2
    """PPO's clipping range (score)."""
    entropy_coef: float = 0.01
    """Bonus on the entropy of slates (score)."""
    cross_product_credit: float = 1.0
    """Weight of the other products' profit in the credit of an order; 1 is unbiased (score)."""
    values: Literal["product", "store"] = "product"
    """What the critic values: each product, or the store as a whole (score)."""
    control_variate: float = 1.0
    """Share of the luck with a period's customers, as the critic explains it, that is taken out of
    advantages (score)."""
    critic_first: bool = True
    """Whether the critic learns from an iteration's experience before the departments do: less
    noise, for a small bias (score)."""
    width: int = 32
    """Width of all networks."""
    replenishment_memory: MemoryKind = "ewma"
    """What the replenishment department (in single: the network) carries from period to period."""
    recommendation_memory: MemoryKind = "none"
    """What the recommendation department carries from period to period."""

    tuning_effort: float = 1.0
    """Share of the usual candidates that the classical pairs are tuned with: less is a quicker
    look, against weaker pairs."""
    evaluation_stores: int = 512
    """Stores in each evaluation."""
    evaluation_periods: int = 200
    """Periods measured in each evaluation."""
    burn_in: int = 60
    """Periods dropped before."""
    evaluations: int = 6
    """Greedy evaluations on validation customers while training; the best weights are kept."""
    save_seconds: float = 60.0
    """Seconds between checkpoints: the most work that is lost when the process is killed."""

    @classmethod
    def by_score(cls, **settings: Any) -> Self:
        """Settings of the learner by score function, with its own defaults."""
        return cls(**(BY_SCORE | settings))

    @property
    def usual(self) -> Self:
        """The defaults of this learner."""
        return type(self).by_score() if self.learner == "score" else type(self)()

    @property
    def method(self) -> str:
        """Regime and, where it is not the default, learner: names folders and groups."""
        return self.regime if self.learner == "path" else f"{self.regime}-{self.learner}"

    @property
    def folder(self) -> Path:
        name = Path(self.scenario).stem
        return self.out or Path("runs") / f"{name}-{self.method}-{self.seed}"

    @property
    def store_periods(self) -> int:
        """Experience of the whole training."""
        return self.iterations * self.stores * self.horizon

    @property
    def chunk(self) -> int:
        """Iterations compiled into one program: the largest divisor not beyond LONGEST_CHUNK."""
        return max(d for d in range(1, LONGEST_CHUNK + 1) if self.iterations % d == 0)

    @property
    def checks(self) -> set[int]:
        """After which chunks (counted from 1) the departments are evaluated."""
        chunks = self.iterations // self.chunk
        return {round(chunks * (i + 1) / self.evaluations) for i in range(self.evaluations)}

    def validate(self) -> None:
        """Raises `ConfigError`, or `ScheduleError` where the clocks break a condition."""
        counts = (
            "iterations", "stores", "crn_group", "horizon", "critic_epochs", "policy_epochs",
            "minibatches", "fast_per_slow", "width", "evaluation_periods", "evaluations",
        )  # fmt: skip
        for field in counts:
            _require(self, field, getattr(self, field) >= 1, "1 or more")
        _require(
            self, "tail", 0 <= self.tail < self.horizon, f"0 to horizon - 1 = {self.horizon - 1}"
        )
        _require(self, "devices", self.devices is None or self.devices >= 1, "1 or more")
        _require(self, "evaluation_stores", self.evaluation_stores >= 2, "2 or more")
        _require(self, "burn_in", self.burn_in >= 0, "0 or more")
        _require(self, "seed", 0 <= self.seed < 2**31, "0 to 2147483647")
        for field in (
            "critic_rate", "fast_rate", "slow_rate", "clip_eps", "temperature", "temperature_end",
        ):  # fmt: skip
            _require(self, field, 0 < getattr(self, field) < float("inf"), "above 0")
        offset = self.schedule_offset
        _require(self, "schedule_offset", offset is None or 0 < offset < float("inf"), "above 0")
        for field in (
            "average_reward_rate", "gae_lambda", "cross_product_credit", "kpi_mix", "averaging",
            "target_rate", "fresh_share", "control_variate",
        ):  # fmt: skip
            _require(self, field, 0 <= getattr(self, field) <= 1, "0 to 1")
        _require(self, "discount", 0 < self.discount < 1, "above 0, below 1")
        _require(self, "tuning_effort", 0 < self.tuning_effort <= 100, "above 0, at most 100")
        _require(self, "save_seconds", self.save_seconds >= 0, "0 or more")
        _require(self, "warm_up", 0 <= self.warm_up < float("inf"), "0 or more")
        _require(self, "entropy_coef", 0 <= self.entropy_coef < float("inf"), "0 or more")
        if self.learner == "score":
            priced = REGIMES[self.regime].charged
            _require(self, "learner", not priced, f"path, where regime is {self.regime}")
            parts = {"crn_group": "stores", "minibatches": "stores", "fast_per_slow": "minibatches"}
            for field, whole in parts.items():
                divides = getattr(self, whole) % getattr(self, field) == 0
                _require(self, field, divides, f"a divisor of {whole}={getattr(self, whole)}")
        schedules.check(self.fast_exponent, self.slow_exponent, self.timescales)

    def shards(self) -> "Shards":
        """The stores spread over devices. Raises `ConfigError` where they cannot be."""
        from agents.devices import shards_of

        parts = {"stores": self.stores, "evaluation_stores": self.evaluation_stores}
        if self.learner == "score":
            parts = {
                "stores / crn_group": self.stores // self.crn_group,
                "stores / minibatches": self.stores // self.minibatches,
            } | parts
        return shards_of(self.devices, parts)

    def trainer(
        self,
        heuristic: "HeuristicParams",
        shards: "Shards | None" = None,
        networks: "Networks | None" = None,
    ) -> "Trainer":
        """The algorithm with these settings, starting from a tuned pair; by default on one device
        and with the project's own networks."""
        from agents.learning import built

        return built.trainer(self, heuristic, shards, networks)

    def static_config(
        self, shards: "Shards | None" = None, networks: "Networks | None" = None
    ) -> "StaticConfig":
        """The settings that make another compiled program."""
        from agents.learning import built

        return built.static_config(self, shards, networks)

    def hyperparams(self) -> "Hyperparams":
        """The settings that runs of one program can differ in."""
        from agents.learning import built

        return built.hyperparams(self)


def _require(config: TrainConfig, field: str, holds: bool, allowed: str) -> None:
    if not holds:
        raise ConfigError(f"{field}: {getattr(config, field)}; allowed: {allowed}")
