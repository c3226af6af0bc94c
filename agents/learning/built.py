"""The algorithm that the settings of a training ask for: `TrainConfig` as networks and arrays."""

import jax.numpy as jnp

from agents.devices import ONE, Shards
from agents.learning import timescales
from agents.learning.config import TrainConfig
from agents.learning.networks import Networks, default_networks
from agents.learning.regimes import REGIMES, Department
from agents.learning.settings import Hyperparams, StaticConfig
from agents.learning.timescales import Clocks
from agents.learning.trainer import Trainer
from agents.policies.heuristics import HeuristicParams


def trainer(
    config: TrainConfig,
    heuristic: HeuristicParams,
    shards: Shards | None = None,
    networks: Networks | None = None,
) -> Trainer:
    """Starting from a tuned pair; by default on one device and with the project's own networks."""
    return Trainer(hyperparams(config), heuristic, static_config(config, shards, networks))


def static_config(
    config: TrainConfig, shards: Shards | None = None, networks: Networks | None = None
) -> StaticConfig:
    """The settings that make another compiled program."""
    regime = REGIMES[config.regime]
    return StaticConfig(
        regime=regime,
        networks=networks
        or default_networks(
            config.width,
            config.replenishment_memory,
            config.recommendation_memory,
            single=regime.one_network,
        ),
        learner=config.learner,
        fast=_other(config.fast) if regime.clocks == "reversed" else config.fast,
        stores=config.stores,
        crn_group=config.crn_group,
        horizon=config.horizon,
        tail=config.tail,
        rematerialise=config.rematerialise,
        policy_epochs=config.policy_epochs,
        critic_epochs=config.critic_epochs,
        minibatches=config.minibatches,
        fast_per_slow=config.fast_per_slow if regime.three_clocks else 1,
        by_product=config.values == "product",
        critic_first=config.critic_first,
        max_norm=1.0 if config.learner == "path" else 0.5,
        shards=shards or ONE,
    )


def hyperparams(config: TrainConfig) -> Hyperparams:
    """The settings that runs of one program can differ in."""
    one_clock = not REGIMES[config.regime].three_clocks
    offset = config.schedule_offset or config.iterations / 10
    by_path = config.learner == "path"
    passes = config.critic_epochs / (1 if by_path else config.policy_epochs)
    slow_per_fast = 1 if one_clock or by_path else config.fast_per_slow
    settings = dict(
        critic_rate=config.critic_rate,
        fast_rate=config.fast_rate,
        slow_rate=config.fast_rate if one_clock else config.slow_rate,
        fast_exponent=config.fast_exponent,
        slow_exponent=config.fast_exponent if one_clock else config.slow_exponent,
        # The same moment of the training, counted in each clock's own updates.
        critic_offset=offset * passes,
        fast_offset=offset,
        slow_offset=offset / slow_per_fast,
        warm_up=config.warm_up,
    )
    clocks = Clocks(**{name: jnp.float32(value) for name, value in settings.items()})
    if config.timescales == "constant":
        clocks = timescales.constant(clocks)
    names = (
        "average_reward_rate", "gae_lambda", "clip_eps", "entropy_coef", "cross_product_credit",
        "control_variate", "kpi_mix", "temperature", "temperature_end", "iterations",
        "averaging", "discount", "target_rate", "fresh_share",
    )  # fmt: skip
    return Hyperparams(clocks, **{name: jnp.float32(getattr(config, name)) for name in names})


def _other(department: Department) -> Department:
    return "recommendation" if department == "replenishment" else "replenishment"
