"""The step as a function: batching, timing of orders, common random numbers, choice."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsim import choice, store, views
from jaxsim.records import Action
from jaxsim.scenarios import get
from jaxsim.scenarios.scenario import PRODUCT_FIELDS
from tests.random_stores import one_need, random_action, random_params, random_state, stacked

SIZE = (4, 3, 2, 3)


def one(seed):
    params = random_params(seed, *SIZE)
    return jax.random.key(seed), random_state(seed, params), random_action(seed, params), params


def quiet(**changes):
    """The one-product store with nobody coming, and changes to it."""
    params = get("lost-sales").params()
    fields = {name: jnp.full_like(getattr(params, name), value) for name, value in changes.items()}
    return params.replace(arrivals=jnp.zeros(1)).replace(**fields)


def order_of(units):
    return Action(order=jnp.array([float(units)]), slate=jnp.zeros((1, 1), jnp.int32))


def empty(params):
    state = store.reset(jax.random.key(0), params)
    return state.replace(
        on_hand=jnp.zeros(1), pipeline=jnp.zeros_like(state.pipeline), period=jnp.int32(0)
    )


def test_a_store_begins_with_mean_demand_on_order_and_a_review_more_on_the_shelf():
    params = get("pair").params()
    params = params.replace(
        season=jnp.tile(jnp.array([[1.0, 3.0]]), (2, 1)), review=jnp.array([2, 1]), max_lead_time=2,
        lead_time=jnp.array([2, 1]),
    )  # fmt: skip
    weights = np.exp(np.asarray(params.utility))
    shares = weights / (np.asarray(params.no_purchase)[:, :1] + weights.sum(1, keepdims=True))
    level = 2 * np.asarray(params.arrivals) @ shares  # the season's mean is 2
    begun = store.reset(jax.random.key(0), params)
    np.testing.assert_allclose(begun.on_hand, np.ceil(level * [3, 2]))
    np.testing.assert_allclose(begun.pipeline, [np.round(level), [round(level[0]), 0]])


def test_what_could_not_be_chosen_keeps_its_forecast():
    _, state, action, params = one(6)
    params = params.replace(lead_time=jnp.full(4, 2), season=jnp.ones_like(params.season))
    state = state.replace(on_hand=jnp.array([0.0, 0.0, 50.0, 50.0]), forecast=jnp.full(4, 1e3))
    step = jax.jit(lambda hides: store.step(jax.random.key(0), state, action, hides)[0].forecast)
    hidden, seen = (step(params.replace(hide_stockouts=jnp.array(hide))) for hide in (True, False))
    np.testing.assert_array_equal(hidden[:2], 1e3)
    assert (hidden[2:] < 1e3).all() and (seen < 1e3).all()


def test_sales_of_what_was_shown_are_those_to_the_segments_that_saw_it():
    """Each segment of the pair is shown one product, or both the same one."""
    params = get("pair").params().replace(lead_time=jnp.ones(2, jnp.int32))
    state = store.reset(jax.random.key(0), params).replace(on_hand=jnp.full(2, 50.0))
    for slates, shown in (([[0], [0]], [True, False]), ([[1], [1]], [False, True])):
        action = Action(order=jnp.zeros(2), slate=jnp.array(slates))
        flows = store.step(jax.random.key(1), state, action, params)[1]
        np.testing.assert_allclose(flows.shown_sold, flows.served * np.array(shown), rtol=1e-6)
        assert flows.served.min() > 0


@pytest.mark.parametrize("categories", [1, 2])
def test_no_array_gains_an_axis_by_itself(categories):
    """Traced only: where ranks differ, the axis is written."""
    params = random_params(0, *SIZE, categories=categories)
    case = random_state(0, params), random_action(0, params), params
    with jax.numpy_rank_promotion("raise"):
        jax.eval_shape(store.reset, jax.random.key(0), params)
        jax.eval_shape(store.step, jax.random.key(0), *case)
        jax.eval_shape(views.critic_view, case[0], params)


def test_many_stores_at_once_are_the_same_as_one_by_one():
    cases = [one(seed) for seed in range(5)]
    batch = [stacked([case[part] for case in cases]) for part in range(4)]
    together = jax.jit(jax.vmap(store.step))(*batch)
    alone = stacked([jax.jit(store.step)(*case) for case in cases])
    chex.assert_trees_all_close(together, alone, rtol=1e-5, atol=1e-5)


def test_compiled_is_the_same_as_eager():
    case = one(3)
    chex.assert_trees_all_close(jax.jit(store.step)(*case), store.step(*case), rtol=1e-5, atol=1e-5)


def test_one_trace_serves_every_store_of_a_size():
    traced = chex.assert_max_traces(store.step, n=1)
    compiled = jax.jit(traced)
    for seed in range(4):
        compiled(*one(seed))
    chex.clear_trace_counter()


@pytest.mark.parametrize("lead_time", [0, 1, 2, 4])
def test_an_order_is_on_hand_after_exactly_its_lead_time(lead_time):
    params = quiet(lead_time=lead_time)
    state = empty(params)
    state, flows = store.step(jax.random.key(0), state, order_of(7), params)
    for waited in range(1, lead_time):
        assert state.on_hand[0] == 0, waited
        state, _ = store.step(jax.random.key(waited), state, order_of(0), params)
    assert state.on_hand[0] == 7
    assert (flows.left[0] == 7) == (lead_time == 0)


def test_lead_time_zero_serves_todays_customers():
    params = quiet(lead_time=0).replace(arrivals=jnp.array([1000.0]))
    _, flows = store.step(jax.random.key(0), empty(params), order_of(7), params)
    assert flows.served[0] == 7


def test_stalled_orders_wait_and_never_cross():
    params = quiet(lead_time=2)
    state = empty(params)
    chance = store.draw(jax.random.key(0), params)
    stall, move = chance.replace(stall=jnp.zeros(1)), chance.replace(stall=jnp.ones(1))
    params = params.replace(stall=jnp.array([0.5]))
    state, _ = store.advance(stall, state, order_of(3), params)
    state, _ = store.advance(move, state, order_of(5), params)
    assert state.on_hand[0] == 0
    state, _ = store.advance(move, state, order_of(0), params)
    assert state.on_hand[0] == 8  # the later order caught up with the stalled one, no further


def test_waiting_customers_are_served_first_at_full_price():
    params = quiet(lead_time=1, backlogged=True, price=10.0)
    state = empty(params).replace(backlog=jnp.array([4.0]))
    state, flows = store.step(jax.random.key(0), state, order_of(6), params)
    assert (state.on_hand[0], state.backlog[0]) == (2, 0)
    assert (flows.backlog_served[0], flows.revenue[0]) == (4, 40)


def test_the_same_chance_is_the_same_customers_under_any_policy():
    key, state, action, params = one(5)
    params = params.replace(hide_stockouts=jnp.array(False))
    other = action.replace(order=action.order + 3)
    _, flows = store.step(key, state, action, params)
    _, again = store.step(key, state, other, params)
    np.testing.assert_array_equal(flows.asked, again.asked)
    assert (flows.ordered != again.ordered).any()


def test_orders_are_whole_packs_and_their_slope_is_one():
    params = quiet(pack=6.0, max_order=20.0)
    ordered = {
        wish: float(
            store.step(jax.random.key(0), empty(params), order_of(wish), params)[1].ordered[0]
        )
        for wish in (0, 2, 4, 7, 9.1, 19, 40)
    }
    assert ordered == {0: 0, 2: 0, 4: 6, 7: 6, 9.1: 12, 19: 18, 40: 18}

    def units(wish):
        return store.order(
            empty(params), Action(jnp.array([wish]), jnp.zeros((1, 1), int)), params
        )[1].sum()

    assert float(jax.grad(units)(8.0)) == 1.0


def test_hidden_products_are_not_asked_for():
    _, state, action, params = one(6)
    params = params.replace(hide_stockouts=jnp.array(True), lead_time=jnp.full(4, 2))
    state = state.replace(on_hand=state.on_hand.at[0].set(0))
    steps = jax.jit(jax.vmap(lambda key: store.step(key, state, action, params)[1].asked))
    asked = steps(jax.random.split(jax.random.key(0), 200))
    assert asked[:, 0].sum() == 0
    assert asked[:, 1:].sum() > 0


def test_hiding_costs_what_asking_in_vain_costs_when_everybody_asks_again():
    """By the logit: those who want an absent product and choose again among the rest leave as
    often as those from whom it is hidden. The hidden ones are an expectation, nobody's draw."""
    _, state, action, params = one(6)
    params = params.replace(
        substitution=jnp.float32(1.0), lead_time=jnp.full(4, 2), demand_noise=jnp.zeros(4),
        backlogged=jnp.zeros(4, bool), no_purchase=jnp.ones((params.segments, 1)),
    )  # fmt: skip
    plenty = state.replace(on_hand=jnp.array([0.0, 500, 500, 500]), backlog=jnp.zeros(4))
    keys = jax.random.split(jax.random.key(0), 20_000)

    @jax.jit
    def missed(hidden):
        shop = params.replace(hide_stockouts=hidden)
        return jax.vmap(lambda key: store.step(key, plenty, action, shop)[1].missed[0])(keys)

    asking, hiding = missed(jnp.array(False)), missed(jnp.array(True))
    error = asking.std() / len(keys) ** 0.5
    assert asking.mean() > 20 * error
    assert abs(asking.mean() - hiding.mean()) < 4 * error
    np.testing.assert_allclose(hiding, hiding[0], rtol=1e-5)


def test_choice_shares_are_the_published_ones():
    weights = jnp.array([[1.0, 0.7, 0.4]])
    one_outside = one_need(1, 3)
    all_three = choice.choice_shares(weights, jnp.ones(3), one_outside)
    np.testing.assert_allclose(all_three[0], [0.32258, 0.22581, 0.12903], atol=1e-5)
    without_first = choice.choice_shares(weights, jnp.array([0.0, 1, 1]), one_outside)
    np.testing.assert_allclose(without_first[0], [0, 0.33333, 0.19048], atol=1e-5)


def test_nobody_buys_where_nothing_is_on_offer():
    shares = choice.choice_shares(jnp.ones((2, 3)), jnp.zeros(3), one_need(2, 3, 0.0))
    np.testing.assert_array_equal(shares, 0)


def test_customers_choose_with_the_mnl_shares():
    params = get("pair").params().replace(lift=jnp.zeros(2), arrivals=jnp.array([5.0, 0.0]))
    state = store.reset(jax.random.key(0), params).replace(on_hand=jnp.full(2, 1e4))
    nothing = Action(order=jnp.zeros(2), slate=jnp.zeros((2, 1), jnp.int32))
    keys = jax.random.split(jax.random.key(1), 400_000)
    asked = jax.jit(jax.vmap(lambda key: store.step(key, state, nothing, params)[1].asked))(keys)
    weights = np.exp(np.asarray(params.utility[0]))
    expected = 5 * weights / (1 + weights.sum())
    error = np.sqrt(expected / len(keys))
    np.testing.assert_array_less(np.abs(asked.mean(0) - expected), 4.5 * error)


SHARED = (
    "arrivals", "lift", "slot_weight", "season", "fatigue_weight", "fatigue_memory", "substitution",
    "hide_stockouts", "charge_missed", "market_persistence", "market_noise", "forecast_memory",
)  # fmt: skip
"""What two stores have in common that are to be one; goodwill and room have no part in it."""


def joined(trees: list, fields: tuple[str, ...]) -> dict[str, jax.Array]:
    """These fields of both, side by side."""
    return {
        field: jnp.concatenate([getattr(each, field) for each in trees], -1) for field in fields
    }


@pytest.mark.parametrize("hidden", [False, True])
def test_two_stores_side_by_side_are_one_store_of_two_categories(hidden):
    """Number for number. Each slate shows a product of each, as the slates of both stores do."""
    params = [
        random_params(seed, 3, 2, 1, 3).replace(
            goodwill_rate=jnp.float32(0.0), overflow=jnp.float32(0.0),
            hide_stockouts=jnp.array(hidden), no_purchase=jnp.full((2, 1), 1.0 + seed % 2),
            substitution=jnp.float32(0.9), backlogged=jnp.zeros(3, bool),
            arrivals=jnp.array([40.0, 50.0]),
        )
        for seed in (11, 12)
    ]  # fmt: skip
    params[1] = params[1].replace(**{field: getattr(params[0], field) for field in SHARED})
    states = [random_state(seed, each) for seed, each in zip((1, 2), params, strict=True)]
    states = [
        each.replace(on_hand=jnp.array(stock), backlog=jnp.zeros(3))
        for each, stock in zip(states, ([1.0, 0.0, 200.0], [200.0, 2.0, 0.0]), strict=True)
    ]
    states[1] = states[1].replace(
        market=states[0].market, goodwill=states[0].goodwill, period=states[0].period
    )
    actions = [random_action(seed, each) for seed, each in zip((3, 4), params, strict=True)]
    chances = [store.draw(jax.random.key(seed), params[0]) for seed in (5, 6)]
    chances[1] = chances[1].replace(market=chances[0].market, spill=chances[0].spill)

    whole = params[0].replace(
        **joined(params, (*PRODUCT_FIELDS, "utility", "no_purchase")),
        category=jnp.repeat(jnp.arange(2), 3), slot_weight=jnp.ones(2),
    )  # fmt: skip
    of_state = ("on_hand", "pipeline", "backlog", "fatigue", "forecast", "sold", "lost")
    state = states[0].replace(**joined(states, of_state))
    slate = jnp.concatenate([actions[0].slate, actions[1].slate + 3], -1)
    action = Action(**joined(actions, ("order",)), slate=slate)
    chance = chances[0].replace(**joined(chances, ("demand", "shock", "stall")))

    advance = jax.jit(store.advance)
    after, flows = advance(chance, state, action, whole)
    apart = [advance(*each) for each in zip(chances, states, actions, params, strict=True)]
    for name, leaf in joined([each for _, each in apart], tuple(vars(flows))).items():
        np.testing.assert_allclose(getattr(flows, name), leaf, rtol=1e-5, atol=1e-5, err_msg=name)
    for name, leaf in joined([each for each, _ in apart], of_state).items():
        np.testing.assert_allclose(getattr(after, name), leaf, rtol=1e-5, atol=1e-5, err_msg=name)
    assert flows.substituted[:3].sum() > 0 and flows.substituted[3:].sum() > 0


@pytest.mark.parametrize(("products", "life"), [(1, 0), (2, 0), (3, 4)])
def test_all_that_is_drawn_in_a_period_is_drawn_apart(products, life):
    """No two numbers of a chance, also of the next period's, have anything in common."""
    params = random_params(0, products, 2, 1, 2, max_shelf_life=life)
    keys = jax.random.split(jax.random.key(0), 20_000)
    chances = jax.jit(jax.vmap(lambda key: store.draw(key, params)))(keys)
    leaves = [np.asarray(leaf, float).reshape(len(keys), -1) for leaf in jax.tree.leaves(chances)]
    drawn = np.concatenate(leaves, -1)
    assert drawn.shape[1] >= (4 if life else 3) * products + 2
    drawn = np.concatenate([drawn[1:], drawn[:-1]], -1)
    correlation = np.corrcoef(drawn.T) - np.eye(drawn.shape[1])
    assert np.abs(correlation).max() < 5 / np.sqrt(len(keys))


def test_a_hidden_product_would_be_asked_for_as_often_as_if_it_alone_came_back():
    """What its first unit is worth depends on it (`jaxsim.slopes`)."""
    key, state, action, params = one(6)
    params = params.replace(hide_stockouts=jnp.array(True), demand_noise=jnp.full(4, 0.5))
    state = state.replace(on_hand=jnp.array([0.0, 3.0, 0.0, 5.0]))
    chance = store.draw(key, params)
    shock = np.exp(0.5 * np.asarray(chance.shock, float) - 0.125)
    found = store.demand(chance, state, action, params)
    for product in (0, 2):
        back = state.replace(on_hand=state.on_hand.at[product].set(1.0))
        rates = store.demand(chance, back, action, params).rates[:, product]
        np.testing.assert_allclose(found.on_offer[:, product], rates * shock[product], rtol=1e-5)
    np.testing.assert_array_equal(found.on_offer[:, 1::2], found.rates[:, 1::2])
    np.testing.assert_array_equal(found.rates[:, ::2], 0)
