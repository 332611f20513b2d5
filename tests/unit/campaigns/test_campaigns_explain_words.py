"""Explaining one message: every state, in words and codes."""

from __future__ import annotations

import pytest

from belfry.campaigns.explain import SENTENCES, steps_of_message
from belfry.delivery.history import MessageView
from belfry.delivery.model import Attempt, MessageState, Reason, SendFailure
from belfry.ids import CampaignId, MessageId, ProfileId

NOON_MS = 1_795_608_000_000
S = MessageState


def message(state: MessageState, **changes: object) -> MessageView:
    known = {
        "message_id": MessageId("b1x"),
        "campaign_id": CampaignId(1),
        "run_id": 20261125,
        "profile_id": ProfileId(7),
        "call_id": 0,
        "state": state,
        "reason": None,
        "detail": "",
        "status": None,
        "attempts_count": 0,
        "due_at_ms": NOON_MS,
        "created_at_ms": NOON_MS,
        "updated_at_ms": NOON_MS,
    }
    return MessageView(**(known | changes))  # type: ignore[arg-type]


TRIED = Attempt(1, NOON_MS, 503, SendFailure.UNKNOWN, "HTTP 503: busy")


@pytest.mark.parametrize(
    ("told", "attempts", "codes", "words"),
    [
        pytest.param(message(S.QUEUED), [], ["qualified", "queued"], "waits for its turn", id="queued"),
        pytest.param(
            message(S.QUEUED, reason=Reason.PROVIDER_DOWN),
            [],
            ["qualified", "queued"],
            "waits until 2026-11-25T12:00:00Z: the endpoint could not be reached",
            id="put off",
        ),
        pytest.param(message(S.SENDING), [], ["qualified", "sending"], "being sent now", id="sending"),
        pytest.param(
            message(S.SENT, status=204, attempts_count=2),
            [TRIED],
            ["qualified", "attempt_unknown", "sent"],
            "took the message with HTTP 204, at attempt 2",
            id="sent at the second try",
        ),
        pytest.param(
            message(S.RETRYING, reason=Reason.RATE_LIMITED, attempts_count=1, detail="HTTP 429"),
            [TRIED],
            ["qualified", "attempt_unknown", "retrying"],
            "next try is at 2026-11-25T12:00:00Z: the endpoint asked to slow down (HTTP 429)",
            id="retrying",
        ),
        pytest.param(
            message(S.FAILED, reason=Reason.REJECTED, attempts_count=1),
            [TRIED],
            ["qualified", "attempt_unknown", "failed"],
            "can be replayed until 2026-12-02T12:00:00Z",
            id="failed",
        ),
        pytest.param(
            message(S.SKIPPED, reason=Reason.MISSING_VALUE, detail="no value for Profile.name and no default"),
            [],
            ["qualified", "missing_value"],
            "does not have, and gives no default (no value for Profile.name",
            id="skipped",
        ),
        pytest.param(
            message(S.CANCELLED, reason=Reason.CAMPAIGN_STOPPED),
            [],
            ["qualified", "campaign_stopped"],
            "the campaign was stopped",
            id="cancelled",
        ),
    ],
)
def test_every_state_is_told_in_words_and_codes(
    told: MessageView, attempts: list[Attempt], codes: list[str], words: str
) -> None:
    steps = steps_of_message(told, attempts)
    assert [step.code for step in steps] == codes
    assert words in steps[-1].text
    assert all(step.at_ms is not None for step in steps)


def test_every_reason_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Reason)


@pytest.mark.parametrize("reason", list(Reason), ids=str)
def test_a_skipped_message_says_why(reason: Reason) -> None:
    last = steps_of_message(message(S.SKIPPED, reason=reason), [])[-1]
    assert last.code == reason
    assert SENTENCES[reason] in last.text
