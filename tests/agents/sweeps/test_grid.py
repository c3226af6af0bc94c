"""A grid becomes runs that are trainings of their own; what cannot differ is refused by name."""

import pytest

from agents.errors import ConfigError, ScheduleError
from agents.learning.config import TrainConfig
from agents.sweeps import settings
from agents.sweeps.grid import STORE_FIELDS, TRAINING_FIELDS, parse_grid, planned_runs
from agents.sweeps.memory import fit, parse_size
from agents.sweeps.settings import EngineConfig, SweepConfig
from jaxsim.scenarios import get
from jaxsim.scenarios.scenario import ScenarioError

PAIR = get("pair")


def planned(*options: str, seeds: int = 2):
    return planned_runs(TrainConfig(scenario="pair", seed=5), PAIR, parse_grid(options), seeds)


def test_every_combination_has_every_seed():
    runs = planned("slow.rate=3e-4,1e-3", "lead-time=0,4", "hide_stockouts=true")
    assert [run.number for run in runs] == list(range(8))
    assert [run.config.seed for run in runs] == [5, 6] * 4
    assert [run.config.slow_rate for run in runs] == [3e-4] * 4 + [1e-3] * 4
    assert [run.scenario.lead_time for run in runs] == [0, 0, 4, 4] * 2
    assert {run.scenario.max_lead_time for run in runs} == {4}
    assert all(run.scenario.hide_stockouts for run in runs)
    assert runs[2].settings == {"slow_rate": 3e-4, "lead_time": 4, "hide_stockouts": True}


def test_a_factor_keeps_the_products_apart():
    (run,) = planned("price=x1.5", seeds=1)
    assert run.scenario.params().price.tolist() == (1.5 * PAIR.params().price).tolist()


def test_half_of_a_cap_of_five_is_a_cap_of_two():
    scarce = PAIR.model_copy(update={"max_order": [5.0, 3.0]})
    (run,) = planned_runs(TrainConfig(), scarce, parse_grid(["max_order=x0.5"]), 1)
    assert run.scenario.params().order_cap.tolist() == [2, 1]


@pytest.mark.parametrize("field", TRAINING_FIELDS + STORE_FIELDS)
def test_every_field_offered_can_be_set(field):
    kind = {"shelf_life": "2", "arrival_age": "1", "backlogged": "true", "hide_stockouts": "true"}
    kind |= {
        "review": "2",
        "lead_time": "1",
        "pack": "6",
        "batch": "1",
        "dispersion": "1",
        "charge_missed": "false",
        "slow_exponent": "0.9",
        "fast_exponent": "0.6",
        "goodwill_ceiling": "1.5",
    }
    (run,) = planned(f"{field}={kind.get(field, '0.25')}", seeds=1)
    held = run.config if field in TRAINING_FIELDS else run.scenario
    assert getattr(held, field) == run.settings[field]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("width=8,16", "grid: width is the same for all runs of one program; allowed: critic_rate"),
        ("regime=joint", "grid: regime is the same for all runs"),
        ("speed=1", "grid: speed is no setting; allowed: critic_rate"),
        ("slow_rate", "grid: slow_rate=nothing; allowed: a number"),
        ("slow_rate=1e-3,fast", "grid: slow_rate=fast; allowed: a number"),
        ("slow_rate=x2", "grid: slow_rate=x2; allowed: a number"),
        ("clip_eps=0", "clip_eps: 0.0; allowed: above 0"),
    ],
)
def test_what_cannot_be_is_refused_by_name(option, said):
    with pytest.raises(ConfigError) as refused:
        planned(option)
    assert str(refused.value).startswith(said)


def test_other_refusals_name_their_field_too():
    with pytest.raises(ConfigError, match="slow_rate is given twice"):
        planned("slow_rate=1e-3", "slow.rate=2e-3")
    with pytest.raises(ScheduleError, match="slow_exponent"):
        planned("slow_exponent=0.5")
    with pytest.raises(ScenarioError, match="grid: pair: substitution: 2"):
        planned("substitution=2")


def test_chunks_are_equal_and_fit():
    asked = []

    def size_of(number: int) -> int:
        asked.append(number)
        return 50 + 100 * number

    assert fit(size_of, runs=16, most=16, limit=2000) == (1650, 16)
    assert fit(size_of, runs=16, most=7, limit=2000) == (650, 6)
    assert asked == [16, 6]
    assert fit(size_of, runs=16, most=16, limit=900) == (850, 8)
    with pytest.raises(ConfigError, match="memory: 149B; allowed: at least 150B"):
        fit(size_of, runs=16, most=16, limit=149)


def test_sizes_are_read():
    assert parse_size("8GiB") == 2**33 and parse_size("500MB") == 500_000_000
    for wrong in ("much", "0", "-3GiB"):
        with pytest.raises(ConfigError, match=f"memory: {wrong}; allowed"):
            parse_size(wrong)


def test_a_cluster_without_its_extra_is_refused_by_the_name_of_the_extra(monkeypatch):
    monkeypatch.setattr(settings, "find_spec", lambda name: None)
    SweepConfig().validate()
    with pytest.raises(ConfigError, match=r"engine: ray is not installed; pip install .*\[ray\]"):
        SweepConfig(engine=EngineConfig("ray")).validate()
