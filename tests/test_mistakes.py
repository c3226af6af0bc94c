"""A command that cannot be carried out ends in one line, and so does one that is asked to end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import train
from agents.runs.interruption import Interrupted, Interruption, keeping_what_is_whole
from jaxsim.files import appearing
from tests.interrupted import QUIET, ROOT

MISTAKES = {
    "unknown verb": (["tarin"], "verb: 'tarin'; did you mean train? allowed: train, sweep"),
    "unknown flag": (["--sede", "1"], "--sede: no such flag; did you mean --seed? python train.py"),
    "flag of another verb": (["scenarios", "--seed", "1"], "--seed: no such flag; python train.py"),
    "flag of a setting within": (["sweep", "--stors=3"], "--stors: no such flag; did you mean"),
    "unknown regime": (["--regime", "mtm"], "regime: 'mtm'; did you mean mtma? allowed: silo, "),
    "unknown department": (
        ["export", "run", "--out", "x", "--department=replenish"], "did you mean replenishment?",
    ),
    "unknown scenario": (["--scenario", "grocry"], "did you mean grocery?"),
    "no such file": (["--scenario", "none.json"], "none.json"),
    "setting out of range": (["--stores", "0"], "stores: 0; allowed: 1 or more"),
    "parts that do not fit": (
        ["--learner", "score", "--minibatches", "3"], "minibatches: 3; allowed: a divisor",
    ),
    "clocks out of order": (["--slow-exponent", "0.5"], "slow_exponent"),
    "a grid of what is fixed": (["sweep", "--grid", "width=8,16"], "grid: width is the same"),
    "no memory": (["sweep", "--memory", "much"], "memory: much; allowed: a size"),
    "a cluster without its engine": (
        ["sweep", "--ray-address", "here:6379"],
        "ray_address: here:6379; allowed: with --engine ray",
    ),
    "an address of another kind": (
        ["reproduce", "--engine", "ray", "--ray-address", "ray://here"],
        "ray_address: ray://here; allowed: HOST:PORT of the cluster's head",
    ),
    "no cores": (["sweep", "--task-cpus", "0"], "task_cpus: 0; allowed: 1 or more"),
    "an empty path": (["--out", ""], "out: ''; allowed: a file's or folder's path"),
    "an empty path after a sign": (["sweep", "--out=", "--seeds", "2"], "out: ''; allowed: a file"),
    "a path that cannot be": (["--out", "a\0b"], "'a\\x00b': holds a NUL; allowed: text"),
    "a path that would ring": (["evaluate", "a\x07\nb"], "a\\x07\\nb: no run"),
    "a long one": (["evaluate", "a" * 400], "aaaa … aa"),
    "no such run": (["evaluate", "nowhere"], "nowhere: no run"),
    "no stores": (["evaluate", "run", "--stores", "0"], "stores: 0; allowed: 2 or more"),
    "fewer": (["evaluate", "run", "--stores", "-16"], "stores: -16; allowed: 2 or more"),
    "no periods": (["evaluate", "run", "--periods", "0"], "periods: 0; allowed: 1 or more"),
    "no burn-in": (["evaluate", "run", "--burn-in", "-3"], "burn_in: -3; allowed: 0 or more"),
    "no run to export": (
        ["export", "nowhere", "--department", "replenishment", "--out", "alone"],
        "nowhere: no run",
    ),
    "no run to report": (["report", "nowhere"], "nowhere: no run"),
    "nothing to report": (["report"], "runs: none given"),
    "a page that is a folder": (["report", "nowhere", "--out", "."], "out: . is a folder"),
    "no run to play": (["play", "nowhere"], "nowhere: no run"),
    "no such port": (["play", "nowhere", "--port", "0"], "port: 0; allowed: 1 to 65535"),
    "no run to try": (
        ["backtest", "nowhere", "--transactions", "none.csv"], "nowhere: no run",
    ),
    "no transactions": (
        ["calibrate", "--transactions", "none.csv", "--out", "store.json"], "does not exist",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_line_and_leaves_nothing(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert len(error) <= 301 and error[:-1].isprintable()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_any_verb_with_its_code_and_one_line_also_while_modules_are_imported(
    number, code
):
    process = subprocess.Popen(
        [sys.executable, "train.py", "scenarios"],
        cwd=ROOT, env=QUIET, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not hears_sigterm(process.pid):
        time.sleep(0.001)
    process.send_signal(number)
    said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said == ("", f"stopped by {number.name}\n")


def test_help_and_a_mistake_are_answered_without_what_training_needs():
    """The largest packages, all of them imported by somebody at the top of a module."""
    answered = [["--help"], ["sweep", "--help"], ["--scenario", "nope"], ["evaluate", "nowhere"],
                ["backtest", "nowhere"], ["calibrate", "--transactions", "none.csv"]]  # fmt: skip
    program = (
        "import contextlib, sys, train\n"
        f"for arguments in {answered}:\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        assert train.main(arguments) == 2\n"
        "print(*sorted(sys.modules))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.count("error: ") == 4
    assert not {"jax", "numpy", "pandas", "matplotlib", "duckdb"} & set(done.stdout.split())


@pytest.mark.parametrize("verb", ["sweep", "scenarios"])
def test_a_reader_that_has_gone_is_no_mistake(verb):
    """As when the output is piped into `head`."""
    command = [sys.executable, "train.py", verb, *(["--help"] if verb == "sweep" else [])]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.wait(100) == 1 and process.stderr.read() == ""


def test_a_switch_that_is_on_is_turned_off():
    given = ["calibrate", "--transactions", "sales.csv", "--out", "store.json", "--no-needs"]
    assert train.parse(given[:-1]).needs and not train.parse(given).needs


def test_programs_are_kept_for_the_next_command_unless_their_folder_is_set(tmp_path):
    """JAX reads the variable when it is imported."""
    program = (
        "from agents.start import remember_programs; remember_programs(); "
        "import os; print(os.environ['JAX_COMPILATION_CACHE_DIR'])"
    )
    free = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    free["XDG_CACHE_HOME"] = str(tmp_path)
    for own, said in (({}, f"{tmp_path}/closing-the-loop/programs-"),
                      ({"JAX_COMPILATION_CACHE_DIR": ""}, "\n")):  # fmt: skip
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env=free | own, capture_output=True, text=True, check=True)
        assert done.stdout.startswith(said)


def test_commands_compile_without_ynnpack_and_keep_the_flags_that_are_set():
    """A store's demand is a matrix product, which newer versions of XLA would hand to YNNPACK."""
    program = (
        "from agents.start import step_fast; step_fast(); import jax, jax.numpy as jnp; "
        "product = jax.jit(lambda x: jnp.exp(x @ x).sum()).lower(jnp.ones((64, 64))).compile(); "
        "print(jax.device_count(), 'ynn_fusion' in product.as_text())"
    )
    own = {"XLA_FLAGS": "--xla_force_host_platform_device_count=3", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=True)
    assert done.stdout == "3 False\n"


@pytest.mark.parametrize(
    ("verb", "own", "devices"),
    [("sweep", {}, "the cores"), ("train", {}, "1"), ("sweep", {"JAX_NUM_CPU_DEVICES": "3"}, "3"),
     ("reproduce", {"XLA_FLAGS": "--xla_force_host_platform_device_count=5"}, "5")],
)  # fmt: skip
def test_a_sweep_trains_a_run_on_each_core_unless_told_otherwise(verb, own, devices):
    program = (
        f"from agents.start import use_every_core; use_every_core(['{verb}']); "
        "import jax; print(jax.device_count())"
    )
    free = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    command = [sys.executable, "-c", program]
    env = free | {"JAX_PLATFORMS": "cpu"} | own
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    cores = str(len(os.sched_getaffinity(0)))
    assert done.stdout.strip() == devices.replace("the cores", cores)


def hears_sigterm(process: int) -> bool:
    """Whether it has a handler of its own by now."""
    status = Path(f"/proc/{process}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_signal_in_a_sweep_keeps_what_is_finished(tmp_path):
    with (
        pytest.raises(Interrupted, match="by SIGTERM; the trainings that were finished are in"),
        Interruption(),
        keeping_what_is_whole(tmp_path),
        appearing(tmp_path / "chunk") as chunk,
    ):
        chunk.mkdir()
        signal.raise_signal(signal.SIGTERM)
    assert not list(tmp_path.iterdir())


def test_what_only_the_parser_can_tell_ends_with_code_two(capsys):
    with pytest.raises(SystemExit) as leaving:
        train.main(["--stores", "many"])
    assert leaving.value.code == 2


def test_renamed_flags_go_on_working_and_say_their_new_name(capsys):
    config = train.parse(["--trace", "0.8", "--critic-passes=2"]).training
    assert (config.gae_lambda, config.critic_epochs) == (0.8, 2)
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("--trace is now --gae-lambda;") and len(said) == 2
    grid = train.parse(["sweep", "--grid", "others=0.2,1"]).grid
    assert grid == ("cross_product_credit=0.2,1",)


def test_a_signal_that_goes_no_further_is_noted():
    """Python drops what is raised while it collects garbage."""
    with Interruption() as interruption:
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted, match="stopped by SIGTERM"):
            interruption.check()
