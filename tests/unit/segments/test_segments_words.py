"""A rule reads as a sentence; every operator has its words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from belfry.segments.calendar import Calendar
from belfry.segments.model import Cmp
from belfry.segments.parse import parse
from belfry.segments.words import _COMPARED, sentence
from support.segment_worlds import trees

CALENDAR = Calendar("Europe/Lisbon", 1_795_608_000_000)


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        pytest.param(
            {
                "type": "event",
                "event": "Charged",
                "where": {"prop": "Amount", "cmp": "gte", "value": 10},
                "measure": {"cmp": "gte", "value": 3},
                "when": {"range": {"last": 30, "unit": "day"}, "dow": ["Sat", "Sun"], "tod": ["18:00", "23:00"]},
            },
            "Users who did Charged at least 3 times from 27 October 2026 to now between 18:00 and 23:00 on a Sat "
            "or Sun where Amount is at least 10.",
            id="a counted event",
        ),
        pytest.param(
            {"type": "event", "did": False, "event": "Login", "when": {"range": {"on": "2026-11-01"}}},
            "Users who did not do Login from 1 November 2026 to 1 November 2026.",
            id="not done",
        ),
        pytest.param(
            {
                "op": "and",
                "rules": [
                    {"type": "user", "prop": "plan", "cmp": "ne", "value": "trial"},
                    {"not": {"type": "segment", "id": 7}},
                ],
            },
            "Users whose plan is not “trial” or is missing and of whom it is not true that they are users in the "
            "segment “Buyers”.",
            id="missing values are said",
        ),
        pytest.param(
            {
                "type": "event",
                "event": "a",
                "measure": {"fn": "avg", "prop": "Amount", "cmp": "lt", "value": 6, "include_zero": True},
            },
            "Users who did a with an average of Amount of less than 6, counting users who never did it, at any time.",
            id="an average with zero",
        ),
        pytest.param({"type": "everyone"}, "Users of any kind.", id="everyone"),
    ],
)
def test_a_rule_reads_as_a_sentence(tree: Any, words: str) -> None:
    text = sentence(parse(tree), CALENDAR, {7: "Buyers"})
    assert text.replace("(", "").replace(")", "") == words


def test_every_operator_has_words() -> None:
    assert set(_COMPARED) == set(Cmp)


@settings(max_examples=200, deadline=None)
@given(trees)
def test_every_tree_can_be_read(tree: Any) -> None:
    text = sentence(parse(tree), CALENDAR, {})
    assert text.startswith("Users ")
    assert "  " not in text
