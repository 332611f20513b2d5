"""Which events a discard covers, and one word for the types that were seen."""

from __future__ import annotations

import pytest

from belfry.events.actions import data_type
from belfry.events.discards import Discard, discarded_at

DAY = 86_400_000


@pytest.mark.parametrize(
    ("discard", "at_ms", "covered"),
    [
        (Discard("x", 1000), 999, False),
        (Discard("x", 1000), 1000, True),
        (Discard("x", 1000), 10**15, True),
        (Discard("x", 1000, 2000), 1999, True),
        (Discard("x", 1000, 2000), 2000, False),
    ],
    ids=["before", "at once", "for ever", "until the restore", "from the restore on"],
)
def test_a_discard_covers_from_its_moment_to_its_restore(discard: Discard, at_ms: int, covered: bool) -> None:
    assert discard.covers(at_ms) is covered


def test_the_names_that_were_discarded_at_a_moment() -> None:
    discards = [Discard("a", 0, DAY), Discard("a", 2 * DAY), Discard("b", DAY)]
    assert discarded_at(discards, 0) == {"a"}
    assert discarded_at(discards, DAY) == {"b"}
    assert discarded_at(discards, 2 * DAY) == {"a", "b"}


@pytest.mark.parametrize(
    ("types", "word"),
    [
        (["String"], "String"),
        (["Integer", "Float"], "Float"),
        (["Float", "Float"], "Float"),
        (["Integer", "String"], "Mixed"),
        (["List", "String", "Integer"], "Mixed"),
    ],
)
def test_types_that_fit_together_have_one_word(types: list[str], word: str) -> None:
    assert data_type(types) == word
