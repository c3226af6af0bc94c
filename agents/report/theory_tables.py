"""What the verb `theory` shows: known answers beside the published ones, and gaps."""

from typing import Any

from rich import box
from rich.table import Table


def lost_sales_table(rows: list[dict[str, Any]]) -> Table:
    """Average cost per period of one-product stores that lose sales."""
    table = _table(
        "Lost sales: average cost per period (published: Zipkin, 2008)",
        ("demand", "penalty", "lead time"),
        ("optimum", "published", "best base-stock", "published"),
    )
    for row in rows:
        table.add_row(
            row["family"],
            f"{row['penalty']:g}",
            str(row["lead_time"]),
            f"{row['optimal_cost']:.2f}",
            _cost(row, "published"),
            f"{row['best_base_stock_cost']:.2f} ({row['best_base_stock']})",
            _cost(row, "published_base_stock_cost", "published_base_stock"),
        )
    return table


def backlog_table(rows: list[dict[str, Any]]) -> Table:
    """Optimal base-stock levels and costs where customers wait."""
    table = _table(
        "Backlog: average cost per period of the optimal base-stock level",
        ("penalty", "lead time"),
        ("optimum", "published"),
    )
    for row in rows:
        table.add_row(
            f"{row['penalty']:g}",
            str(row["lead_time"]),
            f"{row['cost']:.4f} ({row['base_stock']})",
            f"{row['published']:.4f} ({row['published_base_stock']})",
        )
    return table


def coordination_table(pair: dict[str, Any]) -> Table:
    """Average profit per period of the pair store, by who coordinates how."""
    table = _table("The pair store", ("decided",), ("profit", "short of the optimum"))
    for name in ("joint", "myopic", "base_stock", "stock_blind", "silo"):
        short = 100 * (1 - pair[name] / pair["joint"])
        table.add_row(name.replace("_", "-"), f"{pair[name]:.3f}", f"{short:.2f} %")
    return table


def foresight_table(rows: list[dict[str, Any]]) -> Table:
    """How far from the optimum the others are, in stores that might need foresight."""
    table = _table(
        "Profit lost against the joint optimum, %",
        ("store",),
        ("optimum", "myopic", "stock-blind", "silo"),
    )
    for row in rows:
        gaps = (f"{row[gap]:.2f}" for gap in ("myopic_gap", "stock_blind_gap", "silo_gap"))
        table.add_row(row["regime"], f"{row['joint']:.3f}", *gaps)
    return table


def _table(title: str, names: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for column in names:
        table.add_column(column, no_wrap=True)
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _cost(row: dict[str, Any], cost: str, level: str | None = None) -> str:
    if cost not in row:
        return ""
    return f"{row[cost]:.2f}" + (f" ({row[level]})" if level else "")
