"""The states of a message: every arrow and every non-arrow."""

from __future__ import annotations

import itertools

import pytest

from belfry.delivery.model import CLAIMABLE, MOVES, OPEN, MessageState, check_move
from belfry.errors import InternalError

S = MessageState
ARROWS = {
    (S.QUEUED, S.SENDING): "claimed",
    (S.QUEUED, S.SKIPPED): "the run is over its safety limit",
    (S.QUEUED, S.CANCELLED): "the campaign was stopped",
    (S.SENDING, S.SENT): "taken",
    (S.SENDING, S.RETRYING): "may pass later",
    (S.SENDING, S.FAILED): "will not pass",
    (S.SENDING, S.SKIPPED): "a check said no",
    (S.SENDING, S.QUEUED): "given back",
    (S.RETRYING, S.SENDING): "claimed again",
    (S.RETRYING, S.CANCELLED): "the campaign was stopped",
    (S.FAILED, S.QUEUED): "replayed",
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(S, S)), ids=lambda state: state.value)
def test_a_message_goes_along_the_arrows_only(old: MessageState, new: MessageState) -> None:
    if (old, new) in ARROWS:
        check_move(old, new)
    else:
        with pytest.raises(InternalError):
            check_move(old, new)


def test_every_state_has_its_moves_declared() -> None:
    assert set(MOVES) == set(S)


def test_what_is_claimable_is_still_to_come_and_what_is_not_open_ends_there() -> None:
    assert set(CLAIMABLE) < set(OPEN)
    assert all(S.SENDING not in MOVES[state] for state in set(S) - set(CLAIMABLE))
