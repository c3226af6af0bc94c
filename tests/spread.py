"""One small training, however many devices and processes it is spread over, for the tests of that.

`python -m tests.spread OUT ITERATIONS [PORT PROCESS]`: the training; two processes, if a port is
named. `python -m tests.spread OUT learner`, `sweep` or `chunk`: what must not depend on how many
devices there are.
"""

import dataclasses
import json
import os
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from agents.devices import Shards
from agents.errors import PeerError
from agents.evaluation.keys import keys_of
from agents.evaluation.simulation import simulate_each
from agents.learning.config import TrainConfig
from agents.learning.training import Training
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from agents.runs import loop, processes
from agents.runs.checkpoints import Checkpoints
from agents.runs.interruption import Interruption
from agents.runs.settings import LaunchConfig
from agents.runs.stopwatch import Stopwatch
from agents.start import leave
from agents.sweeps import chunks, vectorised
from agents.sweeps.baselines import Baseline
from agents.sweeps.chunks import Member
from agents.sweeps.grid import PlannedRun
from agents.sweeps.sweep_folder import RUNS
from jaxsim.scenarios import get
from tests.interrupted import QUIET, ROOT
from tests.quick import QUICK_COMPILE

DEVICES = 4
COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
# Devices that share few cores may wait for each other for longer than XLA's 40 seconds.
PATIENT = "--xla_cpu_collective_call_terminate_timeout_seconds=300"
CHUNK = 2  # iterations: so few that a rounding is not yet another customer


def environment(devices: int) -> dict[str, str]:
    """Of a process with so many devices."""
    flags = f"--xla_force_host_platform_device_count={devices} {QUICK_COMPILE} {PATIENT}"
    return QUIET | {"XLA_FLAGS": flags}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.spread", *map(str, arguments)]


def pair() -> HeuristicPair:
    return HeuristicPair(HeuristicParams(recommender="margin", safety=1.0, fractile=0.5))


def training(out: Path, iterations: int, shards: Shards) -> Training:
    """One minibatch: however the stores are dealt, an update is on all of them. Gradients are not
    clipped: what is wrong by a factor shows."""
    config = TrainConfig(
        scenario="pair", iterations=iterations, stores=16, crn_group=2, horizon=4, width=4, log=(),
        critic_epochs=1, minibatches=1, fast_per_slow=1, replenishment_memory="none",
        evaluation_stores=8, evaluation_periods=10, burn_in=2, evaluations=1, save_seconds=0,
        out=out,
    )  # fmt: skip
    static = dataclasses.replace(config.static_config(shards), max_norm=1e9)
    trainer = config.trainer(pair().heuristic, shards).replace(static=static)
    return Training(config, trainer, get("pair").params(), keys_of(0))


def train(out: Path, iterations: int) -> None:
    """To the end, or on to the end, with a line for every chunk."""
    with Interruption() as interruption:
        of = training(out, iterations, Shards(jax.device_count()))
        with Checkpoints(out, {}) as checkpoints:
            snapshot = loop.restored(of, checkpoints, print) or of.start()
            program = of.compiled(snapshot.train_state)
            loop.learn(of, program, snapshot, out, checkpoints, interruption, tell, Stopwatch())


def tell(news: dict[str, float]) -> None:
    print(int(news["iteration"]), flush=True)


def compare_learner(out: Path) -> dict:
    """Differences between one device and four, and counts of collectives."""
    found = {count: chunk(out, count) for count in (1, DEVICES)}
    (alone, alone_metrics, _), (spread, metrics, text) = found.values()
    customers, store = jax.random.key(1), get("pair").params()
    totals = [
        simulate_each(customers, {"": pair()}, store, 16, 20, 2, Shards(count))[""]
        for count in found
    ]
    return {
        "learner": apart(alone, spread),
        "metrics": apart(alone_metrics, metrics),
        "totals": apart(*totals),
        "collectives": {
            name: len(re.findall(rf" {name}(?:-start)?\(", text)) for name in COLLECTIVES
        },
    }


def compare_sweep(out: Path) -> dict:
    """Differences between a training and one of four beside it, each on a device."""
    alone, alone_metrics, _ = chunk(out, 1)
    swept, swept_metrics = sweep_of(training(out, CHUNK, Shards()))
    return {"run": apart(alone, swept), "metrics": apart(alone_metrics, swept_metrics)}


def compare_chunk(out: Path) -> dict:
    """Differences between runs of one seed that share a chunk of a sweep, each on a device."""
    config = training(out, CHUNK, Shards()).config
    run = PlannedRun(0, config, get("pair"), {})
    best = Baseline("margin+base-stock", np.zeros(config.evaluation_stores), {})
    members = [Member(run, pair().heuristic, best)] * 2
    trained = chunks.train(chunks.Chunk(members, len(members), len(members)), lambda *_: None)
    first, second = trained.tables[RUNS]["profit"]
    return {"profit": abs(first - second), "earned": abs(first)}


def chunk(out: Path, count: int) -> tuple:
    """The state after two chunks on so many devices, metrics of the second, and the program's
    text."""
    of = training(out, CHUNK, Shards(count))
    train_state = of.start().train_state
    program = of.compiled(train_state)
    train_state, _ = program(of.trainer, train_state, of.params)
    train_state, metrics = program(of.trainer, train_state, of.params)
    return train_state, metrics, program.as_text()


def sweep_of(of: Training) -> tuple:
    """The third of four runs on four devices, each with a seed of its own."""
    keys = jnp.stack([keys_of(seed)["learn"] for seed in (1, 2, 0, 3)])
    both = (vectorised.repeated(each, DEVICES) for each in (of.trainer, of.params))
    runs = vectorised.start(keys, *both, DEVICES)
    groups, _ = vectorised.learn({"all": runs}, CHUNK, DEVICES)
    groups, metrics = vectorised.learn(groups, CHUNK, DEVICES)

    def third(tree):
        return jax.tree.map(lambda leaf: leaf[2], tree)

    return third(groups["all"].train_state), third(metrics["all"])


def apart(one: object, other: object) -> float:
    """The largest difference between two trees, in units of the size of the numbers."""

    def numbers(leaf):
        return np.asarray(
            jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf,
            np.float64,
        )

    pairs = zip(
        map(numbers, jax.tree.leaves(one)), map(numbers, jax.tree.leaves(other)), strict=True
    )
    return max(
        float((np.abs(left - right) / (1 + np.abs(left))).max(initial=0)) for left, right in pairs
    )


COMPARISONS = {"learner": compare_learner, "sweep": compare_sweep, "chunk": compare_chunk}


def main(out: str, iterations: str, port: str = "", process: str = "") -> None:
    if not iterations.isdigit():
        compare = COMPARISONS[iterations]
        (Path(out) / "found.json").write_text(json.dumps(compare(Path(out))))
        return
    where = LaunchConfig()
    if port:
        where = LaunchConfig(TrainConfig(), f"localhost:{port}", 2, int(process))
    try:
        with processes.joined(where):
            train(Path(out), int(iterations))
    except PeerError as lost:
        print(f"error: {lost}", file=sys.stderr)
        leave(1)


if __name__ == "__main__":
    os.chdir(ROOT)
    main(*sys.argv[1:])
