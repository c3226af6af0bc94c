"""How close a policy is to the exact one: in profit, decisions, and responses to stock."""

from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray
from scipy import stats

from agents.evaluation.simulation import profit_per_period, simulate
from jaxsim.exact.policy import ExactPolicy
from jaxsim.params import Params
from jaxsim.records import Action
from jaxsim.responses import CrossResponse, cross_response, decisions, warmed
from jaxsim.rollouts import Policy, Stores

CLEARLY = 5.0
"""Standard errors from 0 at which the sign of an exact response counts as known."""


@dataclass(frozen=True)
class Agreement:
    """A policy compared with the exact one on the same customers."""

    gap_percent: float  # of profit per period below the exact policy's
    gap_error: float  # standard error of the gap over stores
    same_slate: float  # share of segments and visited states that are shown the same slate
    order_correlation: float  # Spearman's, of orders over visited states, mean over products
    order_distance: float  # mean absolute difference of orders, units
    same_signs: float  # share of clear exact responses to one more unit that have the same sign


def agreement(
    key: PRNGKeyArray,
    policy: Policy,
    exact: ExactPolicy,
    params: Params,
    stores: int = 1024,
    periods: int = 1000,
    burn_in: int = 100,
) -> Agreement:
    """Compares profits over `periods` after `burn_in`, and decisions in the states that `stores`
    under `policy` are in after `burn_in`."""
    money_key, state_key, response_key = jax.random.split(key, 3)
    earned, best = (
        profit_per_period(simulate(money_key, each, params, stores, periods, burn_in), periods)
        for each in (policy, exact)
    )
    short = 100 * (best - earned) / abs(best.mean())
    mine, right = jax.device_get(both_decisions(state_key, policy, exact, params, stores, burn_in))
    return Agreement(
        gap_percent=float(short.mean()),
        gap_error=float(stats.sem(short)),
        same_slate=float((mine.slate == right.slate).all(-1).mean()),
        order_correlation=_rank_correlation(mine.order, right.order),
        order_distance=float(np.abs(mine.order - right.order).mean()),
        same_signs=_same_signs(
            *(cross_response(response_key, each, params, stores) for each in (policy, exact))
        ),
    )


@partial(jax.jit, static_argnames=("stores", "burn_in"))
def both_decisions(
    key: PRNGKeyArray,
    policy: Policy,
    exact: ExactPolicy,
    params: Params,
    stores: int,
    burn_in: int,
) -> tuple[Action, Action]:
    """What both decide in the states that `policy` leads to; leading axis stores."""
    reached = warmed(key, policy, params, stores, burn_in)
    mine = decisions(key, policy, params, reached, burn_in)
    return mine, decisions(key, exact, params, Stores(reached.state, ()), burn_in)


def _rank_correlation(mine: Array, right: Array) -> float:
    """Spearman's correlation, mean over products whose orders vary under both; 1 without any."""
    found = [
        float(stats.spearmanr(left, truth).statistic)
        for left, truth in zip(mine.T, right.T, strict=True)
        if np.ptp(left) > 0 and np.ptp(truth) > 0
    ]
    return float(np.mean(found)) if found else 1.0


def _same_signs(mine: CrossResponse, right: CrossResponse) -> float:
    """1 where no exact response is clear."""
    clear = [
        (np.sign(found.mean) == np.sign(truth.mean))[np.abs(truth.mean) > CLEARLY * truth.error]
        for found, truth in zip(vars(mine).values(), vars(right).values(), strict=True)
    ]
    same = np.concatenate(clear)
    return float(same.mean()) if len(same) else 1.0
