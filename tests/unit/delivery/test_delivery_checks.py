"""The checks before a message leaves: every reason, in the order of engagement 5.9."""

from __future__ import annotations

import itertools

import pytest

from belfry.delivery.checks import RECHECK_AFTER_MS, SEND, Facts, Skip, decide, is_over_limit, needs_recheck
from belfry.delivery.model import Reason
from support.delivery import view

GOOD = {
    "is_running": True,
    "is_over_limit": False,
    "view": view(1),
    "is_qualified": True,
    "is_duplicate": False,
}
BAD = {
    Reason.CAMPAIGN_STOPPED: {"is_running": False},
    Reason.SAFETY_LIMIT: {"is_over_limit": True},
    Reason.PROFILE_GONE: {"view": None},
    Reason.OPTED_OUT: {"view": view(1, is_opted_out=True)},
    Reason.NOT_QUALIFIED: {"is_qualified": False},
    Reason.DUPLICATE_ADDRESS: {"is_duplicate": True},
}
"""What makes each check fail, in the published order."""


def test_a_message_that_passes_every_check_leaves() -> None:
    assert decide(Facts(**GOOD)) == SEND


@pytest.mark.parametrize("reason", list(BAD), ids=str)
def test_each_check_alone_stops_the_message_with_its_reason(reason: Reason) -> None:
    assert decide(Facts(**(GOOD | BAD[reason]))) == Skip(reason)


PAIRS = [pair for pair in itertools.combinations(BAD, 2) if pair != (Reason.PROFILE_GONE, Reason.OPTED_OUT)]


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=str)
def test_of_two_failing_checks_the_earlier_one_is_the_reason(first: Reason, second: Reason) -> None:
    assert decide(Facts(**(GOOD | BAD[second] | BAD[first]))) == Skip(first)


@pytest.mark.parametrize(
    ("qualified_count", "limit", "expected"),
    [
        pytest.param(10**9, None, False, id="no limit"),
        pytest.param(100, 100, False, id="exactly the limit"),
        pytest.param(101, 100, True, id="one more"),
        pytest.param(0, 100, False, id="nobody"),
    ],
)
def test_the_safety_limit_is_passed_only_by_more_users(qualified_count: int, limit: int | None, expected: bool) -> None:
    assert is_over_limit(qualified_count, limit) is expected


@pytest.mark.parametrize(
    ("waited_ms", "rechecks", "expected"),
    [
        pytest.param(RECHECK_AFTER_MS, True, False, id="an hour"),
        pytest.param(RECHECK_AFTER_MS + 1, True, True, id="more than an hour"),
        pytest.param(RECHECK_AFTER_MS * 9, False, False, id="the campaign does not want it"),
        pytest.param(-5, True, False, id="queued by a clock that is ahead"),
    ],
)
def test_users_who_waited_for_more_than_an_hour_are_looked_up_again(
    waited_ms: int, rechecks: bool, expected: bool
) -> None:
    now_ms = 10**12
    asked = needs_recheck(queued_at_ms=now_ms - waited_ms, now_ms=now_ms, rechecks_segment=rechecks)
    assert asked is expected
