"""The results as people read them: tables, the page RESULTS.md, and the picture."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from rich.table import Table

Rows = list[dict[str, Any]]
STEPS = (
    "row", "by", "stores", "products", "lead", "M store-periods/s", "range",
    "M product-periods/s", "× numba", "compile s", "peak GiB",
)  # fmt: skip
PEERS = (
    "peer", "work", "its rate", "range", "unit", "processes", "this project", "times as fast",
)  # fmt: skip
TRAINING = ("scenario", "iterations", "seconds", "store-periods/s, all told")
SEEDS = ("seeds in one program", "store-periods/s", "against one after the other", "compile s")
ITERATION = ("part", "seconds", "share", "float32 operations", "share of the matrix rate")
SAMPLER = ("mean", "ns a draw", "ns, jax.random.poisson", "times as fast")
BARS = ("bar", "asked", "found", "")


def step_cells(row: dict[str, Any]) -> tuple[str, ...]:
    ratio = row.get("ratio_to_numba")
    return (
        row["name"],
        row["by"],
        f"{row['stores']:,}",
        f"{row['products']:,}",
        str(row["lead_time"]),
        f"{row['per_second'] / 1e6:.3g}",
        f"{row['per_second_least'] / 1e6:.3g} to {row['per_second_most'] / 1e6:.3g}",
        f"{row['product_periods_per_second'] / 1e6:.3g}",
        f"{ratio:.2f}" if ratio else "",
        f"{row['compile_seconds']:.1f}",
        f"{row['peak_memory_bytes'] / 2**30:.2f}",
    )


def peer_cells(row: dict[str, Any]) -> tuple[str, ...]:
    if "left_out" in row:
        return (row["by"], row["name"], row["left_out"], "", "", "", "", "")
    return (
        row["version"],
        row["name"],
        f"{row['per_second']:,.0f}",
        f"{row['per_second_least']:,.0f} to {row['per_second_most']:,.0f}",
        row["unit"],
        str(row["processes"]),
        f"{row['ours_per_second']:,.0f}" if "ours_per_second" in row else "",
        times_as_fast(row["ratio_to_peer"]) if "ratio_to_peer" in row else "",
    )


def times_as_fast(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2f}"


def training_cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["scenario"],
        str(row["iterations"]),
        f"{row['seconds']:.0f}",
        f"{row['per_second']:,.0f}",
    )


def seed_cells(row: dict[str, Any]) -> tuple[str, ...]:
    faster, compiling = row["ratio_to_in_turn"], row["compile_seconds"]
    return str(row["seeds"]), f"{row['per_second']:,.0f}", f"{faster:.2f}", f"{compiling:.1f}"


def iteration_cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["part"],
        f"{row['seconds']:.4f}",
        f"{row['share_of_iteration']:.0%}",
        f"{row['matrix_operations']:.3g}",
        f"{row['share_of_matrix_rate']:.1%}",
    )


def sampler_cells(row: dict[str, Any]) -> tuple[str, ...]:
    ours = 1e9 / row["per_second"]
    ratio = row["ratio_to_jax_random"]
    return f"{row['mean']:g}", f"{ours:.2f}", f"{ours * ratio:.1f}", f"{ratio:.1f}"


def bar_cells(bar: dict[str, Any]) -> tuple[str, ...]:
    found = bar["found"]
    held = "not measured" if found is None else "held" if bar["held"] else "missed"
    return bar["bar"], bar["asked"], "" if found is None else f"{found:.3g}", held


def sections(body: dict[str, Any]) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Title, head and cells of every table that has rows."""
    rows = body["rows"]

    def of(kind):
        return [row for row in rows if row.get("kind") == kind]

    tables = [
        ("Bars", BARS, [bar_cells(bar) for bar in body.get("bars", [])]),
        ("Stores", STEPS, [step_cells(row) for row in rows if is_timed(row)]),
        ("Peers", PEERS, [peer_cells(row) for row in of("peer")]),
        ("A whole training", TRAINING, [training_cells(row) for row in of("training")]),
        ("Seeds in parallel", SEEDS, [seed_cells(row) for row in of("seeds")]),
        (
            "Where a training iteration's time goes",
            ITERATION,
            [iteration_cells(row) for row in of("iteration")],
        ),
        ("A Poisson draw", SAMPLER, [sampler_cells(row) for row in of("sampler")]),
    ]
    return [each for each in tables if each[2]]


def printed(body: dict[str, Any]) -> list[Table]:
    """The tables for a terminal."""
    drawn = []
    for title, head, cells in sections(body):
        table = Table(*head, title=title)
        for each in cells:
            table.add_row(*each)
        drawn.append(table)
    return drawn


def as_markdown(body: dict[str, Any]) -> str:
    """The page: where it was measured, every table, and what each peer's row includes."""
    machine = body["machine"]
    versions = ", ".join(f"{name} {found}" for name, found in machine["versions"].items())
    can = [
        f"{row['name']} {row['per_second'] / 1e9:.1f} G {row['unit']}/s"
        for row in body["rows"]
        if row["by"] == "machine"
    ]
    lines = [
        "# Results",
        "",
        "Written by `make bench`; [docs/speed.md](../docs/speed.md) says how to read it.",
        "",
        f"{machine['device']}, {machine['threads']} threads, {machine['dtype']}, {versions}. "
        f"Load average at the start: {machine['load_average']:.2f}. "
        f"The machine: {', '.join(can)}.",
    ]
    for title, head, cells in sections(body):
        table = ["| " + " | ".join(each) + " |" for each in (head, ["---"] * len(head), *cells)]
        lines += ["", f"## {title}", "", *table]
    peers = [row for row in body["rows"] if row.get("kind") == "peer"]
    if peers:
        lines += ["", "What a peer's row includes, how it differs, and what it was patched in:", ""]
    lines += map(peer_note, peers)
    left = [row for row in body["rows"] if "left_out" in row]
    if left:
        lines += ["", "Left out:", ""]
    for row in left:
        size = f", {row['stores']:,} × {row['products']:,}" if "stores" in row else ""
        lines.append(f"- {row['name']}, {row['by']}{size}: {row['left_out']}")
    return "\n".join([*lines, "", "![Speed by stores and by products](throughput.png)", ""])


def peer_note(row: dict[str, Any]) -> str:
    """What is not in a peer's numbers."""
    note = (
        f"- **{row['by']}, {row['name']}**: {row['includes']}. Beside it: `{row['ours']}` with "
        f"{row['ours_stores']:,} stores. Differs: {row['differs']}. Patch: {row['patch']}."
    )
    if "cost" in row:
        note += f" Mean cost of a period: {row['cost']:.2f}; known: {row['known_cost']:.2f}."
    return note


def peers_table(rows: Rows) -> Table:
    """The peers' rows alone."""
    table = Table(*PEERS, title="Peers")
    for row in rows:
        table.add_row(*peer_cells(row))
    return table


def draw(rows: Rows, path: Path) -> None:
    """Speed against stores, ten products, both axes logarithmic; and against products."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5))
    for axis, along, fixed, unit in (
        (axes[0], "stores", ("products", (1, 10)), "per_second"),
        (axes[1], "products", ("stores", (4096,)), "product_periods_per_second"),
    ):
        for key in dict.fromkeys((row["name"], row["by"]) for row in rows if is_timed(row)):
            points = sorted(
                (row[along], row[unit])
                for row in rows
                if is_timed(row) and (row["name"], row["by"]) == key and row[fixed[0]] in fixed[1]
            )
            if len(points) > 1:
                axis.plot(*zip(*points, strict=True), "o-", label=", ".join(key))
        axis.set(xscale="log", yscale="log", xlabel=along, ylabel=unit.replace("_", " "))
        if axis.lines:
            axis.legend(fontsize=7)
    figure.tight_layout()
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, format="png", dpi=120)
    plt.close(figure)
    temporary.replace(path)


def is_timed(row: dict[str, Any]) -> bool:
    """A row of stores that ran."""
    return row.get("kind") == "stores" and "per_second" in row
