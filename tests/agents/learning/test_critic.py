"""What the critic is shown and asked for, against the same sums in plain NumPy."""

from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from numpy.polynomial import hermite_e
from scipy import stats

from agents.learning import critic
from agents.learning.config import TrainConfig
from agents.learning.critic import CriticBatch, Experience
from agents.learning.networks import CHANCE_COLUMNS
from jaxsim.records import Chance, Flows
from tests.random_stores import random_params

PERIODS, STORES, PRODUCTS, COLUMNS = 3, 12, 2, 4


@dataclass(frozen=True)
class Told:
    """A critic that is shown the answer: a value, times a weight, and responses, times another
    weight and what was decided."""

    def apply(self, weights: Any, view: Array, decision: Array) -> tuple[Array, Array]:
        return weights["value"] * view[:, 0], weights["response"] * decision * view[:, 1:]


WEIGHTS = {"value": jnp.float32(1.5), "response": jnp.float32(-0.5)}


def experience_of(rng: np.random.Generator) -> Experience:
    """Any numbers at all; responses change with the decision."""
    shape = (PERIODS, STORES, PRODUCTS)
    return Experience(
        view=normal(rng, *shape, 1 + COLUMNS),
        decision=normal(rng, *shape, 1),
        chance=normal(rng, *shape, COLUMNS),
        reward=normal(rng, *shape),
    )


def normal(rng: np.random.Generator, *shape: int) -> Array:
    return jnp.asarray(rng.standard_normal(shape), jnp.float32)


def said(seen: Experience) -> tuple[np.ndarray, np.ndarray]:
    """What `Told` says, and how far its responses predict the difference: (T, B, N) each."""
    view, decision, chance = (np.asarray(each) for each in (seen.view, seen.decision, seen.chance))
    return 1.5 * view[..., 0], (-0.5 * decision * view[..., 1:] * chance).sum(-1)


def chance_of(products: int) -> Chance:
    """A chance with both tails of the signed uniform in it."""
    rng = np.random.default_rng(products)
    return Chance(
        demand=jnp.asarray(rng.uniform(-0.5, 0.5, products), jnp.float32),
        shock=normal(rng, products),
        stall=jnp.full(products, 0.5),
        market=jnp.float32(0.7),
        spill=jnp.float32(0.2),
    )


@pytest.mark.parametrize("products", [1, 2, 5])
def test_columns_of_chance_are_standardised_scores(products):
    """Hermite polynomials He_n have variance n!; a uniform has variance 1 / 12."""
    chance = chance_of(products)
    uniform = np.asarray(chance.demand, float)
    score = stats.norm.ppf(np.where(uniform < 0, uniform + 1, uniform))
    hermite = [
        hermite_e.hermeval(score, [0] * degree + [1]) / np.sqrt(variance)
        for degree, variance in ((1, 1), (2, 2), (3, 6), (4, 24))
    ]
    others = np.zeros((2, products))
    for row, scores in enumerate(hermite[:2]):
        for product in range(products):
            rest = np.delete(scores, product)
            others[row, product] = rest.sum() / np.sqrt(len(rest)) if len(rest) else 0.0
    everybody = np.full(products, 0.7), np.full(products, (0.2 - 0.5) / np.sqrt(1 / 12))
    expected = [*hermite, *others, score * others[0], np.asarray(chance.shock), *everybody]
    found = critic.chance_columns(chance)
    assert found.shape == (products, CHANCE_COLUMNS)
    np.testing.assert_allclose(found, np.stack(expected, -1), rtol=1e-5, atol=1e-5)


def test_an_order_is_counted_in_spreads_of_mean_demand():
    """Twelve customers, five products: 2.4 units a day of each, and a spread of √(2.4 + 1)."""
    params = random_params(0, 5, 2, 2, 1).replace(arrivals=jnp.array([9.0, 3.0]))
    nothing = Flows(**{each.name: jnp.zeros(5) for each in fields(Flows)})
    attention, ordered = np.array([1.0, 0.25, 0, 0, 0]), np.array([0.0, 2, 7, 1, 0])
    flows = nothing.replace(attention=jnp.asarray(attention), ordered=jnp.asarray(ordered))
    found = critic.decision_columns(flows, params)
    assert found.shape == (5, critic.DECISION_COLUMNS)
    np.testing.assert_allclose(found, np.stack([attention, ordered / np.sqrt(3.4)], -1), rtol=1e-6)


@pytest.mark.parametrize(
    ("crn_group", "control_variate"), [(1, 0.7), (2, 1.0), (4, 0.0), (6, 0.7), (12, 0.7)]
)
def test_advantages_are_sums_of_differences_without_their_luck(crn_group, control_variate):
    """Luck is what the critic predicts from chance, and the mean of the rest over the other stores
    of the group. The critic's own target is free of the first alone."""
    config = TrainConfig.by_score(
        stores=STORES, crn_group=crn_group, control_variate=control_variate, gae_lambda=0.8
    )
    static = config.static_config()
    static = replace(static, networks=replace(static.networks, critic=Told()))
    rng = np.random.default_rng(crn_group)
    seen, last = experience_of(rng), normal(rng, STORES, PRODUCTS, 1 + COLUMNS)
    average = np.array([0.4, -0.3])
    advantage, batch, off = critic.advantages_of(
        static, config.hyperparams(), WEIGHTS, jnp.asarray(average, jnp.float32), seen, last
    )

    values, predicted = said(seen)
    following = np.concatenate([values[1:], 1.5 * np.asarray(last)[None, ..., 0]])
    td_error = np.asarray(seen.reward) - average + following - values
    residual = td_error - control_variate * predicted
    cleared = residual.copy()
    for store in range(STORES if crn_group > 1 else 0):
        first = store - store % crn_group
        others = [each for each in range(first, first + crn_group) if each != store]
        cleared[:, store] -= residual[:, others].mean(1)

    def summed(differences: np.ndarray) -> np.ndarray:
        return np.stack(
            [
                sum(0.8 ** (later - t) * differences[later] for later in range(t, PERIODS))
                for t in range(PERIODS)
            ]
        )

    close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    close(advantage, summed(cleared))
    close(batch.td_error, td_error)
    close(batch.target, values + summed(residual))
    close(off, residual.mean((0, 1)))
    assert batch.seen is seen


def test_the_critic_loses_half_its_squared_errors_of_values_and_of_differences():
    rng = np.random.default_rng(0)
    seen = experience_of(rng)
    target, td_error = (normal(rng, PERIODS, STORES, PRODUCTS) for _ in range(2))
    loss = critic.value_loss(Told(), WEIGHTS, CriticBatch(seen, target, td_error))
    values, predicted = said(seen)
    errors = np.mean((values - np.asarray(target)) ** 2)
    errors += np.mean((predicted - np.asarray(td_error)) ** 2)
    assert float(loss) == pytest.approx(0.5 * errors, rel=1e-5)


def one_device(mean: Array) -> Array:
    return mean


def test_advantages_are_standardised_over_the_whole_batch():
    advantage = 3 * normal(np.random.default_rng(0), 4, 6, 2) + 5
    found = critic.standardised(advantage, one_device)
    exact = np.asarray(advantage, float)
    np.testing.assert_allclose(found, (exact - exact.mean()) / exact.std(), atol=1e-5)


def test_advantages_of_all_devices_are_standardised_together():
    advantage = 3 * normal(np.random.default_rng(1), 2, 4, 3, 2) + jnp.arange(2.0).reshape(
        2, 1, 1, 1
    )
    together = partial(jax.lax.pmean, axis_name="devices")
    own = jax.vmap(lambda part: critic.standardised(part, together), axis_name="devices")
    np.testing.assert_allclose(
        own(advantage), critic.standardised(advantage, one_device), atol=1e-5
    )


def test_advantages_without_a_spread_are_none():
    """Rounding errors are not blown up: a millionth of spread counts for half of one."""
    assert not critic.standardised(jnp.full((2, 3, 1), 0.25), one_device).any()
    tiny = jnp.array([1e-6, -1e-6]).reshape(2, 1, 1)
    np.testing.assert_allclose(
        critic.standardised(tiny, one_device).reshape(2), [0.5, -0.5], rtol=1e-4
    )
