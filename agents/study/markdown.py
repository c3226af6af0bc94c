"""Tables as Markdown has them."""

from collections.abc import Iterable


def table(header: list[str], body: Iterable[list[str]], names: int = 1) -> str:
    """The first `names` columns are set to the left, numbers to the right."""
    rule = ["---"] * names + ["---:"] * (len(header) - names)
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *body))
