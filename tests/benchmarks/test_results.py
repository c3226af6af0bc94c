"""What the benchmark writes down: tables, bars, counted operations, peers that cannot be had."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks.bars import bars
from benchmarks.iteration import matrix_operations
from benchmarks.peers.environments import NotInstalled, python_of
from benchmarks.results import as_markdown

MACHINE = {
    "device": "cpu", "threads": 2, "dtype": "float32", "versions": {"jax": "0.9.2"},
    "load_average": 0.1,
}  # fmt: skip
PEER = {
    "kind": "peer", "name": "lost sales", "by": "another", "version": "another==1.0",
    "unit": "store-periods", "ours": "lost-sales", "ours_stores": 8192, "includes": "all",
    "differs": "little", "patch": "none", "known_cost": 5.2,
}  # fmt: skip
TIMED = {
    "per_second": 20.0, "per_second_least": 18.0, "per_second_most": 21.0, "processes": 2,
    "cost": 5.23, "ours_per_second": 5000.0, "ratio_to_peer": 250.0,
}  # fmt: skip


def test_the_page_has_a_peer_beside_this_project_and_says_why_one_is_missing():
    missing = PEER | {"by": "a third", "left_out": "a third: no such version"}
    page = as_markdown({"machine": MACHINE, "rows": [PEER | TIMED, missing]})
    assert "| another==1.0 | lost sales | 20 | 18 to 21 | store-periods | 2 | 5,000 | 250 |" in page
    assert "Mean cost of a period: 5.23; known: 5.20." in page
    assert "- lost sales, a third: a third: no such version" in page


def test_bars_are_held_missed_or_not_measured():
    rows = [{"kind": "sampler", "name": "draw", "by": "jaxsim", "mean": mean} for mean in (1, 300)]
    rows[0]["ratio_to_jax_random"], rows[1]["ratio_to_jax_random"] = 12.0, 0.9
    step = {"name": "step", "by": "jaxsim", "stores": 128, "lead_time": 2}
    rows.append(step | {"products": 10, "product_periods_per_second": 3.0})
    rows.append(step | {"products": 2000, "product_periods_per_second": 4.0})
    found = {bar["bar"]: (bar["found"], bar["held"]) for bar in bars(rows)}
    assert found["Poisson draw against jax.random.poisson, means 0.1 to 50"] == (12.0, True)
    assert found["Poisson draw against jax.random.poisson, means above 50"] == (0.9, False)
    assert found["cost per product, 2,000 products over ten"] == (0.75, True)
    assert found["step against numba, median over stores"] == (None, False)


def test_operations_of_matrix_products_are_counted_with_their_loops():
    def program(x):
        return jax.lax.scan(lambda y, _: (jax.jit(jnp.dot)(y, x), None), x, length=3)[0]

    traced = jax.jit(program).trace(jnp.ones((5, 5)))
    assert matrix_operations(traced.jaxpr.jaxpr) == 3 * 2 * 5**3


def test_a_peer_that_cannot_be_installed_is_one_line(tmp_path):
    with pytest.raises(NotInstalled, match=r"^nobody: ERROR.*no-such-folder.*$") as caught:
        python_of("nobody", ("./no-such-folder",), tmp_path)
    assert "\n" not in str(caught.value)
