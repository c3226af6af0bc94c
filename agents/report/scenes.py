"""What the report shows of a policy at work: one store's time, responses, and where slates switch.

Everything is simulated or solved anew from the policy; nothing here reads a run folder.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from agents.evaluation.prices import stock_prices_along
from agents.evaluation.trajectories import DAYS, record
from agents.learning import compilation
from agents.report.ageing import ageing_of
from agents.report.figures import Chart
from agents.report.pictures import best_sellers, price_charts, response_chart
from jaxsim import choice
from jaxsim.exact.optimum import Optimum
from jaxsim.exact.policy import solved
from jaxsim.exact.structure import shown_first, visited
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.responses import impulse_response, shock_of
from jaxsim.rollouts import Policy, Trajectory
from jaxsim.scenarios.scenario import Scenario

PLAYED = 40
"""Products that the player shows at most: those that sell most."""
RESPONDING = 4
"""Products whose responses are shown, those that sell most."""
RESPONSE_STORES = 512
PRICED = 2
"""Products whose prices are shown over one store's time, those that sell most."""


@dataclass(frozen=True)
class Switching:
    """Who is shown first to each of K segments, by the stocks X of two products: 0 or 1."""

    learned: Int[np.ndarray, "X1 X2 K"]
    exact: Int[np.ndarray, "X1 X2 K"] | None = None  # where the solver takes the store
    visited: Bool[np.ndarray, "X1 X2"] | None = None  # by the exact policy
    same: Float[np.ndarray, " K"] | None = None  # share of visited stocks with the same first
    optimal_profit: float | None = None  # money per period


@dataclass(frozen=True)
class Scenes:
    """One training's policy at work."""

    stories: list[dict[str, Any]]  # as from `story_of`
    prices: dict[str, list[Chart]]  # charts of one store's time, by product
    responses: dict[str, list[Chart]]  # charts by what happened
    stores: int  # over which responses are measured
    switching: Switching | None


def scenes_of(
    key: PRNGKeyArray, policies: Mapping[str, Policy], scenario: Scenario, burn_in: int
) -> Scenes:
    """Scenes of the first policy; beside its story, those of the others on the same customers."""
    params, (shown, policy) = scenario.params(), next(iter(policies.items()))
    recorded = compilation.soon(record, periods=DAYS, burn_in=burn_in)
    along = compilation.soon(stock_prices_along, periods=DAYS, burn_in=burn_in)

    def traced(each: Policy) -> Trajectory:
        return jax.device_get(recorded(key, each, params))

    with ThreadPoolExecutor() as pool:  # nearly all of the time is compilation, on a core for each
        worth = pool.submit(along, key, policy, params)
        traces = dict(zip(policies, pool.map(traced, policies.values()), strict=True))
        sales = np.asarray(traces[shown].flows.sold).sum(0)
        responses = responses_of(key, policy, scenario, best_sellers(sales, RESPONDING))
        prices = prices_of(np.asarray(worth.result()), scenario, traces[shown])
    return Scenes(
        stories=[story_of(name, trace, scenario, sales) for name, trace in traces.items()],
        prices=prices,
        responses=responses,
        stores=RESPONSE_STORES,
        switching=switching_of(policy, scenario, traces[shown]),
    )


def story_of(
    decided_by: str, trace: Trajectory, scenario: Scenario, sales: Float[np.ndarray, " N"]
) -> dict[str, Any]:
    """One store under one policy, for the player: T periods of the N products that sell most
    according to `sales`. Units when deciding: `on_hand` (T, N) and `pipeline` (T, L, N), whose row
    l arrives l + 1 receipts from now. Units of the period: `ordered`, `sold`, and `turned_away`,
    lost or now waiting. `attention` (T, K, N) by segment, and its mean over customers, are from 0
    to 1. `ageing`, as from `ageing_of`, where goods age."""
    flows, shown, params = trace.flows, best_sellers(sales, PLAYED), scenario.params()
    attention = jax.vmap(choice.attention_of, (0, None))(trace.action.slate, params)
    units = {
        "on_hand": trace.state.on_hand,
        "pipeline": trace.state.pipeline,
        "ordered": flows.ordered,
        "sold": flows.sold,
        "turned_away": flows.lost + flows.waiting,
    }
    shares = {"attention": attention, "mean_attention": flows.attention}
    return {
        "decided_by": decided_by,
        "products": [scenario.products[each] for each in shown],
        "segments": list(scenario.segments),
        **{name: np.asarray(leaf)[..., shown].astype(int).tolist() for name, leaf in units.items()},
        **{
            name: np.asarray(leaf, float)[..., shown].round(3).tolist()
            for name, leaf in shares.items()
        },
        **({"ageing": ageing_of(trace, params, shown)} if params.ages else {}),
    }


def prices_of(
    worth: Float[np.ndarray, "T N"], scenario: Scenario, trace: Trajectory
) -> dict[str, list[Chart]]:
    """What a unit of stock was worth in one store's time, as from `stock_prices_along`, and what
    was ordered and shown meanwhile, by product. `trace` as `record` makes it of the same time."""
    params = scenario.params()
    shown = best_sellers(np.asarray(trace.flows.sold).sum(0), PRICED)
    return {
        scenario.products[each]: price_charts(
            each, worth[:, each], float(params.price[each]), float(params.cost[each]), trace.flows
        )
        for each in shown
    }


def responses_of(
    key: PRNGKeyArray, policy: Policy, scenario: Scenario, products: list[int]
) -> dict[str, list[Chart]]:
    """What one more unit of each of these products does to attention and orders of all of them, by
    what happened."""
    params = scenario.params()
    lags = max(6, 2 * int(params.lead_time.max()))
    responds = compilation.soon(impulse_response, lags=lags, stores=RESPONSE_STORES)
    charts = {}
    for product in products:
        shock = shock_of(params, "overstock", product)
        found = jax.device_get(responds(key, policy, params, shock))
        own_first = sorted(products, key=lambda each: each != product)
        attention, orders = "attention (share of customers)", "orders (units)"
        answers = {attention: found.attention, orders: found.ordered}
        charts[f"one more unit of {scenario.products[product]}"] = [
            response_chart(
                f"{what} {product}", what, scenario.products, own_first, answer.mean, answer.error
            )
            for what, answer in answers.items()
        ]
    return charts


def switching_of(policy: Policy, scenario: Scenario, trace: Trajectory) -> Switching | None:
    """Who is shown first to each segment by the stock of both, for a store of two products, and the
    exact policy where the solver takes the store quickly. All else is as on the last day of
    `trace`, and the policy's memory as at its start."""
    params = scenario.params()
    if params.products != 2:
        return None
    exact = solved(params)
    most = _most_stock(params, exact)
    last = jax.tree.map(lambda leaf: leaf[-1], trace.state)
    learned = np.asarray(_shown_by_stock(policy, params, last, most))
    if exact is None:
        return Switching(learned)
    right, seen = (table[: most[0], : most[1]] for table in (shown_first(exact), visited(exact)))
    return Switching(learned, right, seen, (learned == right)[seen].mean(0), exact.profit)


@partial(jax.jit, static_argnames="most")
def _shown_by_stock(policy: Policy, params: Params, state: State, most: tuple[int, int]) -> Array:
    """The product in the first place of each segment's slate, by what is on hand of both:
    (X1, X2, K)."""

    def shown(on_hand: Float[Array, " 2"]) -> Array:
        seen = state.replace(on_hand=on_hand, backlog=jnp.zeros(2))
        return policy.act(jax.random.key(0), policy.start(params), seen, params)[0].slate[:, 0]

    stocks = jnp.stack(jnp.meshgrid(*(jnp.arange(1.0 * m) for m in most), indexing="ij"), -1)
    return jax.vmap(jax.vmap(shown))(stocks)


def _most_stock(params: Params, exact: Optimum | None) -> tuple[int, int]:
    """Stocks of both to draw up to: what the exact policy visits, else a week of mean demand."""
    if exact is not None:
        first, second = (1 + np.max(np.nonzero(visited(exact)), axis=1)).tolist()
        return first + 1, second + 1
    shares = choice.choice_shares(jnp.exp(params.utility), jnp.ones(2), params.needs)
    daily = np.asarray(params.arrivals @ shares * params.batch)
    first, second = np.clip(np.ceil(daily * (2 + params.lead_time + params.review)), 4, 40)
    return int(first) + 1, int(second) + 1
