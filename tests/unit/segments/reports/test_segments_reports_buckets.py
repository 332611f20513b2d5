"""Ranges of numbers: at most ten, equal, nice, and every value in exactly one."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.segments.reports.buckets import BUCKETS_MAX, label_of, nice_edges


def labels(low: float, high: float, *, is_whole: bool = False) -> list[str]:
    return [label_of(*edges) for edges in pairwise(nice_edges(low, high, is_whole=is_whole))]


@pytest.mark.parametrize(
    ("low", "high", "is_whole", "count", "first", "last"),
    [
        (0, 1000, True, 10, "0-100", "900-1000"),
        (0, 999, True, 10, "0-100", "900-1000"),
        (3, 7, True, 4, "3-4", "6-7"),
        (3, 7, False, 8, "3-3.5", "6.5-7"),
        (0, 25, False, 10, "0-2.5", "22.5-25"),
        (0, 25, True, 5, "0-5", "20-25"),
        (1, 1001, True, 6, "0-200", "1000-1200"),
        (7, 7, True, 1, "7-8", "7-8"),
        (0, 0, True, 1, "0-1", "0-1"),
        (0.1, 0.3, False, 10, "0.1-0.12", "0.28-0.3"),
        (-50, 50, True, 10, "-50--40", "40-50"),
        (2**53, 2**53 + 2, True, 2, "9007199254740992-9007199254740993", "9007199254740993-9007199254740994"),
    ],
    ids=[
        "hundreds",
        "rounded up",
        "whole steps",
        "halves",
        "2.5",
        "no 2.5 for whole",
        "low edge",
        "one value",
        "zero",
        "exact tenths",
        "negative",
        "large",
    ],
)
def test_edges_are_what_people_would_choose(
    low: float, high: float, is_whole: bool, count: int, first: str, last: str
) -> None:
    found = labels(low, high, is_whole=is_whole)
    assert (len(found), found[0], found[-1]) == (count, first, last)


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, finite)
def test_any_two_numbers_lie_within_ten_equal_ranges(one: float, other: float) -> None:
    low, high = sorted((one, other))
    edges = nice_edges(low, high, is_whole=False)
    assert 1 <= len(edges) - 1 <= BUCKETS_MAX
    assert edges[0] <= Decimal(repr(low))
    assert Decimal(repr(high)) <= edges[-1]
    assert len({Fraction(after) - Fraction(before) for before, after in pairwise(edges)}) == 1


@given(st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15))
def test_whole_numbers_have_whole_edges(one: int, other: int) -> None:
    assert all(edge % 1 == 0 for edge in nice_edges(min(one, other), max(one, other), is_whole=True))
