"""The scenarios that are not fitted to data: classical problems, two small stores, a marketplace.

`python -m jaxsim.scenarios.generate` writes their files again, with the same numbers.
"""

from typing import Any

import numpy as np

from jaxsim.params import UNLIMITED
from jaxsim.scenarios import FOLDER
from jaxsim.scenarios.scenario import Scenario

SEED = 20251


def classical() -> list[Scenario]:
    """One product that everybody buys; price and cost are 0, so that profit is minus cost."""
    one: dict[str, Any] = dict(
        products=["item"], segments=["all"], price=0.0, cost=0.0, utility=[[0.0]], no_purchase=0.0,
        forecast_memory=0.99,
    )  # fmt: skip
    source = "Zipkin (2008), Old and new methods for lost-sales inventory systems"
    return [
        Scenario(
            name="newsvendor",
            about="Fresh start every day: lead time 0, Poisson(50), holding 0.18, lost sale 0.70.",
            holding=0.18, penalty=0.70, lead_time=0, max_lead_time=1, arrivals=50.0, **one,
        ),
        Scenario(
            name="backlog",
            about="Customers wait: Poisson(5), lead time 4, holding 1, waiting 4 per unit and day.",
            holding=1.0, penalty=4.0, lead_time=4, max_lead_time=4, arrivals=5.0, backlogged=True,
            **one,
        ),
        Scenario(
            name="lost-sales",
            about="Customers leave: Poisson(5), lead time 4, holding 1, lost sale 4.",
            sources=[source],
            holding=1.0, penalty=4.0, lead_time=4, max_lead_time=4, arrivals=5.0, **one,
        ),
    ]  # fmt: skip


def pair() -> Scenario:
    """Two products, two segments that each like one of them, one slot: solvable exactly."""
    return Scenario(
        name="pair",
        about="Two products, two segments, one slot, lead time 1: small enough to solve exactly.",
        max_lead_time=1,
        products=["left", "right"],
        segments=["likes left", "likes right"],
        price=[10.0, 10.0],
        cost=[7.0, 7.5],
        holding=0.3,
        lead_time=1,
        arrivals=[3.0, 3.0],
        utility=[[0.3, -0.7], [-0.7, 0.3]],
        lift=1.2,
        substitution=0.3,
        hide_stockouts=True,
        forecast_memory=0.99,
    )


def boutique() -> Scenario:
    """Ten slow movers, margins 20 to 35 %, three days of lead time. Holding costs 1 % of cost a
    day, so that stock is expensive and it matters to whom each unit is shown."""
    rng = np.random.default_rng(SEED)
    products, segments = 10, 6
    price = np.round(rng.uniform(40, 120, products), 2)
    margin = np.linspace(0.20, 0.35, products)[rng.permutation(products)]
    cost = np.round(price * (1 - margin), 2)
    taste = rng.normal(0, 0.9, (segments, products))
    return Scenario(
        name="boutique",
        about="Ten slow movers, about a unit a day each; lead time 3, margins 20 to 35 %, slate 2.",
        max_lead_time=3,
        products=[f"style {i + 1}" for i in range(products)],
        segments=[f"segment {k + 1}" for k in range(segments)],
        price=price.tolist(),
        cost=cost.tolist(),
        holding=np.round(0.01 * cost, 3).tolist(),
        lead_time=3,
        arrivals=np.round(rng.uniform(1.5, 3.5, segments), 2).tolist(),
        utility=np.round(taste - 1.5, 3).tolist(),
        lift=1.5,
        slot_weight=[1.0, 0.7],
        substitution=0.3,
        hide_stockouts=True,
        market_persistence=0.9,
        market_noise=0.1,
        forecast_memory=0.95,
    )


def scarce() -> Scenario:
    """The boutique's goods where a maker hands out little: of the five with the highest margin one
    unit a day at most. What is shown decides who gets them."""
    base = boutique()
    margin = np.array(base.price) - np.array(base.cost)
    few = margin >= np.sort(margin)[len(margin) // 2]
    return base.model_copy(
        update={
            "name": "scarce",
            "about": "The boutique's goods in drops: one unit a day of the best five, lift 2.",
            "max_order": np.where(few, 1.0, UNLIMITED).tolist(),
            "lift": 2.0,
        }
    )


def loyal() -> Scenario:
    """The boutique's goods where customers who are served badly come less often for months: today's
    sale is not all that a unit is worth."""
    return boutique().model_copy(
        update={
            "name": "loyal",
            "about": "The boutique with a memory: who is served badly comes less often.",
            "goodwill_rate": 0.02,
            "goodwill_target": 0.95,
            "charge_missed": True,
        }
    )


def fresh() -> Scenario:
    """A counter of bread, salads and ready meals: margins of 15 to 25 %, and two to four days in
    which a unit can be sold, so that what is thrown away costs as much as what several others
    earn."""
    rng = np.random.default_rng(SEED + 2)
    products, segments = 10, 4
    price = np.round(rng.uniform(3, 9, products), 2)
    margin = np.linspace(0.15, 0.25, products)[rng.permutation(products)]
    cost = np.round(price * (1 - margin), 2)
    taste = rng.normal(0, 0.8, (segments, products))
    weekdays = [0.9, 0.9, 0.95, 1.0, 1.15, 1.2, 0.9]
    return Scenario(
        name="fresh",
        about="Ten goods that spoil in 2 to 4 days, margins 15 to 25 %, lead time 1, slate 2.",
        max_lead_time=1,
        max_shelf_life=4,
        products=[f"fresh {i + 1}" for i in range(products)],
        segments=[f"segment {k + 1}" for k in range(segments)],
        price=price.tolist(),
        cost=cost.tolist(),
        holding=np.round(0.002 * cost, 4).tolist(),
        lead_time=1,
        shelf_life=[2, 3, 4, 2, 3, 4, 2, 3, 4, 3],
        fresh_share=0.25,
        arrivals=np.round(rng.uniform(8, 16, segments), 2).tolist(),
        utility=np.round(taste - 2.0, 3).tolist(),
        lift=1.5,
        slot_weight=[1.0, 0.7],
        season=[weekdays],
        substitution=0.4,
        charge_missed=True,
        market_persistence=0.8,
        market_noise=0.1,
        forecast_memory=0.95,
    )


def marketplace(products: int, segments: int = 20, slots: int = 5) -> Scenario:
    """A generated catalogue: tastes of low rank, popularity by a power law, mixed lead times."""
    rng = np.random.default_rng(SEED + products)
    price = np.round(np.exp(rng.normal(3.0, 0.7, products)), 2)
    margin = rng.uniform(0.1, 0.4, products)
    cost = np.round(price * (1 - margin), 2)
    rank = rng.permutation(products) + 1
    taste = rng.normal(0, 0.6, (segments, 4)) @ rng.normal(0, 0.6, (4, products))
    weekdays = np.array([0.85, 0.85, 0.9, 0.95, 1.1, 1.25, 1.1])
    return Scenario(
        name=f"marketplace-{products}",
        about=f"A generated catalogue of {products} products, {segments} segments, slate {slots}.",
        max_lead_time=7,
        products=[f"product {i + 1}" for i in range(products)],
        segments=[f"segment {k + 1}" for k in range(segments)],
        price=price.tolist(),
        cost=cost.tolist(),
        holding=np.round(0.004 * cost, 4).tolist(),
        lead_time=rng.integers(1, 8, products).tolist(),
        review=rng.choice([1, 1, 2], products).tolist(),
        demand_noise=0.3,
        arrivals=np.round(rng.uniform(0.05, 0.15, segments) * 3 * products, 2).tolist(),
        utility=np.round(taste - 0.5 * np.log(rank), 3).tolist(),
        no_purchase=round(float(np.sqrt(products)), 2),
        lift=1.2,
        slot_weight=[1.0, 0.8, 0.65, 0.5, 0.4][:slots],
        season=[weekdays.tolist()],
        substitution=0.4,
        hide_stockouts=True,
        market_persistence=0.9,
        market_noise=0.08,
        stall=0.02,
        forecast_memory=0.93,
    )


def every() -> list[Scenario]:
    """All of them."""
    return [*classical(), pair(), boutique(), scarce(), loyal(), fresh(), marketplace(200)]


def main() -> None:
    for scenario in every():
        scenario.save(FOLDER / f"{scenario.name}.json")


if __name__ == "__main__":
    main()
