"""Many seeds in one program, against the plain training of one, on the smallest store."""

from dataclasses import replace
from functools import partial

from benchmarks.accelerator import subject, training
from benchmarks.accelerator.ledger import Deadline, Ledger
from benchmarks.accelerator.programs import Work, measured
from benchmarks.accelerator.sizes import Batch, Sizes

PART, SCENARIO = "seeds", "pair"


def measure(ledger: Ledger, deadline: Deadline, sizes: Sizes) -> None:
    works = [alone(sizes), *(work(seeds, sizes) for seeds in sizes.seeds)]
    measured(works, ledger, deadline, sizes)
    compared(ledger)


def alone(sizes: Sizes) -> Work:
    """The program that a single training runs."""
    one = training.work(PART, SCENARIO, Batch(sizes.seed_stores), sizes.horizon)
    return replace(one, name="one seed", more={"seeds": 1})


def work(seeds: int, sizes: Sizes) -> Work:
    """An iteration of every seed a call; its stores are those of all seeds."""
    config = subject.config_of(SCENARIO, Batch(sizes.seed_stores), sizes.horizon)
    return Work(
        part=PART,
        name=f"{seeds} seeds in one program",
        scenario=SCENARIO,
        stores=seeds * sizes.seed_stores,
        products=subject.params_of(SCENARIO).products,
        periods=sizes.horizon,
        call=subject.seeds_learned,
        start=partial(subject.seeds_started, config, seeds),
        more={"seeds": seeds},
    )


def compared(ledger: Ledger) -> None:
    """Every row of several seeds beside that of one: store-periods per second over its own."""
    rows = [row for row in ledger.rows if row["part"] == PART and "seconds" in row]
    alone = [row["store_periods_per_s"] for row in rows if row["seeds"] == 1]
    for row in rows if alone else []:
        ratio = row["store_periods_per_s"] / alone[0]
        if row["seeds"] > 1 and row.get("ratio_to_one_seed") != ratio:
            ledger.add(row | {"ratio_to_one_seed": ratio})
