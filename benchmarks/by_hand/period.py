"""One period of one store, in place: the phases of `jaxsim.store`, by hand.

Loops over pairs of segment and product run flat, over memory that lies together.
"""

from collections import namedtuple

import numpy as np
from numba import njit

from benchmarks.by_hand.draws import (
    FAST,
    HALF,
    ONE,
    ZERO,
    F,
    exponential,
    inline,
    normal,
    poisson,
    signed,
    systematic_counts,
    unit,
    word,
)
from jaxsim.params import Params
from jaxsim.records import State
from jaxsim.store import season_index

# What a period changes, leading axis stores; and one store's numbers. Fields as in `jaxsim`.
Stores = namedtuple(
    "Stores", "on_hand pipeline backlog market goodwill fatigue forecast sold lost period"
)
FIELDS = (
    "price cost holding penalty order_cost lead_time review max_order pack backlogged stall volume "
    "demand_noise arrivals utility no_purchase lift slot_weight season substitution "
    "hide_stockouts charge_missed market_persistence market_noise goodwill_rate goodwill_target "
    "goodwill_floor goodwill_ceiling fatigue_memory capacity overflow forecast_memory"
)
Numbers = namedtuple("Numbers", [*FIELDS.split(), "tired", "season_index", "crowd"])
# Where a store's period is worked out: by word, by segment and product, by product; `away` by
# segment.
Work = namedtuple(
    "Work",
    "words weights rates offered mean asked served turned second counts recovered waiting fill "
    "ordered received backlog_served left shown shown_rates there missed away",
)

SUMS = FAST | {"reassoc"}  # sums over products in any order
phase = njit(forceinline=True, fastmath=SUMS)


def of_state(state: State) -> Stores:
    """The arrays of a batch of states, copied."""
    return Stores(*(np.array(getattr(state, field)) for field in Stores._fields))


def lost_sales_state(state: State) -> tuple[np.ndarray, np.ndarray]:
    """Stock (stores,) and pipeline (stores, lead time) of one-product stores, copied."""
    return np.array(state.on_hand[:, 0]), np.array(state.pipeline[:, :, 0])


def of_params(params: Params) -> Numbers:
    """The arrays of one store of one category, its single numbers as numbers, and what follows from
    them alone."""
    (no_purchase,) = np.array(params.no_purchase).T
    params = params.replace(no_purchase=no_purchase)
    arrays = [np.array(getattr(params, field))[()] for field in FIELDS.split()]
    tired = np.repeat(np.array(params.fatigue_weight)[:, None], params.products, 1)
    crowd = F(max(float(params.arrivals.sum()), 1e-9))
    return Numbers(*arrays, tired, np.array(season_index(params)), crowd)


@njit(cache=True)
def workplace(products, segments):
    """Everything that a store's period is worked out in; stores take turns."""
    row, pairs = (lambda: np.zeros(products, F)), (lambda: np.zeros((segments, products), F))
    return Work(
        np.zeros(3 * products + 2, F), pairs(), pairs(), row(), row(), row(), row(), row(), row(),
        row(), row(), row(), row(), row(), row(), row(), row(), row(), row(), row(), row(),
        np.zeros(segments, F),
    )  # fmt: skip


@phase
def one_store(b, key0, key1, s, p, order, slate, w):
    """One period of store b, in place. Returns the sum of its ledger."""
    products = len(order)
    for i in range(len(w.words)):
        w.words[i] = signed(word(key0, key1, i))
    place_orders(b, s, p, order, w)
    first_choices(b, s, p, slate, w)
    turned, beyond_reach = serve(b, s, p, w), ZERO
    if turned > ZERO and p.substitution > ZERO:
        second_choices(b, s, p, w)
        substitute(b, s, turned, unit(w.words[3 * products + 1]), w)
    for i in range(products):
        w.left[i] = s.on_hand[b, i] - w.counts[i]
        s.on_hand[b, i] = w.left[i]
        beyond_reach += p.volume[i] * w.left[i]
        s.sold[b, i] = w.served[i] + w.counts[i]
        s.lost[b, i] = w.turned[i] - w.recovered[i]
        w.missed[i] += s.lost[b, i]
        w.second[i] = s.backlog[b, i]  # as the ledger has it: before the next morning
    remember(b, s, p, slate, normal(w.words[3 * products]), w)
    receive(b, s, p, w)
    return account(b, s, p, beyond_reach, w)


@inline
def put_on_hand(s, b, i, units):
    """Stock grows; waiting customers are served first, and how many is returned."""
    stock = F(s.on_hand[b, i] + units)
    met = min(stock, s.backlog[b, i])
    s.on_hand[b, i] = stock - met
    s.backlog[b, i] -= met
    return met


@phase
def place_orders(b, s, p, order, w):
    """Whole units in review periods: into the pipeline, or on hand at once."""
    for i in range(len(order)):
        units = ZERO
        if s.period[b] % p.review[i] == 0:
            packs = min(F(np.rint(order[i] / p.pack[i])), np.floor(p.max_order[i] / p.pack[i]))
            units = max(p.pack[i] * packs, ZERO)
        w.ordered[i], w.received[i], w.backlog_served[i] = units, ZERO, ZERO
        if units > ZERO and p.lead_time[i] == 0:
            w.received[i], w.backlog_served[i] = units, put_on_hand(s, b, i, units)
        elif units > ZERO:
            s.pipeline[b, p.lead_time[i] - 1, i] += units


@phase
def first_choices(b, s, p, slate, w):
    """MNL weights, what each segment asks for, and mean demand of each product."""
    products, segments, slots = len(w.mean), len(p.arrivals), len(p.slot_weight)
    flat, utility = w.weights.ravel(), p.utility.ravel()
    tired, past = p.tired.ravel(), s.fatigue[b].ravel()
    for j in range(len(flat)):
        flat[j] = utility[j] - tired[j] * past[j]
    for k in range(segments):
        for slot in range(slots):
            w.weights[k, slate[k, slot]] += p.lift[k] * p.slot_weight[slot]
    for j in range(len(flat)):
        flat[j] = exponential(flat[j])
    for i in range(products):
        hidden = p.hide_stockouts and s.on_hand[b, i] <= ZERO
        w.there[i] = ONE if s.on_hand[b, i] > ZERO else ZERO
        w.offered[i] = ZERO if hidden else ONE
        w.mean[i], w.missed[i] = ZERO, ZERO
    day, market = s.period[b] % p.season.shape[1], exponential(s.market[b])
    for k in range(segments):
        total, everything = p.no_purchase[k], p.no_purchase[k]
        for i in range(products):
            total += w.weights[k, i] * w.offered[i]
            everything += w.weights[k, i]
        crowd = p.arrivals[k] * p.season[k, day] * market * s.goodwill[b, k]
        leave = F(p.no_purchase[k] / total) if total > ZERO else ONE
        away = F(crowd * leave / everything) if everything > ZERO else ZERO
        crowd = F(crowd / total) if total > ZERO else ZERO
        w.away[k] = ZERO
        for i in range(products):
            hidden = away * w.weights[k, i] * (ONE - w.offered[i])
            w.missed[i] += hidden
            w.away[k] += hidden
            w.rates[k, i] = crowd * w.weights[k, i] * w.offered[i]
            w.mean[i] += w.rates[k, i]


@phase
def serve(b, s, p, w):
    """Demand, and what of it is met or waits. Returns how many are turned away."""
    products, turned = len(w.mean), ZERO
    for i in range(products):
        w.asked[i] = w.mean[i]
        if p.demand_noise[i] > ZERO:
            sigma = p.demand_noise[i]
            shock = sigma * (normal(w.words[products + i]) - HALF * sigma)
            w.asked[i] *= exponential(shock)
    for i in range(products):
        w.asked[i] = poisson(w.words[i], w.asked[i])
    for i in range(products):
        w.served[i] = min(w.asked[i], s.on_hand[b, i])
        unmet = w.asked[i] - w.served[i]
        s.on_hand[b, i] -= w.served[i]
        w.waiting[i] = unmet if p.backlogged[i] else ZERO
        s.backlog[b, i] += w.waiting[i]
        w.turned[i] = unmet - w.waiting[i]
        turned += w.turned[i]
        w.fill[i] = w.served[i] / max(w.asked[i], ONE) if w.asked[i] > ZERO else ONE
        w.counts[i], w.recovered[i], w.shown[i], w.shown_rates[i] = ZERO, ZERO, ZERO, ZERO
    return turned


@phase
def second_choices(b, s, p, w):
    """Expected units of the second round, by the same weights among what is left."""
    products, segments = len(w.mean), len(p.arrivals)
    for i in range(products):
        w.offered[i] = w.offered[i] + (F(2) if s.on_hand[b, i] > ZERO else ZERO)
        w.recovered[i] = w.turned[i] / max(w.mean[i], F(1e-30))
        w.second[i] = ZERO
    for k in range(segments):
        seekers, total = ZERO, p.no_purchase[k]
        for i in range(products):
            seekers += w.rates[k, i] * w.recovered[i]
            total += w.weights[k, i] if w.offered[i] > ONE else ZERO
        seekers = F(seekers * p.substitution / total) if total > ZERO else ZERO
        for i in range(products):
            w.second[i] += seekers * (w.weights[k, i] if w.offered[i] > ONE else ZERO)


@phase
def substitute(b, s, turned, spill, w):
    """Second choices in whole units, no more than is left; and whose customers they were."""
    products, found = len(w.mean), ZERO
    systematic_counts(spill, w.second, turned, w.counts)
    for i in range(products):
        w.counts[i] = min(w.counts[i], s.on_hand[b, i])
        found += w.counts[i]
    share = F(found / max(turned, ONE))
    for i in range(products):
        w.second[i] = w.turned[i] * share
    systematic_counts(spill, w.second, found, w.recovered)


@phase
def remember(b, s, p, slate, market_normal, w):
    """Market, goodwill, fatigue, forecast; attention summed on the way."""
    products, segments, slots = len(w.mean), len(p.arrivals), len(p.slot_weight)
    s.market[b] = p.market_persistence * s.market[b] + p.market_noise * market_normal
    fatigue = s.fatigue[b].ravel()
    for j in range(len(fatigue)):
        fatigue[j] *= p.fatigue_memory
    for k in range(segments):
        met, all_rates = ZERO, ZERO
        for i in range(products):
            met += w.rates[k, i] * w.fill[i]
            all_rates += w.rates[k, i]
        all_rates += w.away[k] if p.charge_missed else ZERO
        reached = F(met / all_rates) if all_rates > ZERO else ONE
        goodwill = s.goodwill[b, k] + p.goodwill_rate * F(reached - p.goodwill_target)
        s.goodwill[b, k] = min(max(goodwill, p.goodwill_floor), p.goodwill_ceiling)
        share = F(p.arrivals[k] / p.crowd)
        for slot in range(slots):
            i = slate[k, slot]
            s.fatigue[b, k, i] += (ONE - p.fatigue_memory) * p.slot_weight[slot]
            w.shown[i] += share * p.slot_weight[slot]
            if p.slot_weight[slot] > ZERO:
                w.shown_rates[i] += w.rates[k, i]
    index = p.season_index[s.period[b] % p.season.shape[1]]
    for i in range(products if index > ZERO else 0):
        seen = w.offered[i] == ONE or w.offered[i] == F(3)
        news = F(w.asked[i] / index - s.forecast[b, i]) if seen else ZERO
        s.forecast[b, i] += (ONE - p.forecast_memory) * news
    s.period[b] += 1


@phase
def receive(b, s, p, w):
    """The first pipeline row arrives and the rest move up, unless the supplier stalls."""
    products, last = len(w.mean), s.pipeline.shape[1] - 1
    for i in range(products):
        w.offered[i] = ONE if unit(w.words[2 * products + i]) >= p.stall[i] else ZERO
        arriving = s.pipeline[b, 0, i] * w.offered[i]
        w.received[i] += arriving
        w.backlog_served[i] += put_on_hand(s, b, i, arriving)
    for row in range(last + 1):
        for i in range(products):
            behind = s.pipeline[b, row + 1, i] if row < last else ZERO
            here = s.pipeline[b, row, i]
            s.pipeline[b, row, i] = behind if w.offered[i] > ZERO else here


@phase
def account(b, s, p, room, w):
    """The ledger's money, and the sum of every entry."""
    beyond = max(room - p.capacity, ZERO) * p.overflow
    beyond = F(beyond / room) if room > ZERO else ZERO
    everything = ZERO
    for i in range(len(w.mean)):
        sold = s.sold[b, i] + w.backlog_served[i]
        revenue, purchase = p.price[i] * sold, p.cost[i] * w.ordered[i]
        order_cost = p.order_cost[i] if w.ordered[i] > ZERO else ZERO
        holding = p.holding[i] * w.left[i]
        missed = w.missed[i] if p.charge_missed else s.lost[b, i]
        penalty = p.penalty[i] * F(missed + w.second[i])
        overflow = beyond * p.volume[i] * w.left[i]
        profit = revenue - purchase - order_cost - holding - penalty - overflow
        by_rate = F(w.shown_rates[i] / w.mean[i]) if w.mean[i] > ZERO else ZERO
        units = w.ordered[i] + w.received[i] + w.asked[i] + w.served[i] + w.counts[i]
        units += w.backlog_served[i] + sold + w.waiting[i] + s.lost[b, i] + w.left[i] + w.second[i]
        money = revenue + purchase + order_cost + holding + penalty + overflow + profit
        units += w.there[i] + w.missed[i]
        everything += units + money + w.shown[i] + w.served[i] * by_rate
    return everything
