"""The same period by hand in numba: what a careful author without JAX would write.

One loop over stores, shared out among threads; inside, plain loops that LLVM vectorises, and the
freedoms of hand-written code: no substitution where nobody was turned away, attention touched only
where a slate names a product, no normal quantile where a product has no noise. Random words,
uniforms and the Poisson inverse are those of `jaxsim.sampling`. `pip install -e '.[bench]'`.
"""

import math
from collections import namedtuple

import numpy as np
from numba import njit, prange

from jaxsim import sampling

F, U, I = np.float32, np.uint32, np.int32  # noqa: E741
ONE, ZERO, HALF = F(1), F(0), F(0.5)

# What a period changes, leading axis stores; and one store's numbers. Fields as in `jaxsim`.
Stores = namedtuple(
    "Stores", "on_hand pipeline backlog market goodwill fatigue forecast sold lost period"
)
FIELDS = (
    "price cost holding penalty order_cost lead_time review max_order backlogged stall volume "
    "demand_noise arrivals utility no_purchase lift slot_weight season substitution "
    "hide_stockouts market_persistence market_noise goodwill_rate goodwill_target goodwill_floor "
    "goodwill_ceiling fatigue_weight fatigue_memory capacity overflow forecast_memory"
)
Numbers = namedtuple("Numbers", FIELDS)

_float = lambda numbers: tuple(F(c) for c in numbers)  # noqa: E731
NORMAL, REST = _float(sampling._NORMAL), _float(sampling._POISSON_REST)
SQUARE, SHIFT = _float(sampling._POISSON_SQUARE), _float(sampling._POISSON_SHIFT)
FIRST, SECOND = _float(sampling._POISSON_FIRST), _float(sampling._POISSON_SECOND)
SCALE, SUMMED, TINY = F(sampling._POISSON_SCALE), F(sampling._SUMMED), F(2.0**-32)

inline = njit(inline="always", fastmath={"contract", "nsz"})


def of_state(state) -> Stores:
    """The arrays of a batch of `jaxsim` states, copied."""
    return Stores(*(np.array(getattr(state, field)) for field in Stores._fields))


def of_params(params) -> Numbers:
    """The arrays of one `jaxsim` store; its single numbers as numbers."""
    return Numbers(*(np.array(getattr(params, field))[()] for field in Numbers._fields))


@inline
def threefry(key0, key1, left, right):
    """Two words for two: Threefry-2x32 with 20 rounds."""
    key2 = U(key0 ^ key1 ^ U(0x1BD11BDA))
    left, right = U(left + key0), U(right + key1)
    for group in range(5):
        for turn in range(4):
            if group % 2 == 0:
                by = U(13) if turn == 0 else U(15) if turn == 1 else U(26) if turn == 2 else U(6)
            else:
                by = U(17) if turn == 0 else U(29) if turn == 1 else U(16) if turn == 2 else U(24)
            left = U(left + right)
            right = U(U(U(right << by) | U(right >> U(U(32) - by))) ^ left)
        if group % 3 == 0:
            left, right = U(left + key1), U(right + key2)
        elif group % 3 == 1:
            left, right = U(left + key2), U(right + key0)
        else:
            left, right = U(left + key0), U(right + key1)
        right = U(right + U(group + 1))
    return left, right


@inline
def exponential(x):
    """exp in float32 by one polynomial, so that loops over it vectorise."""
    x = min(max(x, F(-87.0)), F(88.0))
    whole = math.floor(x * F(1.4426950408889634) + HALF)
    r = F(F(x - whole * F(0.693359375)) - whole * F(-2.12194440e-4))
    p = F(1.9875691500e-4) * r + F(1.3981999507e-3)
    p = F(p * r + F(8.3334519073e-3))
    p = F(p * r + F(4.1665795894e-2))
    p = F(p * r + F(1.6666665459e-1))
    p = F(p * r + F(5.0000001201e-1))
    return F(F(p * r * r + r + ONE) * I((I(whole) + I(127)) << I(23)).view(F))


@inline
def logarithm(x):
    """log in float32 of a positive normal number."""
    bits = x.view(I)
    e = F(I(bits - I(0x3F3504F3)) >> I(23))
    m = F(I(bits - (I(e) << I(23))).view(F) - ONE)
    p = F(7.0376836292e-2) * m - F(1.1514610310e-1)
    p = F(p * m + F(1.1676998740e-1))
    p = F(p * m - F(1.2420140846e-1))
    p = F(p * m + F(1.4249322787e-1))
    p = F(p * m - F(1.6668057665e-1))
    p = F(p * m + F(2.0000714765e-1))
    p = F(p * m - F(2.4999993993e-1))
    p = F(p * m + F(3.3333331174e-1))
    square = F(m * m)
    return F(m + (p * m * square - HALF * square) + e * F(0.6931471805599453))


@inline
def polynomial(coefficients, x):
    value = ZERO
    for i in range(len(coefficients) - 1, -1, -1):
        value = F(value * x + coefficients[i])
    return value


@inline
def signed(word):
    return F(F(I(word | U(1))) * TINY)


@inline
def unit(u):
    return F(min(u + ONE if u < ZERO else u, F(1 - 2.0**-24)))


@inline
def normal(u):
    tail = max(abs(u), TINY)
    v = F(-logarithm(F(F(4) * tail * F(ONE - tail))))
    size = F(F(ONE - F(2) * tail) * polynomial(NORMAL, F(ONE - F(15) / F(v + F(10)))))
    return size if u < ZERO else F(-size)


@njit(fastmath={"contract", "nsz"}, cache=True)
def poisson(u, mean):
    """`jaxsim.sampling.poisson_inverse` of a signed uniform, with early ways out."""
    tail, upper = max(abs(u), TINY), u < ZERO
    if upper and mean < SUMMED:
        found = summed_from_above(tail, mean)
        if found < SUMMED:
            return found
    if not upper and mean < F(4) * SUMMED:
        found = summed_from_below(tail, mean)
        if found < SUMMED:
            return found
    expanded = expansion(u, mean)
    if not upper and expanded <= SUMMED and mean >= F(4) * SUMMED:
        return min(summed_from_below(tail, mean), max(expanded, SUMMED))
    return max(expanded, SUMMED)


@inline
def summed_from_below(tail, mean):
    p = F(math.exp(-mean))
    below, found = p, SUMMED
    for k in range(8):
        if below >= tail:
            found = F(k)
            break
        p = F(p * F(mean * F(1.0 / (k + 1))))
        below = F(below + p)
    return found


@inline
def summed_from_above(tail, mean):
    p1 = F(F(math.exp(-mean)) * mean)
    p2 = F(p1 * F(mean * F(1 / 2)))
    p3 = F(p2 * F(mean * F(1 / 3)))
    p4 = F(p3 * F(mean * F(1 / 4)))
    p5 = F(p4 * F(mean * F(1 / 5)))
    p6 = F(p5 * F(mean * F(1 / 6)))
    p7 = F(p6 * F(mean * F(1 / 7)))
    above = F(F(p7 * F(mean * F(1 / 8))) * polynomial(REST, mean))
    found = SUMMED
    for p in (p7, p6, p5, p4, p3, p2, p1, ZERO):
        if above > tail:
            break
        found = F(found - ONE)
        above = F(above + p)
    return found


@inline
def expansion(u, mean):
    w = normal(u)
    root = F(SCALE * math.sqrt(mean))
    y = F(ONE - root / F(w + root))
    shift = F(F(polynomial(SECOND, y) / mean + polynomial(FIRST, y)) / mean)
    shift = F(shift + F(polynomial(SHIFT, y) + w * w * polynomial(SQUARE, y)))
    whole = F(math.floor(mean))
    return F(whole + F(math.floor(F(mean - whole) + F(w * root * F(1 / SCALE) + shift))))


@inline
def fraction_bits(number):
    return U(I(F(number - ONE if number >= HALF else number) * F(4294967296.0)))


@inline
def systematic_counts(shift, flows, total, counts):
    """Whole counts with expectations `flows`, together at most `total`."""
    reached, before, running = fraction_bits(shift), I(0), I(0)
    for i in range(len(flows)):
        whole = F(math.floor(flows[i]))
        part = fraction_bits(F(flows[i] - whole))
        reached = U(reached + part)
        running = I(running + I(whole) + (I(1) if reached < part else I(0)))
        capped = min(running, I(total))
        counts[i] = F(capped - before)
        before = capped


@njit(fastmath={"contract", "nsz"}, cache=True)
def random_actions(key0, key1, order, slate, taken):
    """Uniform orders up to twice mean demand, and slates by the first steps of a shuffle."""
    segments, slots = slate.shape
    products, count = len(order), U(0)
    for k in range(segments):
        for s in range(slots):
            a, b = threefry(key0, key1, U(0), count)
            count = U(count + U(1))
            free = products - s
            here = s + min(I(unit(signed(U(a ^ b))) * F(free)), I(free - 1))
            taken[s] = here
            for t in range(s - 1, -1, -1):
                if here == taken[t]:
                    here = t
            slate[k, s] = here
    for i in range(products):
        a, b = threefry(key0, key1, U(0), U(count + U(i)))
        order[i] = F(math.floor(unit(signed(U(a ^ b))) * F(11)))


@inline
def put_on_hand(s, b, i, units):
    """Stock grows; waiting customers are served first, and how many is returned."""
    stock = F(s.on_hand[b, i] + units)
    met = min(stock, s.backlog[b, i])
    s.on_hand[b, i] = stock - met
    s.backlog[b, i] -= met
    return met


@njit(fastmath={"contract", "nsz"}, cache=True)
def place_orders(b, s, p, order, ledger):
    """Whole units in review periods: into the pipeline, or on hand at once."""
    for i in range(len(order)):
        units = ZERO
        if s.period[b] % p.review[i] == 0:
            units = min(max(F(np.rint(order[i])), ZERO), p.max_order[i])
        ledger[0, i], ledger[1, i], ledger[2, i] = units, ZERO, ZERO
        if units > ZERO and p.lead_time[i] == 0:
            ledger[1, i], ledger[2, i] = units, put_on_hand(s, b, i, units)
        elif units > ZERO:
            s.pipeline[b, p.lead_time[i] - 1, i] += units


@njit(fastmath={"contract", "nsz"}, cache=True)
def first_choices(b, s, p, slate, offered, weights, rates, mean):
    """MNL weights, what each segment asks for, and mean demand of each product."""
    products, segments, slots = len(mean), len(p.arrivals), len(p.slot_weight)
    day = s.period[b] % p.season.shape[1]
    market = F(math.exp(s.market[b]))
    for k in range(segments):
        tired, row, past = p.fatigue_weight[k], weights[k], s.fatigue[b, k]
        for i in range(products):
            row[i] = p.utility[k, i] - tired * past[i]
        for slot in range(slots):
            row[slate[k, slot]] += p.lift[k] * p.slot_weight[slot]
        for i in range(products):
            row[i] = exponential(row[i])
    for i in range(products):
        hidden = p.hide_stockouts and s.on_hand[b, i] <= ZERO
        offered[i] = ZERO if hidden else ONE
        mean[i] = ZERO
    for k in range(segments):
        total = p.no_purchase[k]
        for i in range(products):
            total += weights[k, i] * offered[i]
        crowd = p.arrivals[k] * p.season[k, day] * market * s.goodwill[b, k]
        crowd = F(crowd / total) if total > ZERO else ZERO
        for i in range(products):
            rates[k, i] = crowd * weights[k, i] * offered[i]
            mean[i] += rates[k, i]


@njit(fastmath={"contract", "nsz"}, cache=True)
def second_choices(b, s, p, weights, rates, mean, turned, flows):
    """Expected units of the second round, by the same weights among what is left."""
    products, segments = len(mean), len(p.arrivals)
    for i in range(products):
        flows[i] = ZERO
    for k in range(segments):
        seekers, total = ZERO, p.no_purchase[k]
        for i in range(products):
            seekers += rates[k, i] / max(mean[i], F(1e-30)) * turned[i]
            total += weights[k, i] if s.on_hand[b, i] > ZERO else ZERO
        seekers = F(seekers * p.substitution / total) if total > ZERO else ZERO
        for i in range(products):
            flows[i] += seekers * (weights[k, i] if s.on_hand[b, i] > ZERO else ZERO)


@njit(fastmath={"contract", "nsz"}, cache=True)
def remember(b, s, p, slate, rates, mean, fill, asked, offered, lost, shown, market_normal):
    """Market, goodwill, fatigue, forecast and the period's losses; attention summed on the way."""
    products, segments, slots = len(mean), len(p.arrivals), len(p.slot_weight)
    crowd = p.arrivals.sum()
    s.market[b] = p.market_persistence * s.market[b] + p.market_noise * market_normal
    index, average, period = ZERO, ZERO, s.period[b]
    for k in range(segments):
        met, all_rates = ZERO, ZERO
        for i in range(products):
            met += rates[k, i] * fill[i]
            all_rates += rates[k, i]
            s.fatigue[b, k, i] *= p.fatigue_memory
        for slot in range(slots):
            i = slate[k, slot]
            s.fatigue[b, k, i] += (ONE - p.fatigue_memory) * p.slot_weight[slot]
            shown[0, i] += p.arrivals[k] * p.slot_weight[slot] / max(crowd, F(1e-9))
            if p.slot_weight[slot] > ZERO:
                shown[1, i] += rates[k, i]
        reached = F(met / all_rates) if all_rates > ZERO else ONE
        goodwill = s.goodwill[b, k] + p.goodwill_rate * F(reached - p.goodwill_target)
        s.goodwill[b, k] = min(max(goodwill, p.goodwill_floor), p.goodwill_ceiling)
        index += p.arrivals[k] * p.season[k, period % p.season.shape[1]]
        for day in range(p.season.shape[1]):
            average += p.arrivals[k] * p.season[k, day]
    index = F(index / max(F(average / p.season.shape[1]), F(1e-9)))
    for i in range(products):
        if index > ZERO and offered[i] > ZERO:
            news = F(asked[i] / index - s.forecast[b, i])
            s.forecast[b, i] += (ONE - p.forecast_memory) * news
        s.lost[b, i] = lost[i]
    s.period[b] = period + 1


@njit(fastmath={"contract", "nsz"}, cache=True)
def one_store(b, key0, key1, s, p, order, slate, work):
    """One period of store b, in place. Returns the sum of its ledger, profit last."""
    words, weights, rates, ledger, rows, shown = work
    products = len(order)
    mean, asked, left, turned, flows, counts, fill, recovered, offered = rows
    for i in range(3 * products + 2):
        a, other = threefry(key0, key1, U(0), U(i))
        words[i] = signed(U(a ^ other))
    market_word, spill = words[3 * products], unit(words[3 * products + 1])
    place_orders(b, s, p, order, ledger)
    first_choices(b, s, p, slate, offered, weights, rates, mean)

    total_turned = ZERO
    for i in range(products):
        rate, sigma = mean[i], p.demand_noise[i]
        if sigma > ZERO:
            rate *= exponential(sigma * (normal(words[products + i]) - HALF * sigma))
        asked[i] = poisson(words[i], rate)
        served = min(asked[i], s.on_hand[b, i])
        unmet = asked[i] - served
        s.on_hand[b, i] -= served
        waiting = unmet if p.backlogged[i] else ZERO
        turned[i] = unmet - waiting
        total_turned += turned[i]
        s.backlog[b, i] += waiting
        fill[i] = served / max(asked[i], ONE) if asked[i] > ZERO else ONE
        counts[i], recovered[i], shown[0, i], shown[1, i] = ZERO, ZERO, ZERO, ZERO
        ledger[3, i], ledger[4, i] = served, waiting
    if total_turned > ZERO and p.substitution > ZERO:
        second_choices(b, s, p, weights, rates, mean, turned, flows)
        systematic_counts(spill, flows, total_turned, counts)
        found = ZERO
        for i in range(products):
            counts[i] = min(counts[i], s.on_hand[b, i])
            found += counts[i]
        for i in range(products):
            flows[i] = turned[i] * F(found / max(total_turned, ONE))
        systematic_counts(spill, flows, found, recovered)
    room = ZERO
    for i in range(products):
        left[i] = s.on_hand[b, i] - counts[i]
        s.on_hand[b, i] = left[i]
        room += p.volume[i] * left[i]
        turned[i] -= recovered[i]
        s.sold[b, i] = ledger[3, i] + counts[i]
        flows[i] = s.backlog[b, i]
    remember(b, s, p, slate, rates, mean, fill, asked, offered, turned, shown, normal(market_word))

    beyond = max(room - p.capacity, ZERO) * p.overflow
    sum_of_all = ZERO
    for i in range(products):
        if unit(words[2 * products + i]) >= p.stall[i]:
            arriving = s.pipeline[b, 0, i]
            for row in range(s.pipeline.shape[1] - 1):
                s.pipeline[b, row, i] = s.pipeline[b, row + 1, i]
            s.pipeline[b, s.pipeline.shape[1] - 1, i] = ZERO
            ledger[1, i] += arriving
            ledger[2, i] += put_on_hand(s, b, i, arriving)
        sold = s.sold[b, i] + ledger[2, i]
        revenue, purchase = p.price[i] * sold, p.cost[i] * ledger[0, i]
        order_cost = p.order_cost[i] if ledger[0, i] > ZERO else ZERO
        holding = p.holding[i] * left[i]
        penalty = p.penalty[i] * F(turned[i] + flows[i])
        overflow = beyond * p.volume[i] * left[i] / room if room > ZERO else ZERO
        profit = revenue - purchase - order_cost - holding - penalty - overflow
        shown_sold = ledger[3, i] * shown[1, i] / mean[i] if mean[i] > ZERO else ZERO
        sum_of_all += ledger[0, i] + ledger[1, i] + asked[i] + ledger[3, i] + counts[i]
        sum_of_all += ledger[2, i] + sold + ledger[4, i] + turned[i] + left[i] + flows[i]
        sum_of_all += shown[0, i] + shown_sold + revenue + purchase + order_cost + holding
        sum_of_all += penalty + overflow + profit
    return sum_of_all


@njit(parallel=True, fastmath={"contract", "nsz"}, cache=True)
def periods(keys, s, p, orders, slates, drawn, first, count, blocks):
    """`count` periods of all stores, actions given (leading axis: days, gone round) or drawn.

    `keys`: (stores, 2) words; a store's day is keyed by its key folded with the period.
    Returns the sum of all ledgers.
    """
    stores, products, segments = len(keys), len(p.price), len(p.arrivals)
    seen = np.zeros(blocks, np.float64)
    for block in prange(blocks):
        words = np.zeros(3 * products + 2, F)
        weights, rates = np.zeros((segments, products), F), np.zeros((segments, products), F)
        work = (
            words, weights, rates, np.zeros((5, products), F), np.zeros((9, products), F),
            np.zeros((2, products), F),
        )  # fmt: skip
        order = np.zeros(products, F)
        slate, taken = np.zeros((segments, len(p.slot_weight)), I), np.zeros(len(p.slot_weight), I)
        for now in range(count):
            day = now % len(orders)
            for b in range(block * stores // blocks, (block + 1) * stores // blocks):
                key0, key1 = threefry(keys[b, 0], keys[b, 1], U(0), U(first + now))
                if drawn:
                    act0, act1 = threefry(key0, key1, U(0), U(1))
                    random_actions(act0, act1, order, slate, taken)
                    seen[block] += one_store(b, key0, key1, s, p, order, slate, work)
                else:
                    seen[block] += one_store(
                        b, key0, key1, s, p, orders[day, b], slates[day, b], work
                    )
    return seen.sum()


@njit(parallel=True, fastmath={"contract", "nsz"}, cache=True)
def lost_sales(keys, on_hand, pipeline, level, mean, holding, penalty, first, count, blocks):
    """`count` periods of one-product lost-sales stores under a base-stock policy, nothing else.

    `pipeline`: (stores, lead time). Returns the sum of costs.
    """
    stores, lead = pipeline.shape
    cost = np.zeros(blocks, np.float64)
    for block in prange(blocks):
        for b in range(block * stores // blocks, (block + 1) * stores // blocks):
            stock, position = on_hand[b], F(on_hand[b] + pipeline[b].sum())
            for now in range(count):
                key0, key1 = threefry(keys[b, 0], keys[b, 1], U(0), U(first + now))
                a, other = threefry(key0, key1, U(0), U(0))
                asked = poisson(signed(U(a ^ other)), mean)
                ordered = max(level - position, ZERO)
                served = min(asked, stock)
                slot = (first + now) % lead
                cost[block] += holding * (stock - served) + penalty * (asked - served)
                # A ring: what was ordered `lead` periods ago arrives where today's order goes.
                arriving = pipeline[b, (slot + 1) % lead] if lead > 1 else ordered
                pipeline[b, slot] = ordered
                stock = F(stock - served + arriving)
                position = F(position + ordered - served)
            on_hand[b] = stock
    return cost.sum()
