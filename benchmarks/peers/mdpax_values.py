"""MDPax's value iteration on published perishable products and ours, in one process, in turns.

Both in double precision, to the same bound on the average cost; then both policies are judged by
the same chain. MDPax's own problem and solvers: relative value iteration where the oldest unit is
sold first, periodic value iteration over two periods where the freshest is, as the best policy may
then alternate and relative values swing for ever. Source: mdpax on the package index.
"""

import json
import time
from typing import Any

import numpy as np
from mdpax.problems.perishable_inventory.de_moor_single_product import (
    DeMoorSingleProductPerishable,
)
from mdpax.solvers.periodic_value_iteration import PeriodicValueIteration
from mdpax.solvers.relative_value_iteration import RelativeValueIteration

from benchmarks.peers.timing import in_turns, ratio_of, settings
from jaxsim.exact import known_perishables as known
from jaxsim.exact.perishable import Best, Perishable, best_orders, chain_of

TOLERANCE = 1e-4  # of the average cost, money per period
MOST_UPDATES = 2_000
BATCH = 128  # states that MDPax updates at once: its fastest, of 64 to 4,096; its default is 1,024
COMPILING = 2  # of its updates, which compile; left out of its seconds


def solver_of(product: Perishable) -> Any:
    """MDPax's problem and the solver for it; a span of twice the bound is where ours stops too."""
    problem = DeMoorSingleProductPerishable(
        max_useful_life=product.shelf_life,
        lead_time=product.lead_time,
        max_order_quantity=product.most_order,
        variable_order_cost=product.cost,
        shortage_cost=product.penalty,
        wastage_cost=product.waste,
        holding_cost=product.holding,
        issue_policy="lifo" if product.lifo else "fifo",
    )
    common = dict(max_batch_size=BATCH, verbose=0)
    if product.lifo:
        return PeriodicValueIteration(problem, period=2, gamma=1.0, epsilon=4 * TOLERANCE, **common)
    return RelativeValueIteration(problem, epsilon=2 * TOLERANCE, **common)


def orders_of(product: Perishable, policy: np.ndarray) -> np.ndarray:
    """MDPax's orders in our order of states: it has the latest order first and the oldest units
    last."""
    ordered = product.lead_time - 1
    table = np.asarray(policy)[:, 0].reshape(product.sizes)
    shelf = range(len(product.sizes) - 1, ordered - 1, -1)
    return table.transpose(*shelf, *range(ordered - 1, -1, -1)).reshape(-1)


class Theirs:
    """MDPax, a new solver in each call."""

    def __init__(self, product: Perishable) -> None:
        self.product, self.first_seconds, self.updates = product, [], 0

    def __call__(self) -> np.ndarray:
        """The best orders. The problem and the first updates, in which MDPax compiles anew for each
        solver, are timed apart."""
        began = time.perf_counter()
        solver = solver_of(self.product)
        for _ in range(COMPILING):
            solver.solve(1)
        self.first_seconds.append(time.perf_counter() - began)
        found = solver.solve(MOST_UPDATES)
        self.updates = int(solver.iteration)
        return orders_of(self.product, found.policy)


def row_of(shelf_life: int, experiment: int, repeats: int) -> dict[str, Any]:
    """One product: seconds of both, of MDPax without what it compiles, and the costs of their
    policies."""
    product = known.published(shelf_life, experiment)
    theirs = Theirs(product)

    def ours() -> Best:
        return best_orders(known.published(shelf_life, experiment), tolerance=TOLERANCE)

    seconds, found = in_turns({"jaxsim": ours, "mdpax": theirs}, repeats)
    costs = {
        "jaxsim_cost": chain_of(product, found["jaxsim"][0].order).average(),
        "mdpax_cost": chain_of(product, found["mdpax"][0]).average(),
    }
    first = theirs.first_seconds[1:]
    later = [each - start for each, start in zip(seconds["mdpax"], first, strict=True)]
    return {
        "kind": "perishable values",
        "shelf_life": shelf_life,
        "experiment": experiment,
        "states": len(product.position),
        "jaxsim_seconds": float(np.median(seconds["jaxsim"])),
        "mdpax_seconds": float(np.median(later)),
        "mdpax_compile_seconds": float(np.median(first)),
        "mdpax_updates": theirs.updates,
        **ratio_of(later, seconds["jaxsim"]),
        **costs,
    }


def main() -> None:
    size = settings()
    rows = [row_of(*each, size["repeats"]) for each in size["products"]]
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
