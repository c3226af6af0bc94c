"""What a store can earn at most: a proven bound, and the optimum where the store is solved."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from jaxsim.exact.policy import solved
from jaxsim.exact.upper_bound import upper_bound
from jaxsim.scenarios.scenario import Scenario


def bounds_of(stores: Iterable[Scenario]) -> pd.DataFrame:
    """A row per store, money per period: scenario, upper_bound, and optimum, NaN where the store
    is not solved. Raises `ExactError`."""
    rows = []
    for store in stores:
        best = solved(store.params())
        optimum = np.nan if best is None else best.profit
        bound = upper_bound(store.params()).profit
        rows.append({"scenario": store.name, "upper_bound": bound, "optimum": optimum})
    return pd.DataFrame(rows)
