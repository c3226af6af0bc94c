"""How soon a training earns so much more than the best tuned pair: seconds of learning alone.

Pairs and departments are held against each other on the same customers, never those that the pairs
were tuned on or that learning saw, while it learns; what was reached is measured once more, on
customers that nobody saw. Compilation, tuning and evaluations are not in the seconds.
"""

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.accelerator import subject
from benchmarks.accelerator.ledger import Deadline, Ledger, Row
from benchmarks.accelerator.programs import Compiled, Work, compiled_together, left_out, row
from benchmarks.accelerator.sizes import Batch, Sizes

PART, SCENARIO = "target", "grocery"
PERCENT = 3.0
CONTENDERS = 5  # the best when tuned, of which one is best on other customers
LEARN, VALIDATE, EVALUATE = 11, 12, 13  # seeds


@dataclass(frozen=True)
class Yardstick:
    """The pairs, and the policies' profits per period in every store, by seed of the customers."""

    pairs: list[Any]
    sizes: Sizes
    best: dict[int, tuple[str, np.ndarray]] = field(default_factory=dict)

    def gains(self, policy: Any, seed: int) -> np.ndarray:
        """Percent over the best pair's mean profit, by store."""
        if seed not in self.best:
            profits = {each.name: self.profits(each.policy, seed) for each in self.pairs}
            name = max(profits, key=lambda name: profits[name].mean())
            self.best[seed] = name, profits[name]
        _, best = self.best[seed]
        return 100 * (self.profits(policy, seed) - best) / abs(best.mean())

    def profits(self, policy: Any, seed: int) -> np.ndarray:
        """Money per period, by store."""
        sizes, params = self.sizes, subject.params_of(SCENARIO)
        counts = sizes.evaluation_stores, sizes.evaluation_periods, sizes.burn_in
        totals = subject.totals(jax.random.key(seed), policy, params, *counts)
        return np.asarray(totals.profit, np.float64) / sizes.evaluation_periods


def measure(ledger: Ledger, deadline: Deadline, sizes: Sizes) -> None:
    batches = [batch for batch in sizes.target_batches if not ledger.has(*_key(batch))]
    if not batches or deadline.is_past:
        return
    pairs = subject.tuned_pairs(SCENARIO, sizes.effort, ledger.path.parent / "heuristics.json")
    yardstick = Yardstick(pairs[:CONTENDERS], sizes)
    works = [work(batch, pairs[0].policy, sizes) for batch in batches]
    for each, compiled in compiled_together(works, sizes.together):
        if deadline.is_past:
            return
        if isinstance(compiled, Compiled):
            ledger.add(learned(compiled, yardstick, deadline))
        else:
            ledger.add(left_out(each, compiled))


def work(batch: Batch, pair: Any, sizes: Sizes) -> Work:
    """The iterations from one evaluation to the next in a call."""
    config = subject.config_of(SCENARIO, batch, sizes.horizon)
    return Work(
        *_key(batch),
        products=subject.params_of(SCENARIO).products,
        periods=sizes.horizon * sizes.between,
        call=partial(subject.learned, iterations=sizes.between),
        start=partial(subject.started, config, pair, jax.random.key(LEARN)),
        more={"iterations_planned": batch.iterations, "iterations_a_call": sizes.between},
    )


def learned(compiled: Compiled, yardstick: Yardstick, deadline: Deadline) -> Row:
    """Learning until the planned iterations are over or time is, and when it reached the target."""
    sizes, planned = yardstick.sizes, compiled.work.more["iterations_planned"]
    jax.block_until_ready(compiled.program(compiled.start()))  # the first call is not timed
    carried = jax.block_until_ready(compiled.start())
    seconds: list[float] = []
    curve: list[list[float]] = []  # iterations, seconds, gain
    over = False
    while not (over or (seconds and deadline.is_past)):
        began = time.perf_counter()
        carried = jax.block_until_ready(compiled.program(carried))
        seconds.append(time.perf_counter() - began)
        gain = yardstick.gains(subject.departments_of(carried), VALIDATE).mean()
        iterations = len(seconds) * sizes.between
        curve.append([iterations, sum(seconds), gain])
        over = iterations >= planned
    reached = [after for _, after, gain in curve if gain >= PERCENT]
    confirmed = subject.interval(yardstick.gains(subject.departments_of(carried), EVALUATE))
    return row(compiled.work, seconds, compiled.seconds) | {
        "program_bytes": compiled.asked,
        "target_percent": PERCENT,
        "seconds_to_target": reached[0] if reached else None,
        "unfinished": not over,
        "iterations": curve[-1][0],
        "learning_seconds": sum(seconds),
        "gain_percent": curve[-1][2],
        "gain_percent_on_new_customers": confirmed,
        "best_pair": yardstick.best[EVALUATE][0],
        "curve": curve,
    }


def _key(batch: Batch) -> tuple[str, str, str, int]:
    return PART, f"learning to +{PERCENT:g} %", SCENARIO, batch.stores
