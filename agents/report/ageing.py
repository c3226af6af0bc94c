"""What the player shows of goods that age: stock by age, waste, and who was shown what was about to
expire."""

from typing import Any

import numpy as np
from jaxtyping import Float

from jaxsim.params import Params
from jaxsim.rollouts import Trajectory

BANDS = ("last day", "1 day more", "2 days more")
"""Stock by the days that are left to it; what keeps longer is one band more."""
LONGER = "longer"


def ageing_of(trace: Trajectory, params: Params, shown: list[int]) -> dict[str, Any]:
    """One store of goods that age, T periods, for the player. Units of the N products `shown`:
    `by_age` (T, B, N), on hand when deciding, in B `bands`, the oldest first; `last_day` (T, N),
    that can be sold in the period for the last time; `wasted` (T, N). Units of all products (T), in
    `ending`: those on their last day that were sold to customers who were shown the product
    (`shown`, expected), `sold` to others, or `wasted`. `told` is what that adds up to, in words."""
    wasted, last_day = np.asarray(trace.flows.wasted), _last_day(trace, params)
    sold, to_shown = last_day - wasted, _shown_share(trace) * (last_day - wasted)
    bands = BANDS[: max(params.max_shelf_life - 1, 1)]
    rows = np.asarray(trace.state.expiring)[:, : len(bands)]
    longer = np.asarray(trace.state.on_hand) - rows.sum(1)
    by_age = np.concatenate([rows, longer[:, None]], 1)
    ending = {"shown": to_shown, "sold": sold - to_shown, "wasted": wasted}
    return {
        "bands": [*bands, LONGER],
        "by_age": by_age[..., shown].astype(int).tolist(),
        "last_day": last_day[:, shown].astype(int).tolist(),
        "wasted": wasted[:, shown].astype(int).tolist(),
        "ending": {name: units.sum(1).round(2).tolist() for name, units in ending.items()},
        "told": _told(last_day.sum(), sold.sum(), to_shown.sum(), _share_of_sales(trace)),
    }


def _last_day(trace: Trajectory, params: Params) -> Float[np.ndarray, "T N"]:
    """Units that are wasted in the evening if not sold: those of the morning, and today's order
    where it arrives at once and cannot be kept overnight."""
    assert trace.state.expiring is not None
    flows, fresh = trace.flows, (params.shelf_life - params.arrival_age == 1)
    at_once = np.asarray(fresh & (params.lead_time == 0)) * (flows.received - flows.backlog_served)
    return np.asarray(trace.state.expiring[:, 0] + at_once)


def _shown_share(trace: Trajectory) -> Float[np.ndarray, "T N"]:
    """Of a product's sales of a day, those to customers who were shown it; expected."""
    sold = np.asarray(trace.flows.sold)
    return np.asarray(trace.flows.shown_sold) / np.maximum(sold, 1)


def _share_of_sales(trace: Trajectory) -> float:
    sold = np.asarray(trace.flows.sold).sum()
    return float(np.asarray(trace.flows.shown_sold).sum() / max(sold, 1))


def _told(due: float, sold: float, to_shown: float, usual: float) -> str:
    """`usual`: of all sales, the share to customers who were shown the product."""
    if due == 0:
        return "no unit reached its last day."
    told = f"of {due:,.0f} units on their last day, {sold:,.0f} were sold"
    if sold > 0:
        shares = f"{100 * to_shown / sold:.0f}\u00a0%; of all sales {100 * usual:.0f}\u00a0%"
        told += f", about {to_shown:,.0f} of them shown to the buyer ({shares})"
    return f"{told}, and {due - sold:,.0f} were thrown away."
