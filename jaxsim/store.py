"""One period of one store: order, demand, fulfil, expire, evolve, receive, account.

A `State` is what policies decide on, so `step` begins after the decision and ends with the next
morning's receipts. Pure functions of one store; `jax.vmap` makes thousands of them. Equations:
docs/model.md, this project's model after the idea of Jiang et al. (arXiv 2510.04272).
"""

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, PRNGKeyArray

from jaxsim import ageing, choice, families, redraw, sampling, slopes
from jaxsim.params import Params
from jaxsim.records import Action, Chance, Flows, State


class Demand(struct.PyTreeNode):
    """First-choice demand of a period, and what second choices depend on."""

    asked: Float[Array, " N"]  # units of first-choice demand
    attention: Float[Array, "K N"]
    weights: Float[Array, "K N"]  # MNL weights
    rates: Float[Array, "K N"]  # its mean, of customers of segment k whose first choice is i
    turned_away: Float[Array, "K N"]  # mean units of those who want i and leave as it is hidden
    # For slopes alone: rates as if hidden products were on offer (`jaxsim.slopes`), and zeros whose
    # slope is what other slates would change, in units (`jaxsim.redraw`).
    on_offer: Float[Array, "K N"]
    more_asked: Float[Array, " N"] | float
    more_served: Float[Array, " N"]


def reset(key: PRNGKeyArray, params: Params) -> State:
    """A store in operation, in a random period of its season: mean demand in every pipeline row
    within the lead time, and that of a review interval and one period more on hand."""
    lead_rows = jnp.arange(params.max_lead_time)[:, None] < params.lead_time[None]
    n, k = params.products, params.segments
    shares = choice.choice_shares(jnp.exp(params.utility), jnp.ones(n), params.needs)
    level = (params.arrivals * params.season.mean(-1)) @ shares * params.batch
    state = State(
        on_hand=jnp.ceil(level * (params.review + 1)),
        pipeline=jnp.where(lead_rows, jnp.round(level), 0.0),
        backlog=jnp.zeros(n),
        market=jnp.zeros(()),
        goodwill=jnp.ones(k),
        fatigue=jnp.zeros((k, n)),
        forecast=level,
        sold=jnp.round(level),
        lost=jnp.zeros(n),
        period=jax.random.randint(key, (), 0, params.season_length),
        expiring=jnp.zeros((params.max_shelf_life, n)) if params.ages else None,
    )
    return ageing.shelve(state, params) if params.ages else state


def draw(key: PRNGKeyArray, params: Params) -> Chance:
    """The chance of one period, independent of state and action."""
    n = params.products
    ages, in_batches = int(params.ages), families.get(params.family).in_batches
    uniforms = sampling.open_uniform(key, ((3 + ages + 2 * in_batches) * n + 2,))
    rest = uniforms[3 * n + 2 :]
    return Chance(
        demand=uniforms[:n],
        shock=sampling.standard_normal(uniforms[n : 2 * n]),
        stall=sampling.unit_interval(uniforms[2 * n : 3 * n]),
        market=sampling.standard_normal(uniforms[3 * n]),
        spill=sampling.unit_interval(uniforms[3 * n + 1]),
        fresh=sampling.unit_interval(rest[:n]) if ages else None,
        batches=rest[ages * n :].reshape(2, n) if in_batches else None,
    )


def step(key: PRNGKeyArray, state: State, action: Action, params: Params) -> tuple[State, Flows]:
    """One period of one store: the next state and the ledger.

    The customers depend on `key` alone. There is no terminal state: truncate outside.
    """
    return advance(draw(key, params), state, action, params)


def advance(chance: Chance, state: State, action: Action, params: Params) -> tuple[State, Flows]:
    """One period with given chance: a deterministic function."""
    state, ordered, early, served_early = order(state, action, params)
    demanded = demand(chance, state, action, params)
    left, backlog, flows = fulfil(chance, state, demanded, params)
    expiring = None
    if params.ages:
        left, expiring, flows = ageing.expire(chance, state, left, flows, params)
    next_state = evolve(chance, state, demanded, flows, params)
    next_state = next_state.replace(on_hand=left, backlog=backlog, expiring=expiring)
    next_state, late, served_late = receive(chance, next_state, params)
    flows = flows.replace(
        ordered=ordered, received=early + late, backlog_served=served_early + served_late
    )
    return next_state, account(flows, params)


def receive(
    chance: Chance, state: State, params: Params
) -> tuple[State, Float[Array, " N"], Float[Array, " N"]]:
    """The first pipeline row arrives and the rest move up, by product, unless its supplier stalls.

    Returns the state, units received and units of backlog served [N].
    """
    moves = chance.stall >= params.stall
    arriving = jnp.where(moves, state.pipeline[0], 0.0)
    moved = jnp.concatenate([state.pipeline[1:], jnp.zeros_like(state.pipeline[:1])])
    state = state.replace(pipeline=jnp.where(moves, moved, state.pipeline))
    state, served = _put_on_hand(state, arriving, params)
    return state, arriving, served


def order(
    state: State, action: Action, params: Params
) -> tuple[State, Float[Array, " N"], Float[Array, " N"], Float[Array, " N"]]:
    """Places orders: whole packs, at most `order_cap`, in review periods only. With a lead time of
    0 they are on hand at once.

    Returns the state, units ordered, units received at once and units of backlog these served [N].
    """
    due = state.period % params.review == 0
    units = params.pack * slopes.whole_units(action.order / params.pack)
    units = jnp.clip(units, 0.0, params.order_cap)
    ordered = jnp.where(due, units, 0.0)
    row = jnp.arange(1, params.max_lead_time + 1)[:, None] == params.lead_time[None]
    state = state.replace(pipeline=state.pipeline + jnp.where(row, ordered, 0.0))
    at_once = jnp.where(params.lead_time == 0, ordered, 0.0)
    state, served = _put_on_hand(state, at_once, params)
    return state, ordered, at_once, served


def demand(chance: Chance, state: State, action: Action, params: Params) -> Demand:
    """First-choice demand D_i ~ family(Σ_k λ_k season_k e^m g_k P_ki · batch_i · shock_i)."""
    attention = choice.attention_of(action.slate, params)
    weights = choice.weights_of(attention, state.fatigue, params)
    available = jnp.where(params.hide_stockouts, slopes.present(state.on_hand), 1.0)
    shares = choice.choice_shares(weights, available, params.needs)
    arrivals = params.arrivals * choice.season_now(state.period, params)
    arrivals = arrivals * choice.market_factor(state.market, state.goodwill)
    wants = arrivals[:, None] * params.batch[None]  # units, were it everybody's choice
    rates = wants * shares
    shock = sampling.mean_one_lognormal(chance.shock, params.demand_noise)
    mean = rates.sum(0) * shock
    if chance.more is not None:
        mean = jnp.maximum(mean + chance.more, 0.0)
    asked = _drawn(chance, mean, params)
    entering = choice.entering_share(weights, available, params.needs)
    plain = choice.weights_of(jnp.zeros_like(attention), state.fatigue, params) * available[None]
    more_rates, more_served = redraw.expected(
        action, plain, arrivals, (state.on_hand - asked) / shock, params
    )
    return Demand(
        asked=asked,
        attention=attention + redraw.attention(action, params),
        weights=weights,
        turned_away=wants * choice.turned_away(weights, available, shares, params.needs),
        rates=rates + more_rates,
        on_offer=jnp.where(available > 0, rates, wants * entering * shock[None]),
        more_asked=jnp.sum(more_rates, 0) * shock if action.draws is not None else 0.0,
        more_served=more_served * shock,
    )


def fulfil(
    chance: Chance, state: State, demanded: Demand, params: Params
) -> tuple[Float[Array, " N"], Float[Array, " N"], Flows]:
    """First-choice demand is served from stock; unmet demand waits, or chooses once more among what
    is left, or is lost.

    Returns on-hand and backlog after the period's sales [N], and the ledger of units so far.
    """
    first = slopes.chance_of_one(demanded.on_offer.sum(0), params.dispersion)
    first = first * params.hide_stockouts
    served = slopes.sales(demanded.asked, state.on_hand, first) + demanded.more_served
    asked = demanded.asked + demanded.more_asked
    unmet, left = asked - served, state.on_hand - served
    waiting = jnp.where(params.backlogged, unmet, 0.0)
    not_waiting = unmet - waiting
    substituted = _substitute(chance, demanded, not_waiting, left, params)
    left = left - substituted
    # Customers who bought a second choice, by their first one.
    sums = params.needs.sums
    share = sums(substituted) / jnp.maximum(sums(not_waiting), 1.0)
    recovered = _whole(chance, not_waiting * share, substituted, params)
    lost = not_waiting - recovered
    backlog = state.backlog + waiting
    zeros = jnp.zeros_like(served)
    shown = (demanded.rates * (demanded.attention > 0)).sum(0)
    flows = Flows(
        **dict.fromkeys(_FILLED_LATER, zeros),
        offered=jnp.where(state.on_hand > 0, 1.0, 0.0),
        asked=asked,
        served=served,
        substituted=substituted,
        waiting=waiting,
        lost=lost,
        missed=lost + demanded.turned_away.sum(0),
        left=left,
        backlog=backlog,
        attention=choice.mean_over_customers(demanded.attention, params),
        shown_sold=served * _ratio(shown, demanded.rates.sum(0)),
    )
    return left, backlog, flows


def second_choices(
    demanded: Demand, not_waiting: Float[Array, " N"], left: Float[Array, " N"], params: Params
) -> Float[Array, " N"]:
    """Expected units that unmet demand buys instead: with probability `substitution` a customer
    chooses once more, by the same MNL, among what is left of the category."""
    second = choice.choice_shares(demanded.weights, slopes.present(left), params.needs)
    return params.substitution * (_seekers(demanded, not_waiting, params) * second).sum(0)


def account(flows: Flows, params: Params) -> Flows:
    """The money of a period: Σ p·sales − c·q − f·1{q>0} − h·left − b·(missed or waiting)
    − disposal·wasted, less overflow·(Σ volume·left − capacity)⁺ for what does not fit the
    warehouse."""
    sold = flows.served + flows.substituted + flows.backlog_served
    room = params.volume * flows.left
    beyond = jnp.maximum(room.sum() - params.capacity, 0.0)
    revenue = params.price * sold
    purchase = params.cost * flows.ordered
    order_cost = params.order_cost * (flows.ordered > 0)
    holding = params.holding * flows.left
    missed = jnp.where(params.charge_missed, flows.missed, flows.lost)
    penalty = params.penalty * (missed + flows.backlog)
    disposal = params.disposal * flows.wasted if params.ages else jnp.zeros_like(revenue)
    overflow = params.overflow * beyond * _ratio(room, room.sum())
    return flows.replace(
        sold=sold,
        revenue=revenue,
        purchase=purchase,
        order_cost=order_cost,
        holding=holding,
        penalty=penalty,
        overflow=overflow,
        disposal=disposal,
        profit=revenue - purchase - order_cost - holding - penalty - overflow - disposal,
    )


def profit_on_sale(flows: Flows, params: Params) -> Float[Array, "*batch N"]:
    """Profit with each unit's cost charged when it is sold, or wasted, instead of when it is
    ordered.

    Stock is carried at cost, a potential: the average profit and the best policy are the same
    (Ng, Harada and Russell, 1999), but an order no longer looks like a loss until it sells.
    """
    kept = flows.ordered - flows.sold - flows.wasted
    return flows.profit + jnp.broadcast_to(params.cost, kept.shape) * kept


def evolve(chance: Chance, state: State, demanded: Demand, flows: Flows, params: Params) -> State:
    """Market state, goodwill, fatigue and demand forecast of the next period, and what both
    departments see of this one (`sold`, `lost`)."""
    market = params.market_persistence * state.market + params.market_noise * chance.market
    fill = slopes.fill_rate(flows.served, flows.asked)
    turned_away = jnp.where(params.charge_missed, demanded.turned_away.sum(-1), 0.0)
    came = demanded.rates.sum(-1) + turned_away
    fill_of_segment = _ratio((demanded.rates * fill[None]).sum(-1), came, empty=1.0)
    goodwill = state.goodwill + params.goodwill_rate * (fill_of_segment - params.goodwill_target)
    memory = params.fatigue_memory
    return state.replace(
        market=market,
        goodwill=jnp.clip(goodwill, params.goodwill_floor, params.goodwill_ceiling),
        fatigue=memory * state.fatigue + (1 - memory) * demanded.attention,
        forecast=_update_forecast(state, flows.asked, params),
        sold=flows.served + flows.substituted,
        lost=flows.lost,
        period=state.period + 1,
    )


def season_index(params: Params) -> Float[Array, " C"]:
    """Mean arrivals of each period of the season over their average."""
    arrivals = params.arrivals @ params.season
    return arrivals / jnp.maximum(arrivals.mean(), 1e-9)


_FILLED_LATER = (
    "ordered", "received", "backlog_served", "sold", "revenue", "purchase", "order_cost",
    "holding", "penalty", "overflow", "disposal", "wasted", "profit",
)  # fmt: skip


def _put_on_hand(
    state: State, units: Float[Array, " N"], params: Params
) -> tuple[State, Float[Array, " N"]]:
    """Adds units to stock and serves the backlog; returns the state and the units served."""
    stock = state.on_hand + units
    served = jnp.minimum(stock, state.backlog)
    state = state.replace(on_hand=stock - served, backlog=state.backlog - served)
    return ageing.shelve(state, params) if params.ages else state, served


def _substitute(
    chance: Chance,
    demanded: Demand,
    not_waiting: Float[Array, " N"],
    left: Float[Array, " N"],
    params: Params,
) -> Float[Array, " N"]:
    """Units sold as second choices: whole units, at most what is left."""
    flows = second_choices(demanded, not_waiting, left, params)
    wanted = _whole(chance, flows, not_waiting, params)
    seekers = _seekers(demanded, not_waiting, params)
    entering = choice.entering_share(demanded.weights, slopes.present(left), params.needs)
    first = slopes.chance_of_one(params.substitution * (seekers * entering).sum(0))
    return slopes.sales(wanted, left, first)


def _seekers(
    demanded: Demand, not_waiting: Float[Array, " N"], params: Params
) -> Float[Array, "K _"]:
    """Units of unmet demand by segment and category: see `jaxsim.needs` for the last axis."""
    of_first = slopes.shared_out(demanded.rates, demanded.on_offer, not_waiting)
    return params.needs.sums(of_first)


def _whole(
    chance: Chance, flows: Float[Array, " N"], units: Float[Array, " N"], params: Params
) -> Float[Array, " N"]:
    """Whole customers with these expectations, in each category no more than its `units`."""
    needs = params.needs
    return slopes.counts(chance.spill, flows, needs.sums(units), needs.together)


def _drawn(chance: Chance, mean: Float[Array, " N"], params: Params) -> Float[Array, " N"]:
    """Whole units of first-choice demand with these means."""
    inverse = families.get(params.family).inverse
    if chance.batches is None:
        return slopes.drawn(inverse, chance.demand, mean)
    uniforms = jnp.concatenate([chance.demand[None], chance.batches])
    return slopes.drawn(inverse, uniforms, mean, params.dispersion)


def _update_forecast(state: State, asked: Float[Array, " N"], params: Params) -> Float[Array, " N"]:
    """Exponentially weighted mean of deseasoned first-choice demand. A product that could not be
    chosen (hidden while sold out, or no arrivals in this season) keeps its estimate."""
    index = season_index(params)[state.period % params.season_length]
    seen = (index > 0) & ~(params.hide_stockouts & (state.on_hand <= 0))
    news = asked / jnp.where(index > 0, index, 1.0) - state.forecast
    return state.forecast + (1 - params.forecast_memory) * jnp.where(seen, news, 0.0)


def _ratio(part: Array, whole: Array, empty: float = 0.0) -> Array:
    """part / whole, and `empty` where the whole is 0."""
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1.0), empty)
