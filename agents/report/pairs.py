"""Which tuned pairs need not be looked at."""

from collections.abc import Mapping

from agents.policies.heuristics import ORDER_RULES, RECOMMENDERS


def dominated(profits: Mapping[str, float]) -> list[str]:
    """The pairs among these policies that are not the best one of their recommender and not the
    best one of their order rule either, best first. `profits` by name, in money per period; the
    name of a pair is RECOMMENDER+ORDER RULE."""
    found: list[str] = []
    parts_seen: set[str] = set()
    for name in sorted(profits, key=lambda each: -profits[each]):
        recommender, _, rule = name.partition("+")
        if recommender not in RECOMMENDERS or rule not in ORDER_RULES:
            continue
        if {recommender, rule} <= parts_seen:
            found.append(name)
        parts_seen |= {recommender, rule}
    return found


def hidden_line(hidden: list[str]) -> str:
    """How many pairs are hidden, why, and how to see them; empty where none is."""
    if not hidden:
        return ""
    pairs = "1 dominated pair is" if len(hidden) == 1 else f"{len(hidden)} dominated pairs are"
    return (
        f"{pairs} hidden: neither the best of their recommender nor of their order rule. "
        "--all-pairs (train, evaluate, report) shows them."
    )
