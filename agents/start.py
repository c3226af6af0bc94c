"""The console command. It hears signals from its first moment, while the rest is imported."""

import hashlib
import os
import platform
import signal
import sys
from pathlib import Path
from typing import NoReturn

import platformdirs

from agents.runs.interruption import SIGNALS, end_at_once

WITHOUT_YNNPACK = "--xla_cpu_experimental_ynn_fusion_type="
"""XLA's flag, in every version of it that is allowed, for no fusions by the library YNNPACK."""

SWEEPS = ("sweep", "reproduce")
"""Verbs of which each run keeps one core busy."""


def hear_signals() -> None:
    """SIGTERM and SIGINT end this process with 143 and 130, and one line."""
    for number in SIGNALS:
        signal.signal(number, end_at_once)


def remember_programs() -> None:
    """Programs that one command compiles are found by the next. Variables that are set stay: an
    empty `JAX_COMPILATION_CACHE_DIR` keeps nothing. To be called before JAX is imported."""
    home = platformdirs.user_cache_path("closing-the-loop")
    usual = {
        "JAX_COMPILATION_CACHE_DIR": str(home / f"programs-{_processor()}"),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(256 * 2**20),  # bytes; those not used longest go
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
        # XLA takes two hints of its own compiler for features that this processor lacks, and says
        # so at length for each program that is found.
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    os.environ.update(usual | os.environ)


def step_fast() -> None:
    """From jax 0.11 on, XLA gives sums and products of a step to a library on CPUs, where small
    stores take four times as long. Flags that are set stay. To be called before JAX is imported."""
    os.environ["XLA_FLAGS"] = f"{WITHOUT_YNNPACK} {os.environ.get('XLA_FLAGS', '')}".strip()


def use_every_core(arguments: list[str]) -> None:
    """A sweep trains a run on each core: JAX presents a CPU as one device unless it is told
    otherwise, and what is set stays. To be called before JAX is imported."""
    told = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if arguments and arguments[0] in SWEEPS and not told:
        os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(_cores()))


def _cores() -> int:
    """That this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    """A name for what machine code may use here: homes can be shared by different machines."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    flags = sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))})
    return hashlib.sha256("".join([platform.machine(), *flags]).encode()).hexdigest()[:12]


def console() -> NoReturn:
    """The console command `closing-the-loop`."""
    hear_signals()
    remember_programs()
    step_fast()
    use_every_core(sys.argv[1:])
    from agents.command_line import main

    try:
        try:
            code = main(sys.argv[1:])
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # who read what is printed has gone, as `head` does: no word about it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    leave(code)


def leave(code: int) -> NoReturn:
    """Ends the process; one that fails does not wait at the exit for others, who then notice, and
    one that was asked to end not for a program that is being compiled."""
    jax = sys.modules.get("jax")  # where it is not there, nobody waits
    fails = code in (1, 2) and jax is not None and jax.distributed.is_initialized()
    if fails or code > 128:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
