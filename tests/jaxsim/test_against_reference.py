"""The simulator and the slow customer-by-customer store agree in distribution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxsim import store
from tests.jaxsim.reference import one_period, start_from
from tests.random_stores import random_action, random_params, random_state

PERIODS, SLOW_PATHS, FAST_PATHS = 3, 1500, 40_000
CASES = [
    (27, "poisson", 1), (52, "geometric", 1), (58, "poisson", 1), (162, "poisson", 1),
    (162, "poisson", 2), (268, "poisson", 2, 3), (58, "negative-binomial", 2),
]  # fmt: skip
DEVIATIONS = 4.8


def slow_paths(params, state, actions, seed):
    rng = np.random.default_rng(seed)
    plain = jax.tree.map(np.asarray, params)
    rows = []
    for _ in range(SLOW_PATHS):
        day = start_from(state)
        for action in actions:
            day, happened = one_period(
                rng, day, np.asarray(action.order), np.asarray(action.slate), plain
            )
        rows.append(happened)
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def fast_paths(params, state, actions, seed):
    def path(key):
        now, flows = state, None
        for period, action in enumerate(actions):
            now, flows = store.step(jax.random.fold_in(key, period), now, action, params)
        return now, flows

    keys = jax.random.split(jax.random.key(seed), FAST_PATHS)
    now, flows = jax.device_get(jax.jit(jax.vmap(path))(keys))
    penalty = np.asarray(params.penalty)
    return {
        "asked": flows.asked,
        "served": flows.served,
        "substituted": flows.substituted,
        "sold": flows.sold,
        "waiting": flows.waiting,
        "ordered": flows.ordered,
        "left": flows.left,
        "on_hand": now.on_hand,
        "owed": now.backlog,
        "wasted": flows.wasted,
        "disposal": flows.disposal.sum(-1),
        "lost": flows.lost.sum(-1),
        "missed": flows.missed.sum(-1),
        "goodwill": now.goodwill,
        "market": now.market,
        "revenue": flows.revenue.sum(-1),
        "holding": flows.holding.sum(-1),
        "waiting_cost": (penalty * flows.backlog).sum(-1),
        "overflow": flows.overflow.sum(-1),
        "hidden_cost": (flows.penalty - penalty * (flows.lost + flows.backlog)).sum(-1),
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_the_customer_by_customer_store(case):
    seed, *rest = case
    params = random_params(seed, 3, 2, 2, 2, *rest)
    state = random_state(seed, params)
    actions = [random_action(seed + period, params) for period in range(PERIODS)]
    slow = slow_paths(params, state, actions, seed)
    fast = fast_paths(params, state, actions, seed)
    for name, expected in slow.items():
        got = np.asarray(fast[name], float)
        # The larger of both variances: what is rare may not have happened on the slow paths.
        variance = np.maximum(expected.var(0), got.var(0))
        error = np.sqrt(variance * (1 / SLOW_PATHS + 1 / FAST_PATHS))
        gap = np.abs(got.mean(0) - expected.mean(0))
        assert (gap <= DEVIATIONS * error + 1e-4).all(), (name, gap, error)
    for name in ("asked", "served", "left"):
        for product in range(params.products):
            both = np.concatenate([slow[name][:, product], fast[name][:, product]])
            edges = np.unique(np.quantile(both, np.linspace(0, 1, 9)))
            if len(edges) > 2:
                edges[-1] += 1
                tables = [np.histogram(each[name][:, product], edges)[0] for each in (slow, fast)]
                table = np.stack(tables)
                table = table[:, table.sum(0) > 0]
                assert stats.chi2_contingency(table).pvalue > 1e-5, (name, product)


def test_the_cases_exercise_what_they_should():
    stores = [random_params(seed, 3, 2, 2, 2, *rest) for seed, *rest in CASES]
    assert any((p.lead_time == 0).any() for p in stores)
    assert any(p.backlogged.any() for p in stores)
    assert any(not p.backlogged.all() and p.substitution > 0 for p in stores)
    assert any((p.batch > 1).any() and (p.dispersion > p.batch).any() for p in stores)
    assert any((p.stall > 0).any() for p in stores)
    assert any(bool(p.hide_stockouts & p.charge_missed) and p.penalty.any() for p in stores)
    assert any((p.demand_noise > 0).any() for p in stores)
    assert any(float(jnp.abs(p.goodwill_rate)) > 0 for p in stores)
    assert any((p.shelf_life > 0).any() and 0 < p.fresh_share < 1 for p in stores)
