"""The conditions that the theory of two timescales puts on schedules (Borkar 1997)."""

from agents.errors import ScheduleError


def check(fast_exponent: float, slow_exponent: float, timescales: str) -> None:
    """Refuses exponents that break ½ < α < β ≤ 1, unless rates are asked to be constant.

    Raises `ScheduleError` naming the condition of two-timescale stochastic approximation broken.
    """
    if timescales == "constant":
        return
    alpha, beta = fast_exponent, slow_exponent
    if alpha <= 0.5:
        raise ScheduleError(
            f"fast_exponent: {alpha}; allowed: above 0.5, so that the sum of a_n² is finite"
        )
    if beta > 1:
        raise ScheduleError(
            f"slow_exponent: {beta}; allowed: at most 1, so that the sum of b_n is infinite"
        )
    if alpha >= beta:
        raise ScheduleError(
            f"slow_exponent: {beta} with fast_exponent {alpha}; allowed: slow above fast, so that "
            "b_n / a_n goes to 0"
        )
