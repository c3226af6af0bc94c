"""Measures peers beside this project: the rows of `python -m benchmarks.peers` and `make bench`."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import cores
from benchmarks.peers.catalogue import HORIZON, PARTS, PASSES, PEERS, STORES, WIDTH, Peer
from benchmarks.peers.environments import ROOT, NotInstalled, python_of
from benchmarks.rows import run_row
from benchmarks.workloads import Row

LONGEST = 1_200  # seconds that a peer may take


def measured(folder: Path, repeats: int) -> Iterator[dict[str, Any]]:
    """A row for every peer, this project's rate on the nearest work beside it.

    A peer that cannot be installed or run is left out in one line that says why.
    """
    ours: dict[Row, dict[str, Any]] = {}
    for peer in PEERS:
        row = _described(peer)
        try:
            found = _timed(peer, python_of(peer.name, peer.requirements, folder), repeats)
        except NotInstalled as error:
            yield row | {"left_out": str(error)}
            continue
        if peer.ours not in ours:
            ours[peer.ours] = run_row(peer.ours, "jaxsim", repeats)
        if "per_second" in ours[peer.ours]:
            rate = ours[peer.ours]["per_second"] * peer.units_a_period
            found |= {"ours_per_second": rate, "ratio_to_peer": rate / found["per_second"]}
        yield row | found


def _described(peer: Peer) -> dict[str, Any]:
    return {
        "kind": "peer",
        "name": peer.work,
        "by": peer.name,
        "version": peer.requirements[-1],
        "products": peer.products,
        "unit": peer.unit,
        "ours": peer.ours.name,
        "ours_stores": peer.ours.stores,
        "includes": peer.includes,
        "differs": peer.differs,
        "patch": peer.patch,
        "known_cost": peer.known_cost,
    }


def _timed(peer: Peer, python: Path, repeats: int) -> dict[str, Any]:
    """Runs a peer's script by its own interpreter, on every thread. Raises `NotInstalled`."""
    processes = cores() if peer.many else 1
    size = dict(
        stores=STORES, horizon=HORIZON, width=WIDTH, parts=PARTS, passes=PASSES,
        products=peer.products, repeats=repeats,
    )  # fmt: skip
    command = [str(python), "-m", f"benchmarks.peers.{peer.module}", json.dumps(size)]
    started = [
        subprocess.Popen(
            command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(processes)
    ]
    bodies = [_said(peer, process) for process in started]
    rates = [[body["units"] / each for each in body["seconds"]] for body in bodies]
    together = np.sum(rates, 0)  # call by call: all processes ran at once
    more = {name: bodies[0][name] for name in ("cost", "compile_seconds") if name in bodies[0]}
    return more | {
        "stores": processes if peer.many else STORES,
        "processes": processes,
        "per_second": float(np.median(together)),
        "per_second_least": float(together.min()),
        "per_second_most": float(together.max()),
        "repeats": repeats,
    }


def _said(peer: Peer, process: subprocess.Popen) -> dict[str, Any]:
    try:
        out, wrong = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise NotInstalled(f"{peer.name}: took more than {LONGEST} s") from None
    if process.returncode:
        last = wrong.strip().splitlines()[-1:] or ["no reason given"]
        raise NotInstalled(f"{peer.name}: {last[0]}")
    return json.loads(out.splitlines()[-1])
