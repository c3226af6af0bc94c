"""Many stores, shared out among threads: a loop over stores, each thread with its own workplace."""

import numpy as np
from numba import njit, prange

from benchmarks.by_hand.draws import ZERO, F, I, U, poisson, signed, threefry, unit, word
from benchmarks.by_hand.period import SUMS, one_store, workplace


@njit(fastmath=SUMS, cache=True)
def random_actions(key0, key1, order, slate, taken):
    """Uniform orders up to twice mean demand, and slates by the first steps of a shuffle."""
    segments, slots = slate.shape
    products, count = len(order), 0
    for k in range(segments):
        for s in range(slots):
            free = products - s
            u = unit(signed(word(key0, key1, count)))
            count += 1
            here = s + min(I(u * F(free)), I(free - 1))
            taken[s] = here
            for t in range(s - 1, -1, -1):
                if here == taken[t]:
                    here = t
            slate[k, s] = here
    for i in range(products):
        order[i] = np.floor(unit(signed(word(key0, key1, count + i))) * F(11))


@njit(parallel=True, fastmath=SUMS, cache=True)
def periods(keys, s, p, orders, slates, drawn, first, count, blocks):
    """`count` periods of all stores, actions given (axes: stores, days, gone round) or drawn.

    `keys`: (stores, 2) words; a store's day is keyed by its key folded with the period. Threads
    take the stores block by block. Returns the sum of all ledgers.
    """
    stores, products, segments = len(keys), len(p.price), len(p.arrivals)
    seen = np.zeros(blocks, np.float64)
    for block in prange(blocks):
        work, sum_of_block = workplace(products, segments), 0.0
        order = np.zeros(products, F)
        slate, taken = np.zeros((segments, len(p.slot_weight)), I), np.zeros(len(p.slot_weight), I)
        for now in range(count):
            day = (first + now) % orders.shape[1]
            for b in range(block * stores // blocks, (block + 1) * stores // blocks):
                key0, key1 = threefry(keys[b, 0], keys[b, 1], U(0), U(first + now))
                if drawn:
                    act0, act1 = threefry(key0, key1, U(0), U(1))
                    random_actions(act0, act1, order, slate, taken)
                    sum_of_block += one_store(b, key0, key1, s, p, order, slate, work)
                else:
                    sum_of_block += one_store(
                        b, key0, key1, s, p, orders[b, day], slates[b, day], work
                    )
        seen[block] = sum_of_block
    return seen.sum()


@njit(parallel=True, fastmath=SUMS, cache=True)
def lost_sales(keys, on_hand, pipeline, level, mean, holding, penalty, first, count, blocks):
    """`count` periods of one-product lost-sales stores under a base-stock policy, nothing else.

    `pipeline`: (stores, lead time), a ring: what arrives after period t lies at column t modulo the
    lead time. A store keeps its stock in registers through all periods. Returns the sum of costs.
    """
    stores, lead = pipeline.shape
    cost = np.zeros(blocks, np.float64)
    for block in prange(blocks):
        sum_of_block = 0.0
        for b in range(block * stores // blocks, (block + 1) * stores // blocks):
            stock, position = on_hand[b], F(on_hand[b] + pipeline[b].sum())
            for now in range(count):
                key0, key1 = threefry(keys[b, 0], keys[b, 1], U(0), U(first + now))
                asked = poisson(signed(word(key0, key1, 0)), mean)
                ordered = max(level - position, ZERO)
                served = min(asked, stock)
                sum_of_block += holding * (stock - served) + penalty * (asked - served)
                today, later = (first + now) % lead, (first + now + lead - 1) % lead
                pipeline[b, later] += ordered
                arriving = pipeline[b, today]
                pipeline[b, today] = ZERO
                stock = F(stock - served + arriving)
                position = F(position + ordered - served)
            on_hand[b] = stock
        cost[block] = sum_of_block
    return cost.sum()
