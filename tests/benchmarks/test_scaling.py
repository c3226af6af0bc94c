"""The calculation of how an iteration scales, and the page's numbers."""

from pathlib import Path

import jax
import pytest

from agents.devices import Shards
from agents.learning.config import TrainConfig
from benchmarks.scaling import Config, predicted, reductions, started, weight_bytes

PAGE = (Path(__file__).parents[2] / "docs" / "scale-out.md").read_text(encoding="utf-8")


def test_the_page_counts_reductions_and_bytes_as_the_code_does():
    config = Config()
    train_state = jax.eval_shape(lambda: started(config, config.stores, Shards())[1])
    count, most = (
        reductions(config.training(config.stores).static_config()),
        weight_bytes(train_state),
    )
    assert f"$R$ is at most {count}" in PAGE and f"{max(most.values()):,} bytes" in PAGE


def test_one_network_counts_both_decisions_and_has_no_slow_updates():
    shape = TrainConfig.by_score(
        regime="single", critic_epochs=2, minibatches=4, policy_epochs=1
    ).static_config()
    assert reductions(shape) == 2 * 4 + 3 * 4 + 8


@pytest.mark.parametrize(
    ("devices", "cores", "turns"), [(1, 2, 1), (2, 2, 1), (4, 2, 2), (4, None, 1)]
)
def test_devices_take_turns_where_cores_are_fewer(devices, cores, turns):
    reducing = 0 if devices == 1 else 10 * 0.001
    assert predicted(0.5, 0.001, 10, devices, cores) == pytest.approx(0.5 * turns + reducing)
