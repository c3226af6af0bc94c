"""Numbers that go wrong are skipped, counted and named; extreme stores have none."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evaluation.simulation import simulate
from agents.learning import health
from agents.learning.config import TrainConfig
from agents.learning.iteration import iterate_many
from agents.learning.train_state import TrainState
from agents.learning.trainer import Trainer
from agents.learning.updates import stepped
from agents.policies.heuristics import HeuristicPair, HeuristicParams
from jaxsim import scenarios
from jaxsim.params import Params
from jaxsim.scenarios.scenario import Scenario, ScenarioError, parse
from tests.trees import same

HEURISTIC = HeuristicParams(recommender="margin", safety=1.0, fractile=0.5)
PAIR = json.loads((scenarios.FOLDER / "pair.json").read_text())
SMALL = TrainConfig(stores=8, horizon=4, width=4, minibatches=2, fast_per_slow=2)
TRAINER = SMALL.trainer(HEURISTIC)


@partial(jax.jit, static_argnames="length")
def trained(trainer: Trainer, params: Params, length: int = 6) -> tuple[TrainState, dict]:
    train_state = trainer.init(jax.random.key(0), params)
    return iterate_many(trainer, train_state, params, length)


def finite(tree: object) -> bool:
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return all(np.isfinite(leaf).all() for leaf in leaves)


@pytest.mark.usefixtures("nans_on_purpose")
@pytest.mark.parametrize("wrong", ["loss", "gradient"])
def test_an_update_that_is_not_finite_is_skipped_and_counted(wrong):
    train_state, _ = trained(TRAINER, scenarios.get("pair").params())
    weights = train_state.replenishment
    sound = jnp.float32(1), jax.tree.map(jnp.ones_like, weights)
    bad = {
        "loss": (jnp.float32(jnp.inf), sound[1]),
        "gradient": (sound[0], jax.tree.map(lambda leaf: leaf * jnp.nan, sound[1])),
    }[wrong]
    step = jax.jit(stepped, static_argnums=(2, 3))
    went_wrong = step(TRAINER, train_state, "fast", "replenishment", *bad)
    assert same(
        went_wrong.replace(health=train_state.health).replace(key=0), train_state.replace(key=0)
    )
    now = went_wrong.health["fast"]
    assert (int(now.skipped), int(now.in_a_row), bool(now.loss)) == (1, 1, wrong == "loss")
    assert not health.is_sound(went_wrong.health)
    again = step(TRAINER, went_wrong, "fast", "replenishment", *sound)
    assert int(health.skipped_updates(again.health)) == 1 and health.is_sound(again.health)
    assert int(again.fast_updates - train_state.fast_updates) == 1 and not same(
        again.replenishment, weights
    )
    assert finite(again.replenishment)


def test_too_many_in_a_row_are_named():
    one = jnp.int32(1)
    row = health.Health(one * 60, one * 50, one * 6, jnp.array(True))
    shorter, well = row.replace(in_a_row=one * 49), health.well()
    names = {"critic": "critic", "fast": "recommendation", "slow": "replenishment"}
    assert health.why_to_stop(well | {"slow": shorter}, names) is None
    assert health.why_to_stop(well | {"slow": row}, names) == (
        "replenishment loss: not finite in the last 50 updates, since iteration 7"
    )


def test_a_healthy_training_skips_nothing():
    train_state, metrics = trained(TRAINER, scenarios.get("pair").params())
    assert finite(
        (train_state.replenishment, train_state.recommendation, train_state.critics, metrics)
    )
    assert (metrics["skipped_updates"] == 0).all()


EXTREMES = {
    "rates of 10⁴": {"arrivals": 1e4},
    "prices of 10⁶": {"price": 1e6, "cost": 9e5, "holding": 1e3},
    "no margin": {"price": 3.0, "cost": 3.0},
    "all of it for nothing": {"price": 0.0, "cost": 0.0, "holding": 0.0},
    "no room": {"capacity": 0.0, "overflow": 5.0},
    "nobody comes": {"arrivals": 0.0},
    "wild demand": {"demand_noise": 3.0, "market_noise": 3.0, "market_persistence": 0.99},
    "no orders allowed": {"max_order": 0.0},
}  # fmt: skip


@pytest.mark.parametrize("extreme", EXTREMES.values(), ids=EXTREMES)
def test_an_extreme_store_trains_on_finite_numbers(extreme):
    check_training(parse(PAIR | extreme, "extreme"))


def test_a_store_of_one_product_and_one_segment_with_the_longest_lead_time_trains():
    body = dict(
        name="one", products=["a"], segments=["all"], price=4.0, cost=3.0, holding=0.1,
        utility=[[0.0]], arrivals=3.0, max_lead_time=64, lead_time=64,
    )  # fmt: skip
    check_training(parse(body, "extreme"))


def check_training(scenario: Scenario) -> None:
    train_state, metrics = trained(TRAINER, scenario.params())
    assert finite(metrics) and (metrics["skipped_updates"] == 0).all()
    assert finite(train_state.replace(key=jnp.zeros(())))


FIELDS = {
    **dict.fromkeys(("price", "cost", "holding", "penalty", "order_cost", "overflow"), (0, 1e9)),
    **dict.fromkeys(("arrivals", "no_purchase", "fatigue_weight", "volume"), (0, 1e7)),
    **dict.fromkeys(("substitution", "goodwill_rate", "goodwill_target"), (0, 1)),
    **dict.fromkeys(
        ("market_persistence", "fatigue_memory", "forecast_memory", "stall"), (0, 0.99)
    ),
    **dict.fromkeys(("demand_noise", "market_noise"), (0, 3)),
    **dict.fromkeys(("max_order", "capacity"), (0, 1e9)),
    "lift": (-10, 10),
}
STRANGE = st.one_of(
    st.floats(), st.text(max_size=3), st.none(), st.booleans(), st.lists(st.floats(), max_size=3)
)


def within(name: str) -> st.SearchStrategy:
    low, high = FIELDS[name]
    return st.sampled_from([low, high]) | st.floats(low, high)


@given(st.fixed_dictionaries({}, optional={name: within(name) for name in FIELDS}))
@settings(max_examples=40, deadline=None)
def test_a_valid_scenario_runs(drawn):
    params = parse(PAIR | drawn, "drawn").params()
    totals = simulate(jax.random.key(0), HeuristicPair(HEURISTIC), params, 4, 8, 0)
    assert finite(totals), drawn


@given(st.sampled_from(sorted(Scenario.model_fields)), STRANGE)
@settings(max_examples=150, deadline=None)
def test_any_scenario_runs_or_is_refused_by_name(field, value):
    try:
        scenario = parse(PAIR | {field: value}, "drawn")
    except ScenarioError as refused:
        assert field in str(refused) or field in ("products", "segments", "slot_weight", "utility")
        assert "\n" not in str(refused)
    else:
        assert scenario.params().products == 2
