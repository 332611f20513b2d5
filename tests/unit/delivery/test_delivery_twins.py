"""Two messages to one user: one leaves, and no order of events lets both."""

from __future__ import annotations

import pytest

from belfry.delivery.model import MessageState
from belfry.delivery.twins import Twin, is_duplicate, must_wait

S = MessageState


@pytest.mark.parametrize(
    ("state", "precedes", "is_in_batch", "duplicate", "waits"),
    [
        pytest.param(S.SENT, False, False, True, False, id="the other has left"),
        pytest.param(S.SENT, True, False, True, False, id="the other has left and precedes"),
        pytest.param(S.QUEUED, True, False, True, False, id="the other goes first"),
        pytest.param(S.QUEUED, False, False, False, False, id="this one goes first"),
        pytest.param(S.RETRYING, True, False, True, False, id="the other goes first and is being retried"),
        pytest.param(S.SENDING, True, False, True, True, id="the other goes first and is leaving"),
        pytest.param(S.SENDING, False, False, False, True, id="the other may be leaving: wait for what becomes of it"),
        pytest.param(S.SENDING, False, True, False, False, id="claimed together: the other one will be skipped"),
        pytest.param(S.SENDING, True, True, True, False, id="claimed together: this one is skipped"),
        pytest.param(S.FAILED, True, False, False, False, id="the other failed for good"),
        pytest.param(S.SKIPPED, True, False, False, False, id="the other was skipped"),
        pytest.param(S.CANCELLED, True, False, False, False, id="the other was cancelled"),
    ],
)
def test_what_another_message_to_the_same_user_means(
    state: MessageState, precedes: bool, is_in_batch: bool, duplicate: bool, waits: bool
) -> None:
    twin = Twin(state, precedes, is_in_batch)
    assert is_duplicate([twin]) is duplicate
    assert must_wait([twin]) is waits


def test_a_message_without_twins_leaves() -> None:
    assert not is_duplicate([])
    assert not must_wait([])
