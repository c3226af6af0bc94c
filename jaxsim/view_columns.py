"""The columns of each department's view in words, in the order of `jaxsim.views`."""

from jaxsim.params import Params

_MONEY = [
    "(price - cost) / price",
    "2 u / (u + holding) - 1, u = price - cost + penalty",
    "log(u / holding) / 4",
    "log u - mean of log u over products",
]
_CALENDAR = [
    "sin of the season's angle",
    "cos of the season's angle",
    "season index today - 1",
    "season index tomorrow - 1",
    "room taken / capacity, at most 2",
]
_EXPIRY = [
    *(f"expiring row {row} / (d + 1)" for row in (0, 1, 2)),
    "expiring rows below lead_time / (d + 1)",
    "(cost + disposal) / price",
]
COLUMNS = {
    "replenishment": {
        "product": [
            "(position - m) / sqrt(m + 1), m: forecast of lead time and review interval",
            "(on_hand - d) / sqrt(d + 1), d: forecast of today",
            *(f"pipeline row {row} / (d + 1)" for row in (0, 1, 2)),
            "pipeline rows from 3 on / (d + 1)",
            "backlog / (d + 1)",
            "log(forecast + 0.1)",
            "log(m + 0.1)",
            "sold / (d + 1)",
            "lost / (d + 1)",
            "fatigue, mean over customers",
            *_MONEY,
            "order_cost / (price - cost + price / 100) / (d + 1)",
            "lead_time / 4",
            "log review",
            "1 in review periods",
            "4 stall",
            "demand_noise + sqrt((dispersion - 1) / (d + 1))",
            "attention",
        ],
        "segment": [],
        "pair": [],
        "store": _CALENDAR,
    },
    "recommendation": {
        "product": [
            "(on_hand - d) / sqrt(d + 1), d: forecast of today",
            "on_hand / (d + 1) / 4",
            "1 if on hand",
            "pipeline row 0 / (d + 1)",
            "pipeline row 1 / (d + 1)",
            "log(forecast + 0.1)",
            *_MONEY,
            "lead_time / 4",
        ],
        "segment": [
            "log(goodwill + 0.01)",
            "customers today / mean over segments - 1",
            "lift",
            "log(no_purchase + 0.1)",
        ],
        "pair": [
            "utility - mean over products",
            "log(N * choice share with nothing shown + 0.01)",
            "fatigue",
        ],
        "store": _CALENDAR,
    },
}
"""By department and part of its `View`, in stores whose goods keep."""


def columns_of(department: str, params: Params) -> dict[str, list[str]]:
    """The columns of a department's view of this store, by part of its `View`."""
    columns = COLUMNS[department]
    if not params.ages:
        return columns
    *product, last = columns["product"]
    if department == "replenishment":  # today's attention comes last, after its whole view
        return columns | {"product": [*product, *_EXPIRY, last]}
    return columns | {"product": [*product, last, *_EXPIRY]}
