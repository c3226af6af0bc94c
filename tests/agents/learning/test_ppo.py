"""The loss descends where the exact policy gradient ascends, on a store of nine states.

Every decision in every state is in the record, weighed by how often it is taken; its advantage is
exact. So the gradient of the loss is minus that of the average profit (the policy gradient theorem,
Sutton et al. 2000), without noise.
"""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct
from jaxtyping import Array

from agents.learning import ppo
from agents.theory.convergence import tiny_store
from jaxsim.exact.tabular import Logits, Tabular, tabular

SHELF = 2  # units
CLIP = 0.2


class Record(struct.PyTreeNode):
    """Decisions, leading axes (periods, stores)."""

    state: Array
    choice: Array  # (..., 1): a slate; (..., N): units ordered by product
    log_probability: Array
    memory: Array


class Table(struct.PyTreeNode):
    """A department whose scores are its weights: (Z, choices, values of each)."""

    weights: Array
    network = SimpleNamespace(memory="none")

    def assess(self, weights: Array, now: Record, memory: Array) -> tuple[Array, Array, Array]:
        scores = jax.nn.log_softmax(weights[now.state])
        entropy = -(jnp.exp(scores) * jnp.where(jnp.isfinite(scores), scores, 0.0)).sum()
        chosen = jnp.take_along_axis(scores, now.choice[:, None], -1)
        return chosen.sum(), entropy, memory


@pytest.fixture(scope="module")
def small() -> Tabular:
    return tabular(tiny_store(), SHELF)


@pytest.fixture(scope="module")
def logits(small: Tabular) -> Logits:
    """Departments that prefer something, so that no gradient is 0 by symmetry."""
    one, other = jax.random.split(jax.random.key(0))
    start = small.start()
    return Logits(
        0.5 * jax.random.normal(one, start.slates.shape),
        0.5 * jax.random.normal(other, start.orders.shape),
    )


@pytest.fixture(scope="module")
def decisions(small: Tabular, logits: Logits) -> SimpleNamespace:
    """Every state, slate and joint order: what they are, how often, and their exact advantages."""
    states, slates, products = len(small.room), len(small.slates), small.params.products
    orders = np.stack(np.unravel_index(np.arange((SHELF + 1) ** products), (SHELF + 1,) * products))
    z, a, j = (each.reshape(-1) for each in np.indices((states, slates, orders.shape[1])))
    by_slate = np.asarray(jax.nn.softmax(logits.slates), float)
    by_order = np.asarray(jax.nn.softmax(small.order_logits(logits.orders)), float)
    chance = by_slate[z, a] * by_order[z[:, None], np.arange(products), orders.T[j]].prod(-1)
    rewards = np.asarray(small.rewards, float)[a, j, z]
    moves = np.asarray(small.moves, float)[a, j, z]
    reward, move = np.zeros(states), np.zeros((states, states))
    np.add.at(reward, z, chance * rewards)
    np.add.at(move, z, chance[:, None] * moves)
    balance = np.vstack([np.eye(states) - move.T, np.ones(states)])
    share = np.linalg.lstsq(balance, np.append(np.zeros(states), 1.0), rcond=None)[0]
    average = share @ reward
    value = np.linalg.solve(np.eye(states) - move + share, reward - average)
    possible = chance > 0  # orders that do not fit the shelf have no logarithm
    return SimpleNamespace(
        state=jnp.asarray(z[possible]),
        slate=jnp.asarray(a[possible])[:, None],
        order=jnp.asarray(orders.T[j[possible]]),
        mass=jnp.asarray((share[z] * chance)[possible]),
        advantage=jnp.asarray((rewards - average + moves @ value - value[z])[possible]),
        average=average,
    )


def recorded(weights: Array, state: Array, choice: Array) -> Record:
    """As these weights would have decided."""
    nothing = jnp.zeros(len(state))
    record = Record(state, choice, nothing, nothing)
    scores = jax.vmap(Table(weights).assess, (None, 0, 0))(weights, record, nothing)[0]
    return jax.tree.map(lambda leaf: leaf[None], record.replace(log_probability=scores))


@pytest.mark.parametrize("department", ["slates", "orders"])
def test_the_loss_descends_along_the_exact_policy_gradient(small, logits, decisions, department):
    assert small.profit(logits) == pytest.approx(decisions.average, rel=1e-5)
    exact = getattr(jax.grad(small.profit)(logits), department)
    if department == "slates":
        weights, choice = logits.slates[:, None], decisions.slate
    else:
        weights, choice = small.order_logits(logits.orders), decisions.order
    record = recorded(weights, decisions.state, choice)

    def mean(each: Array) -> Array:
        return (decisions.mass * each[0]).sum()

    def loss(weights: Array) -> Array:
        return ppo.loss(Table(weights), record, decisions.advantage[None], CLIP, 0.0, mean)[0]

    found = jax.grad(loss)(weights).reshape(exact.shape)
    room = np.asarray(small.room) if department == "orders" else np.ones(exact.shape, bool)
    assert np.abs(exact[room]).max() > 0.01
    np.testing.assert_allclose(-found[room], exact[room], atol=2e-6)


@pytest.mark.parametrize(
    ("ratio", "advantage", "gain", "moves"),
    [
        (1.5, 1.0, 1.2, False), (1.5, -1.0, -1.5, True),
        (0.5, 1.0, 0.5, True), (0.5, -1.0, -0.8, False),
        (1.1, 1.0, 1.1, True), (0.9, -1.0, -0.9, True),
    ],
)  # fmt: skip
def test_a_step_beyond_the_clip_is_not_rewarded_but_one_that_harms_is_undone(
    ratio, advantage, gain, moves
):
    """The four corners of figure 1 of Schulman et al. (2017), and inside."""
    weights = jnp.zeros((1, 1, 2))
    record = recorded(weights, jnp.zeros(1, int), jnp.zeros((1, 1), int))
    record = record.replace(log_probability=record.log_probability - jnp.log(ratio))

    def loss(weights: Array) -> Array:
        given = jnp.full((1, 1), advantage)
        return ppo.loss(Table(weights), record, given, CLIP, 0.0, jnp.mean)[0]

    assert loss(weights) == pytest.approx(-gain)
    slope = jax.grad(loss)(weights)[0, 0, 0]
    assert slope == pytest.approx(-advantage * ratio / 2 if moves else 0.0)


def test_a_bonus_on_entropy_evens_out_what_is_chosen():
    weights = jnp.array([[[1.0, 0.0, 0.0]]])
    record = recorded(weights, jnp.zeros(1, int), jnp.zeros((1, 1), int))

    def loss(weights: Array) -> Array:
        return ppo.loss(Table(weights), record, jnp.zeros((1, 1)), CLIP, 0.1, jnp.mean)[0]

    shares = np.exp([1.0, 0, 0]) / np.exp([1.0, 0, 0]).sum()
    assert loss(weights) == pytest.approx(0.1 * (shares * np.log(shares)).sum())
    slope = jax.grad(loss)(weights)[0, 0]
    assert slope[0] > 0 > slope[1] == pytest.approx(slope[2])


def test_the_parts_of_the_loss_are_said():
    """The change is estimated by r - 1 - ln r of the ratio, which is never negative."""
    weights, before = jnp.array([[[0.0, 0.0]]]), np.log([0.25, 0.8])
    record = Record(jnp.zeros((1, 2), int), jnp.array([[[0], [1]]]), jnp.asarray(before)[None],
                    jnp.zeros((1, 2)))  # fmt: skip
    advantage = np.array([[1.0, -2.0]])
    total, parts = ppo.loss(Table(weights), record, jnp.asarray(advantage), CLIP, 0.1, jnp.mean)
    ratio = 0.5 / np.array([0.25, 0.8])
    gain = np.minimum(ratio * advantage, np.clip(ratio, 0.8, 1.2) * advantage) + 0.1 * np.log(2)
    assert float(total) == float(parts["loss"]) == pytest.approx(-gain.mean(), rel=1e-5)
    assert float(parts["entropy"]) == pytest.approx(np.log(2), rel=1e-5)
    assert float(parts["change"]) == pytest.approx((ratio - 1 - np.log(ratio)).mean(), rel=1e-5)


class Counter(struct.PyTreeNode):
    """A department that remembers the sum of what it saw, and decides with that logarithm."""

    network: SimpleNamespace = struct.field(pytree_node=False)

    def assess(self, weights: Array, now: Record, memory: Array) -> tuple[Array, Array, Array]:
        return weights * memory, jnp.zeros(()), memory + now.state


@pytest.mark.parametrize(("memory", "replayed"), [("gru", True), ("ewma", False), ("none", False)])
def test_a_learned_memory_is_replayed_from_the_first_and_any_other_is_as_recorded(memory, replayed):
    seen = jnp.array([[1, 10], [2, 20], [3, 30]])
    known = jnp.array([[5, 7], [100, 100], [200, 300]])
    record = Record(seen, seen[..., None], jnp.zeros((3, 2)), known)
    found, _ = ppo.assessed(Counter(SimpleNamespace(memory=memory)), jnp.array(2), record)
    sums = known[:1] + jnp.cumsum(seen, 0) - seen
    np.testing.assert_array_equal(found, 2 * (sums if replayed else known))
