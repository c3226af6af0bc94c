"""The benchmark of goods that spoil: both sides of it do the same work, where the peer is there."""

import pytest

from benchmarks.peers.environments import READY, default_folder, home_of
from benchmarks.perishables import BARE, NAME, REQUIREMENTS, Settings, said, step_sizes

HOME = home_of(NAME, (*REQUIREMENTS, *BARE), default_folder())


@pytest.mark.skipif(
    not (HOME / READY).exists(),
    reason="viso_jax's environment is made by python -m benchmarks.perishables",
)
def test_the_same_demand_and_orders_lead_along_the_same_path() -> None:
    """Stock by age, pipeline, sales, waste and money, of a product whose oldest unit is sold first
    and of one whose freshest is; the script refuses paths that differ. Nothing is timed."""
    paths = step_sizes(Settings())["paths"][1:3]
    size = {"paths": paths, "cases": [], "draws": []}
    found = said(HOME / "bin" / "python", "viso_jax_store", size)
    assert [each["periods"] for each in found["paths"]] == [200, 200]
