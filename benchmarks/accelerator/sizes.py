"""How large everything is: once for an accelerator, once to try every part on a CPU."""

from dataclasses import dataclass, replace

from agents.evaluation.tuning import Effort
from agents.learning.settings import Learner


@dataclass(frozen=True)
class Batch:
    """How a training learns, and from how much at a time."""

    stores: int
    iterations: int = 640  # its schedules and the temperature fall over so many
    learner: Learner = "path"
    again: bool = False  # compute periods again on the way back, for a twentieth of the memory


@dataclass(frozen=True)
class Sizes:
    """The sizes of all parts; what is most important comes first."""

    repeats: int  # timed calls of a row; the median counts
    together: int  # programs compiled side by side

    check_stores: int
    check_periods: int  # of the step
    check_training: Batch
    check_evaluation_periods: int

    step_scenarios: tuple[str, ...]
    step_stores: tuple[int, ...]
    call: int  # product-periods of a call, about: as many periods as that takes…
    periods: tuple[int, int]  # …but not fewer and not more than these

    training: dict[str, tuple[Batch, ...]]  # ascending, as the peak of memory only ever grows
    horizon: int  # periods of an iteration

    target_batches: tuple[Batch, ...]
    effort: Effort  # of tuning the pairs that learning is held against
    between: int  # iterations from one evaluation to the next
    evaluation_stores: int
    evaluation_periods: int
    burn_in: int

    seeds: tuple[int, ...]  # side by side
    seed_stores: int  # of each seed

    profiled: Batch


SCORE = Batch(16384, learner="score")

FULL = Sizes(
    repeats=5,
    together=8,
    check_stores=2**14,
    check_periods=6,
    check_training=Batch(1024),
    check_evaluation_periods=100,
    step_scenarios=("boutique", "grocery", "pair"),
    step_stores=(2**10, 2**13, 2**16, 2**18, 2**20),
    call=2**26,
    periods=(8, 256),
    training={
        "grocery": (Batch(32), Batch(256), Batch(2048), Batch(8192)),
        "boutique": (Batch(2048), Batch(16384), Batch(65536, again=True), SCORE),
    },
    horizon=32,
    target_batches=(Batch(256, 320), Batch(1024, 160), Batch(32, 640)),
    effort=Effort(batch=360),
    between=10,
    evaluation_stores=2048,
    evaluation_periods=200,
    burn_in=60,
    seeds=(16, 256),
    seed_stores=256,
    profiled=Batch(2048),
)

TINY = Sizes(
    repeats=2,
    together=2,
    check_stores=64,
    check_periods=3,
    check_training=Batch(16),
    check_evaluation_periods=8,
    step_scenarios=("boutique", "pair"),
    step_stores=(16, 64),
    call=2**12,
    periods=(2, 8),
    training={"grocery": (Batch(16),), "boutique": (replace(SCORE, stores=16),)},
    horizon=8,
    target_batches=(Batch(16, 4),),
    effort=Effort(
        first_rounds=1,
        rounds=1,
        candidates=30,
        of_a_pair=2,
        stores=4,
        periods=14,
        burn_in=7,
        batch=30,
    ),
    between=2,
    evaluation_stores=32,
    evaluation_periods=14,
    burn_in=7,
    seeds=(3,),
    seed_stores=16,
    profiled=Batch(16),
)
