"""The same store, slow and obvious: customer by customer, in NumPy, from the model's text.

It shares nothing with the simulator but the numbers in its parameters.
"""

import copy
from dataclasses import dataclass

import numpy as np


@dataclass
class ReferenceStore:
    """One store on the morning of a day, after its receipts."""

    on_hand: np.ndarray
    lives: list[list[int]]  # by product that ages: periods left of each unit, oldest first
    pipeline: np.ndarray
    backlog: np.ndarray
    market: float
    goodwill: np.ndarray
    fatigue: np.ndarray
    period: int


def start_from(state) -> ReferenceStore:
    rows = np.zeros((0, len(state.on_hand))) if state.expiring is None else state.expiring
    return ReferenceStore(
        on_hand=np.array(state.on_hand, float),
        lives=[
            [life for life, units in enumerate(row) for _ in range(int(units))]
            for row in np.array(rows).T
        ],
        pipeline=np.array(state.pipeline, float),
        backlog=np.array(state.backlog, float),
        market=float(state.market),
        goodwill=np.array(state.goodwill, float),
        fatigue=np.array(state.fatigue, float),
        period=int(state.period),
    )


def one_period(rng, day, order, slate, p):
    """Returns the next morning and a dict of what happened, by product and in money."""
    day = copy.deepcopy(day)
    n, k = len(p.price), len(p.arrivals)
    served_waiting = np.zeros(n)

    ordered = np.zeros(n)
    for i in range(n):
        if day.period % p.review[i] == 0:
            packs = min(np.round(order[i] / p.pack[i]), np.floor(p.max_order[i] / p.pack[i]))
            ordered[i] = max(packs, 0) * p.pack[i]
        if p.lead_time[i] == 0:
            served_waiting[i] += _put(day, i, ordered[i], p)
        else:
            day.pipeline[p.lead_time[i] - 1, i] += ordered[i]

    attention = np.zeros((k, n))
    for segment in range(k):
        for slot, product in enumerate(slate[segment]):
            attention[segment, product] += p.slot_weight[slot]
    weight = np.exp(
        p.utility + p.lift[:, None] * attention - p.fatigue_weight[:, None] * day.fatigue
    )
    offered = (day.on_hand > 0) | (not p.hide_stockouts)
    shock = np.exp(p.demand_noise * rng.standard_normal(n) - p.demand_noise**2 / 2)
    asked, seekers = np.zeros(n), []
    served, waiting = np.zeros(n), np.zeros(n)
    rates, away = np.zeros((k, n)), np.zeros((k, n))
    for segment in range(k):
        people = p.arrivals[segment] * p.season[segment, day.period % p.season.shape[1]]
        people *= np.exp(day.market) * day.goodwill[segment]
        rates[segment] = people * _shares(weight[segment] * offered, p, segment)
        # Purchases that all on offer would have had, shared by what is wanted of those gone.
        wanted = people * _shares(weight[segment], p, segment)
        gone = np.where(offered, 0.0, wanted)
        for need in set(p.category):
            own = p.category == need
            fewer = wanted[own].sum() - rates[segment][own].sum()
            if gone[own].sum() > 0:
                away[segment][own] = fewer * gone[own] / gone[own].sum()
    rates, away = rates * p.batch, away * p.batch  # units
    for i in range(n):
        mean = rates[:, i].sum() * shock[i]
        if mean > 0:
            asked[i] = _asked(rng, mean, p, i)
        for _ in range(int(asked[i])):
            segment = rng.choice(k, p=rates[:, i] / rates[:, i].sum())
            if day.on_hand[i] > 0:
                day.on_hand[i] -= 1
                served[i] += 1
            elif p.backlogged[i]:
                day.backlog[i] += 1
                waiting[i] += 1
            else:
                seekers.append((segment, p.category[i]))
    in_stock = day.on_hand > 0
    substituted = np.zeros(n)
    for segment, need in seekers:
        if rng.random() < p.substitution:
            shares = _shares(weight[segment] * in_stock, p, segment) * (p.category == need)
            choice = rng.choice(n + 1, p=np.append(shares, 1 - shares.sum()))
            if choice < n and day.on_hand[choice] > 0:
                day.on_hand[choice] -= 1
                substituted[choice] += 1
    wasted = [_evening(rng, day, i, served[i] + substituted[i], p) for i in range(n)]
    left, owed = day.on_hand.copy(), day.backlog.copy()
    fill = np.where(asked > 0, served / np.maximum(asked, 1), 1.0)
    for segment in range(k):
        total = rates[segment].sum() + p.charge_missed * away[segment].sum()
        filled = (rates[segment] * fill).sum() / total if total > 0 else 1.0
        moved = day.goodwill[segment] + p.goodwill_rate * (filled - p.goodwill_target)
        day.goodwill[segment] = min(max(moved, p.goodwill_floor), p.goodwill_ceiling)
    day.fatigue = p.fatigue_memory * day.fatigue + (1 - p.fatigue_memory) * attention
    day.market = p.market_persistence * day.market + p.market_noise * rng.standard_normal()
    day.period += 1

    for i in range(n):
        if rng.random() >= p.stall[i]:
            arriving = day.pipeline[0, i]
            day.pipeline[:-1, i] = day.pipeline[1:, i]
            day.pipeline[-1, i] = 0
            served_waiting[i] += _put(day, i, arriving, p)

    sold = served + substituted + served_waiting
    lost = asked.sum() - served.sum() - waiting.sum() - substituted.sum()
    happened = {
        "asked": asked, "served": served, "substituted": substituted, "sold": sold,
        "waiting": waiting, "ordered": ordered, "left": left, "on_hand": day.on_hand,
        "wasted": wasted, "disposal": (p.disposal * wasted).sum(),
        "owed": day.backlog, "lost": lost, "missed": lost + away.sum(),
        "goodwill": day.goodwill, "market": day.market,
        "revenue": (p.price * sold).sum(),
        "holding": (p.holding * left).sum(),
        "waiting_cost": (p.penalty * owed).sum(),
        "hidden_cost": p.charge_missed * (p.penalty * away.sum(0)).sum(),
        "overflow": p.overflow * max((p.volume * left).sum() - p.capacity, 0),
    }  # fmt: skip
    return day, happened


def _evening(rng, day, i, bought, p):
    """Units of those sold are taken one by one, from either end; what is too old is thrown away."""
    if p.shelf_life[i] == 0:
        return 0
    share = p.fresh_share * bought
    fresh = int(share) + (rng.random() < share - int(share))
    for takes_fresh in rng.permutation(np.arange(int(bought)) < fresh):
        day.lives[i].pop(-1 if takes_fresh else 0)
    wasted = day.lives[i].count(0)
    day.lives[i] = [life - 1 for life in day.lives[i] if life > 0]
    day.on_hand[i] -= wasted
    return wasted


def _put(day, i, units, p):
    stock = day.on_hand[i] + units
    served = min(stock, day.backlog[i])
    if p.shelf_life[i] > 0:
        new = int(stock - served - day.on_hand[i])
        day.lives[i] = sorted(day.lives[i] + [p.shelf_life[i] - p.arrival_age[i] - 1] * new)
    day.on_hand[i], day.backlog[i] = stock - served, day.backlog[i] - served
    return served


def _asked(rng, mean, p, i):
    """First-choice demand of product i in units, with this mean."""
    if p.family == "geometric":
        return rng.geometric(1 / (1 + mean)) - 1
    if p.dispersion[i] > 1:
        return rng.negative_binomial(mean / (p.dispersion[i] - 1), 1 / p.dispersion[i])
    return rng.poisson(mean)


def _shares(weights, p, segment):
    shares = np.zeros(len(weights))
    for need in set(p.category):
        own = p.category == need
        total = p.no_purchase[segment, need] + weights[own].sum()
        if total > 0:
            shares[own] = weights[own] / total
    return shares
