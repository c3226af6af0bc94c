"""What was asked for beforehand, and whether the rows of a run hold it."""

from collections.abc import Callable
from typing import Any

Rows = list[dict[str, Any]]


def bars(rows: Rows) -> list[dict[str, Any]]:
    """Every bar: what was asked, what was found (None where its rows are missing), held or not."""
    step, random = ({"name": name, "products": 10} for name in ("step", "random"))
    found = [
        at_least("step against numba, median over stores", 1.5, _median(rows, step)),
        at_least("slates at random against numba, median", 1.0, _median(rows, random)),
        at_least("lost sales, 8,192 stores, against numba's slates at random", 8.0, _lost(rows)),
        at_least(
            "Poisson draw against jax.random.poisson, means 0.1 to 50",
            10.0,
            _least_draw(rows, lambda mean: 0.1 <= mean <= 50),
        ),
        at_least(
            "Poisson draw against jax.random.poisson, means above 50",
            1.0,
            _least_draw(rows, lambda mean: mean > 50),
        ),
        at_least(
            "training iteration: share of the matrix rate in the networks' products",
            0.5,
            _first(rows, "share_of_matrix_rate", part="iteration"),
        ),
        at_most(
            "compilation of the default training, seconds",
            20.0,
            _first(rows, "compile_seconds", part="iteration"),
        ),
        at_most("peak memory, 65,536 stores of ten products, GiB", 2.0, _peak(rows)),
        at_most("cost per product, 2,000 products over ten", 1.0, _per_product(rows)),
    ]
    return found


def at_least(name: str, asked: float, found: float | None) -> dict[str, Any]:
    held = found is not None and found >= asked
    return {"bar": name, "asked": f"at least {asked:g}", "found": found, "held": held}


def at_most(name: str, asked: float, found: float | None) -> dict[str, Any]:
    held = found is not None and found <= asked
    return {"bar": name, "asked": f"at most {asked:g}", "found": found, "held": held}


def _values(rows: Rows, key: str, **fields: Any) -> list[float]:
    return [row[key] for row in rows if key in row and fields.items() <= row.items()]


def _first(rows: Rows, key: str, **fields: Any) -> float | None:
    return next(iter(_values(rows, key, **fields)), None)


def _median(rows: Rows, fields: dict[str, Any]) -> float | None:
    ratios = sorted(_values(rows, "ratio_to_numba", **fields))
    return ratios[len(ratios) // 2] if ratios else None


def _lost(rows: Rows) -> float | None:
    return _first(rows, "ratio_to_numba_random", name="lost-sales", stores=8192)


def _least_draw(rows: Rows, wanted: Callable[[float], bool]) -> float | None:
    draws = [row for row in rows if row.get("kind") == "sampler" and wanted(row["mean"])]
    return min((row["ratio_to_jax_random"] for row in draws), default=None)


def _peak(rows: Rows) -> float | None:
    held = _first(rows, "peak_memory_bytes", name="step", by="jaxsim", stores=65536, products=10)
    return None if held is None else held / 2**30


def _per_product(rows: Rows) -> float | None:
    """Seconds of a product-period, at the number of stores that has both."""
    rates = [
        {
            row["stores"]: row["product_periods_per_second"]
            for row in rows
            if row.get("by") == "jaxsim"
            if (row["name"], row.get("products"), row.get("lead_time")) == ("step", products, 2)
            if "product_periods_per_second" in row
        }
        for products in (10, 2000)
    ]
    both = sorted(rates[0].keys() & rates[1].keys())
    return rates[0][both[-1]] / rates[1][both[-1]] if both else None
