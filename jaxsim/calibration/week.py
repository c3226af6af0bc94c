"""The weekdays on which a shop is closed."""

import numpy as np
from jaxtyping import Bool, Float, Int

WEEKDAYS = ["Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"]


def closed_weekdays(
    busy: Float[np.ndarray, " D"], weekday: Int[np.ndarray, " D"]
) -> Bool[np.ndarray, " 7"]:
    """True for the weekdays, Monday first, on which nothing happens as a rule: the median day has
    no visitors, or no purchases."""
    return weekday_medians(busy, weekday) == 0


def weekday_medians(
    busy: Float[np.ndarray, " D"], weekday: Int[np.ndarray, " D"]
) -> Float[np.ndarray, " 7"]:
    """Of the days of each weekday, Monday first; 0 where there is none."""
    days = (busy[weekday == day] for day in range(7))
    return np.array([np.median(each) if len(each) else 0.0 for each in days])


def named_weekdays(which: Bool[np.ndarray, " 7"]) -> str:
    """Saturdays and Sundays."""
    return " and ".join(name for name, chosen in zip(WEEKDAYS, which, strict=True) if chosen)
