"""What the report shows of a policy at work: one store's time, responses, and where slates switch.

Everything is simulated or solved anew from the policy; nothing here reads a run folder.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from agents.evaluation.responses import Answer, impulse_response, shock_of
from agents.evaluation.trajectories import DAYS, record
from agents.policies.exact_policy import solved
from agents.report.data import Answers, Line, Responses, Scenes, Story, Switching
from agents.theory.structure import shown_first, visited
from jaxsim import choice
from jaxsim.exact.optimum import Optimum
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.rollout import Policy, Trajectory
from jaxsim.scenarios.scenario import Scenario

PLAYED = 40
"""Products that it shows at most: those that sell most."""
RESPONDING = 4
"""Products whose responses are shown, those that sell most."""
RESPONSE_STORES = 1024


def scenes_of(
    key: PRNGKeyArray,
    policies: Mapping[str, Policy],
    scenario: Scenario,
    burn_in: int,
) -> Scenes:
    """Scenes of the first policy; beside its story, those of the others on the same customers."""
    params = scenario.params()
    traces = {
        name: jax.device_get(record(key, policy, params, DAYS, burn_in))
        for name, policy in policies.items()
    }
    shown, policy = next(iter(policies.items()))
    sales = np.asarray(traces[shown].flows.sold).sum(0)
    return Scenes(
        shown=shown,
        stories=[story_of(name, trace, scenario, sales) for name, trace in traces.items()],
        responses=responses_of(key, policy, scenario, sales),
        switching=switching_of(policy, scenario, traces[shown]),
    )


def story_of(
    decided_by: str, trace: Trajectory, scenario: Scenario, sales: Float[Array, " N"]
) -> Story:
    """One store's time under one policy, of the products that sell most according to `sales`."""
    params, flows = scenario.params(), trace.flows
    shown = _best_sellers(sales, PLAYED)
    attention = jax.vmap(choice.attention_of, (0, None))(trace.action.slate, params)
    units = lambda leaf: np.asarray(leaf)[..., shown].astype(int).tolist()  # noqa: E731
    return Story(
        decided_by=decided_by,
        products=[scenario.products[each] for each in shown],
        segments=list(scenario.segments),
        first_day=int(trace.state.period[0]),
        on_hand=units(trace.state.on_hand),
        pipeline=units(trace.state.pipeline),
        ordered=units(flows.ordered),
        sold=units(flows.sold),
        turned_away=units(flows.lost + flows.waiting),
        attention=np.round(np.asarray(attention)[..., shown], 2).tolist(),
        mean_attention=np.round(np.asarray(flows.attention)[..., shown], 3).tolist(),
    )


def responses_of(
    key: PRNGKeyArray, policy: Policy, scenario: Scenario, sales: Float[Array, " N"]
) -> Responses:
    """What one more unit of stock of i does to attention and orders of all those shown, by lag.

    `sales` says which products sell most.
    """
    params = scenario.params()
    chosen = _best_sellers(sales, RESPONDING)
    names = [scenario.products[each] for each in chosen]
    lags = max(6, 2 * int(params.lead_time.max()))
    answers = []
    for product in chosen:
        shock = shock_of(params, "overstock", product)
        found = impulse_response(key, policy, params, shock, lags, RESPONSE_STORES)
        own_first = sorted(zip(chosen, names, strict=True), key=lambda each: each[0] != product)
        answers.append(
            Answers(
                happened=f"one more unit of {scenario.products[product]}",
                attention=[_line(found.attention, *each) for each in own_first],
                orders=[_line(found.ordered, *each) for each in own_first],
            )
        )
    return Responses(stores=RESPONSE_STORES, answers=answers)


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
    known: dict[str, Any] = dict.fromkeys(("exact", "visited", "same", "optimal_profit"))
    if exact is not None:
        right, seen = (
            table[: most[0], : most[1]] for table in (shown_first(exact), visited(exact))
        )
        known = {
            "exact": right.tolist(),
            "visited": seen.tolist(),
            "same": (learned == right)[seen].mean(0).tolist(),
            "optimal_profit": exact.profit,
        }
    return Switching(
        products=list(scenario.products),
        segments=list(scenario.segments),
        learned=learned.tolist(),
        **known,
    )


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
    shares = choice.choice_shares(jnp.exp(params.utility), jnp.ones(2), params.no_purchase)
    daily = np.asarray(params.arrivals @ shares)
    first, second = np.clip(np.ceil(daily * (2 + params.lead_time + params.review)), 4, 40)
    return int(first) + 1, int(second) + 1


def _line(answer: Answer, product: int, name: str) -> Line:
    mean, error = (np.asarray(each)[:, product] for each in (answer.mean, answer.error))
    return Line(name, np.round(mean, 4).tolist(), np.round(2 * error, 4).tolist())


def _best_sellers(sales: np.ndarray, most: int) -> list[int]:
    """Indices of the products that sold most, in the order of the catalogue."""
    return sorted(np.argsort(-sales, kind="stable")[:most].tolist())
