"""What departments are rewarded with, by product: the store's profit, or each its own KPI."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsim.params import Params
from jaxsim.records import Flows


def money_scale(params: Params) -> Float[Array, ""]:
    """What a standard deviation of one product's daily demand is worth: the unit of rewards."""
    at_stake = params.price - params.cost + params.penalty + params.holding
    return at_stake.mean() * demand_spread(params) + 1e-6


def demand_spread(params: Params) -> Float[Array, ""]:
    """Standard deviation of a product's daily demand, were all in demand alike, in units."""
    level = params.arrivals.sum() * params.batch.mean() / params.products
    return jnp.sqrt(params.dispersion.mean() * level + 1.0)


def recommendation_kpi(flows: Flows, params: Params) -> Float[Array, "*batch N"]:
    """Gross margin of what customers ask for, stock ignored."""
    return jnp.broadcast_to(params.price - params.cost, flows.asked.shape) * flows.asked


def charged_margin(
    flows: Flows, prices: Float[Array, " N"], params: Params
) -> Float[Array, "*batch N"]:
    """Revenue of what customers take or wait for, less the price charged for each unit of stock."""
    taken = flows.served + flows.substituted + flows.waiting
    return jnp.broadcast_to(params.price - prices, taken.shape) * taken


def replenishment_kpi(flows: Flows, params: Params) -> Float[Array, "*batch N"]:
    """Margin of the first choices it serves, less holding, ordering, overflow, penalties and
    what is wasted, at cost and disposal.

    Where sold-out products can be asked for, this equals minus the cost and the lost margin, up to
    a term that the other department decides. Where they are hidden, a lost customer is not seen:
    a penalty on those that are seen would reward empty shelves.
    """
    served = flows.served + flows.backlog_served
    margin, cost = (
        jnp.broadcast_to(each, served.shape) for each in (params.price - params.cost, params.cost)
    )
    stock = flows.holding + flows.overflow + cost * flows.wasted + flows.disposal
    return margin * served - stock - flows.order_cost - flows.penalty
