"""What `import jaxsim` gives a stranger: stores by name, in any interface, and versions."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import chex
import gymnasium
import jax
import numpy as np
import pytest

import jaxsim
from jaxsim import scenarios, store
from jaxsim.adapters.gymnasium_env import StoreEnv, StoreVectorEnv
from jaxsim.adapters.gymnax_env import StoreEnvironment
from jaxsim.adapters.pettingzoo_env import StoreParallelEnv
from jaxsim.adapters.registration import id_of
from jaxsim.adapters.task import Task
from jaxsim.environment import ADAPTERS
from tests.random_stores import random_action

ROOT = Path(__file__).parents[2]
KEY = jax.random.key(0)


def run(program: str, **options) -> str:
    """What a Python program prints, in a process of its own."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def test_everything_that_is_public_is_there():
    assert all(hasattr(jaxsim, name) for name in jaxsim.__all__)
    assert set(jaxsim.__all__) >= {
        "Action", "Flows", "Params", "Policy", "State", "Trajectory", "make", "rollout",
        "rollout_sums", "scenarios", "versions", "__version__",
    }  # fmt: skip
    assert (Path(jaxsim.__file__).parent / "py.typed").exists()


def test_a_store_by_name_is_two_pure_functions_and_names():
    env, params = jaxsim.make("pair")
    assert (env.name, env.products) == ("pair", ("left", "right"))
    assert env.segments == ("likes left", "likes right")
    state, action = env.reset(KEY, params), random_action(0, params)
    chex.assert_trees_all_equal(state, store.reset(KEY, params))
    chex.assert_trees_all_equal(
        jax.jit(env.step)(KEY, state, action, params),
        jax.jit(store.step)(KEY, state, action, params),
    )
    assert jaxsim.make()[0].name == scenarios.DEFAULT


def test_a_store_in_other_interfaces():
    settings = dict(task=Task("replenishment"), periods=3)
    env = jaxsim.make("pair", interface="gymnasium", **settings)
    assert isinstance(env, StoreEnv) and env.action_space.shape == (2,)
    env, params = jaxsim.make("pair", interface="gymnax", **settings)
    assert isinstance(env, StoreEnvironment) and params.max_steps_in_episode == 3
    assert isinstance(jaxsim.make("pair", interface="pettingzoo", periods=3), StoreParallelEnv)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda: jaxsim.make("grocer"), "scenario: 'grocer'; did you mean grocery"),
        (lambda: jaxsim.make("pair", interface="gym"), "interface: 'gym'; did you mean gymnax"),
        (lambda: jaxsim.make("pair", periods=3), "periods: given without an interface; allowed:"),
    ],
)
def test_mistakes_are_refused_in_one_line(mistake, said):
    with pytest.raises(jaxsim.UserError) as refused:
        mistake()
    assert str(refused.value).startswith(said) and "\n" not in str(refused.value)


@pytest.mark.parametrize("interface", ADAPTERS)
def test_a_missing_extra_is_named(interface):
    program = f"""
import sys
sys.modules[{interface!r}] = None  # importing it now fails
import jaxsim
try:
    jaxsim.make("pair", interface={interface!r})
except jaxsim.UserError as error:
    print(error)
"""
    said = run(program, cwd=ROOT)
    assert re.search(rf"needs {interface}, .* extra {interface}: pip", said), said
    assert said.count("\n") == 1


def test_every_scenario_has_a_gymnasium_id():
    assert id_of("grocery-dry") == "jaxsim/GroceryDry-v0"
    for name in scenarios.names():
        assert gymnasium.spec(id_of(name)).kwargs == {"store": name}
    env = gymnasium.make("jaxsim/Pair-v0", periods=2)
    obs, _ = env.reset(seed=3)
    expected, _ = StoreEnv("pair", periods=2).reset(seed=3)
    np.testing.assert_array_equal(obs, expected)
    batch = gymnasium.make_vec("jaxsim/Pair-v0", num_envs=2, periods=2)
    assert isinstance(batch.unwrapped, StoreVectorEnv) and batch.num_envs == 2


@pytest.mark.parametrize(
    "imports", ["jaxsim, gymnasium", "gymnasium, jaxsim", "jaxsim, gymnasium.spaces", "gymnasium"]
)
def test_ids_are_there_in_whichever_order_packages_are_imported(imports):
    """And with Gymnasium's own form for packages that were not imported."""
    name = "jaxsim/Pair-v0" if "jaxsim" in imports else "jaxsim:jaxsim/Pair-v0"
    said = run(f"import {imports}; print(gymnasium.make({name!r}).unwrapped.spec.id)", cwd=ROOT)
    assert said.strip() == "jaxsim/Pair-v0"


def test_importing_it_is_light():
    heavy = ("pandas", "gymnasium", "matplotlib", "scipy.stats", "pettingzoo", "gymnax")
    said = run(f"import jaxsim, sys; print([m for m in {heavy} if m in sys.modules])", cwd=ROOT)
    assert said.strip() == "[]"


def test_versions_are_those_of_a_checkout_that_was_never_installed(tmp_path):
    project = (ROOT / "pyproject.toml").read_text()
    assert jaxsim.__version__ == tomllib.loads(project)["project"]["version"]
    shutil.copytree(ROOT / "jaxsim", tmp_path / "jaxsim")
    newer = re.sub(r'^version = ".*"', 'version = "99.1.0"', project, flags=re.M)
    (tmp_path / "pyproject.toml").write_text(newer)
    program = "import jaxsim; print(jaxsim.__version__, jaxsim.versions()['closing-the-loop'])"
    assert run(program, cwd=tmp_path).split() == ["99.1.0", "99.1.0"]
    assert jaxsim.versions()["jax"] == jax.__version__
