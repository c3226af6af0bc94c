"""Iterations of a training, over numbers of stores: how fast, and how much memory they take."""

from functools import partial

import jax

from benchmarks.accelerator import subject
from benchmarks.accelerator.ledger import Deadline, Ledger
from benchmarks.accelerator.programs import Work, measured
from benchmarks.accelerator.sizes import Batch, Sizes

PART = "training"


def measure(ledger: Ledger, deadline: Deadline, sizes: Sizes) -> None:
    for scenario, batches in sizes.training.items():
        works = [work(PART, scenario, batch, sizes.horizon) for batch in batches]
        measured(works, ledger, deadline, sizes)


def work(part: str, scenario: str, batch: Batch, horizon: int) -> Work:
    """One iteration a call."""
    config = subject.config_of(scenario, batch, horizon)
    return Work(
        part=part,
        name=f"training iteration by {batch.learner}",
        scenario=scenario,
        stores=batch.stores,
        products=subject.params_of(scenario).products,
        periods=horizon,
        call=partial(subject.learned, iterations=1),
        start=partial(subject.started, config, subject.classical(), jax.random.key(0)),
        more={"periods_again": batch.again},
    )
