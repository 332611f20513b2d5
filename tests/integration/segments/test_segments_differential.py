"""R14: the SQL of a random rule tree selects exactly whom a plain evaluator selects over the same data."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from belfry.ids import AccountId, ProfileId
from belfry.segments.compiler import Scope, compile_count, compile_members
from belfry.segments.model import Rule
from belfry.segments.parse import parse
from belfry.storage.columnar import Columnar
from support.segment_oracle import World, members
from support.segment_worlds import make_world, store, trees

TREES = int(os.environ.get("BELFRY_TEST_TREES", "50000"))
SMALL = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
Worlds = Callable[[int], tuple[Scope, World]]


class Nothing:
    """No saved segments, nobody known."""

    def segment_rule(self, _segment_id: int) -> Rule | None:
        return None

    def profile_of(self, _kind: str, _value: str) -> ProfileId | None:
        return None


def worlds_of(columnar: Columnar, people: int, events: int) -> Worlds:
    """Worlds by seed, each stored once, under an account of its own."""
    known: dict[int, tuple[Scope, World]] = {}

    def world_of(seed: int) -> tuple[Scope, World]:
        if seed not in known:
            world = make_world(seed, people, events)
            account_id = AccountId(f"world-{seed}")
            store(world, columnar, account_id)
            known[seed] = Scope(account_id, world.timezone, world.as_of_ms), world
        return known[seed]

    return world_of


def assert_agree(columnar: Columnar, scope: Scope, world: World, tree: dict[str, Any]) -> None:
    rule = parse(tree)
    expected = members(tree, world)
    found = compile_members(rule, scope, Nothing())
    rows = [row[0] for row in columnar.rows(found.sql, dict(found.parameters))]
    assert rows == sorted(expected), f"{tree} in {world.timezone} at {world.as_of_ms}"
    count = compile_count(rule, scope, Nothing())
    assert columnar.value(count.sql, dict(count.parameters)) == len(expected)


def test_random_trees_select_whom_a_plain_evaluator_selects(columnar: Columnar) -> None:
    world_of = worlds_of(columnar, people=8, events=40)

    @SMALL
    @given(st.integers(0, 15), trees)
    def agree(seed: int, tree: dict[str, Any]) -> None:
        scope, world = world_of(seed)
        assert_agree(columnar, scope, world, tree)

    agree()


@pytest.mark.soak
def test_the_same_in_full_size(columnar: Columnar) -> None:
    """50 000 trees over worlds of 1 000 users; prints nothing but the failing tree, shrunk."""
    world_of = worlds_of(columnar, people=1000, events=8000)

    @settings(SMALL, max_examples=TREES)
    @given(st.integers(0, 30), trees)
    def agree(seed: int, tree: dict[str, Any]) -> None:
        scope, world = world_of(seed)
        assert_agree(columnar, scope, world, tree)

    agree()


REMEMBERED: list[tuple[str, int, dict[str, Any]]] = [
    (
        "a cleaned name finds its property",
        0,
        {"type": "user", "prop": "we`ird {x:y} \n--/*", "cmp": "exists"},
    ),
    (
        "a negated measure leaves out users without the event",
        1,
        {"type": "event", "event": "Charged", "measure": {"cmp": "lt", "value": 2}},
    ),
    (
        "with zero they are in",
        1,
        {"type": "event", "event": "Charged", "measure": {"cmp": "lt", "value": 2, "include_zero": True}},
    ),
    (
        "a NULL figure of the first occurrence is not passed over",
        2,
        {
            "type": "event",
            "event": "Charged",
            "occurrence": "first",
            "measure": {"fn": "sum", "prop": "Amount", "cmp": "eq", "value": 0},
        },
    ),
    (
        "whole numbers beyond 2**53 are told apart",
        3,
        {"type": "user", "prop": "score", "cmp": "eq", "value": 2**53 + 1},
    ),
    (
        "not of a missing value is true",
        4,
        {"not": {"type": "user", "prop": "nobody", "cmp": "eq", "value": 1}},
    ),
    (
        "a final sigma is a sigma",
        5,
        {"type": "user", "prop": "Customer Type", "cmp": "contains", "value": "Σ"},
    ),
]


@pytest.mark.parametrize(("seed", "tree"), [case[1:] for case in REMEMBERED], ids=[case[0] for case in REMEMBERED])
def test_remembered_cases_agree(columnar: Columnar, seed: int, tree: dict[str, Any]) -> None:
    for offset in range(0, 15, 5):
        scope, world = worlds_of(columnar, 8, 40)(seed + offset)
        assert_agree(columnar, scope, world, tree)
