"""Recency, frequency, money: scores and the names of their cells (engagement 3.8)."""

from __future__ import annotations

_TABLE = {
    5: ("New Users", "Potential Loyalists", "Potential Loyalists", "Champions", "Champions"),
    4: ("Promising", "Potential Loyalists", "Potential Loyalists", "Loyal Users", "Loyal Users"),
    3: ("About to Sleep", "About to Sleep", "Needing Attention", "Loyal Users", "Loyal Users"),
    2: ("Hibernating", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"),
    1: ("Hibernating", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"),
}
"""Recency score → names for frequency scores 1 … 5."""

CELLS: dict[str, tuple[tuple[int, int], ...]] = {
    name: tuple((r, f + 1) for r, names in _TABLE.items() for f, found in enumerate(names) if found == name)
    for name in dict.fromkeys(name for names in _TABLE.values() for name in names)
}
"""Name → its (recency, frequency) scores."""


def cell_name(recency: int, frequency: int) -> str:
    """The name of a user's cell."""
    return _TABLE[recency][frequency - 1]


def rfm_score(recency: int, frequency: int, money: int) -> int:
    """4·R + 2·F + M: 7 … 35."""
    return 4 * recency + 2 * frequency + money
