"""Messages on their way out, what can become of them, and what delivery asks of the layers around it."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from belfry.connectors.model import Outcome, ProfileView, SendFailure
from belfry.errors import InternalError
from belfry.ids import AccountId, CampaignId, MessageId, ProfileId
from belfry.outbound import OutboundError, OutboundRequest, OutboundResponse

__all__ = [
    "CLAIMABLE",
    "DETAIL_BYTES_MAX",
    "MOVES",
    "OPEN",
    "Attempt",
    "Audience",
    "Call",
    "MessageState",
    "OutboundError",
    "OutboundRequest",
    "OutboundResponse",
    "OutboxRow",
    "Outcome",
    "Plan",
    "Plans",
    "ProfileView",
    "Reason",
    "Result",
    "RunKey",
    "SendFailure",
    "Sender",
    "check_move",
]

DETAIL_BYTES_MAX = 1024


class MessageState(enum.StrEnum):
    """Where a message is. Legal moves: `MOVES`."""

    QUEUED = "queued"
    SENDING = "sending"
    RETRYING = "retrying"
    SENT = "sent"
    FAILED = "failed"  # the dead letter: final, can be replayed for seven days
    SKIPPED = "skipped"  # a check of engagement 5.9 said no; `reason` says which
    CANCELLED = "cancelled"  # the campaign was stopped before it left


MOVES: dict[MessageState, frozenset[MessageState]] = {
    MessageState.QUEUED: frozenset({MessageState.SENDING, MessageState.SKIPPED, MessageState.CANCELLED}),
    MessageState.SENDING: frozenset(
        {
            MessageState.SENT,
            MessageState.RETRYING,
            MessageState.FAILED,
            MessageState.SKIPPED,
            MessageState.QUEUED,  # the claim was given back: a drain, a dead worker, an open breaker
        }
    ),
    MessageState.RETRYING: frozenset({MessageState.SENDING, MessageState.CANCELLED}),
    MessageState.SENT: frozenset(),
    MessageState.FAILED: frozenset({MessageState.QUEUED}),  # replay
    MessageState.SKIPPED: frozenset(),
    MessageState.CANCELLED: frozenset(),
}

CLAIMABLE = (MessageState.RETRYING, MessageState.QUEUED)
"""What may be claimed when it is due; those that have waited through a retry first."""
OPEN = (MessageState.QUEUED, MessageState.RETRYING, MessageState.SENDING)
"""Something is still to come: a run with such messages is not over."""


def check_move(old: MessageState, new: MessageState) -> None:
    """Raise InternalError if a message may not go from one state to the other."""
    if new not in MOVES[old]:
        raise InternalError(f"a message may not go from {old} to {new}")


class Reason(enum.StrEnum):
    """Why a message did not leave, or not yet (engagement 5.9)."""

    CAMPAIGN_STOPPED = "campaign_stopped"
    SAFETY_LIMIT = "safety_limit"
    PROFILE_GONE = "profile_gone"
    OPTED_OUT = "opted_out"
    NOT_QUALIFIED = "not_qualified"
    DUPLICATE_ADDRESS = "duplicate_address"
    RENDER_ERROR = "render_error"
    RENDER_TIMEOUT = "render_timeout"
    MISSING_VALUE = "missing_value"
    ABORTED = "aborted"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    PROVIDER_DOWN = "provider_down"
    REJECTED = "rejected"
    CREDENTIALS = "credentials"
    ADDRESS_REFUSED = "address_refused"  # the outbound client may not call there


class RunKey(msgspec.Struct, frozen=True):
    """One sending of one campaign."""

    account_id: AccountId
    campaign_id: CampaignId
    run_id: int


class OutboxRow(msgspec.Struct, frozen=True, gc=False):
    """A message that was claimed for sending. attempts_count: how often it was sent already."""

    account_id: AccountId
    message_id: MessageId
    profile_id: ProfileId
    call_id: int
    attempts_count: int
    created_at_ms: int


class Call(msgspec.Struct, frozen=True):
    """Messages that leave together in one request, in the order of their message ids. Never empty."""

    call_id: int
    rows: tuple[OutboxRow, ...]

    @property
    def attempts_count(self) -> int:
        return max(row.attempts_count for row in self.rows)


class Attempt(msgspec.Struct, frozen=True):
    """One try to send a message that was not taken."""

    attempt: int
    at_ms: int
    status: int | None
    failure: SendFailure
    detail: str


class Result(msgspec.Struct, frozen=True):
    """What became of a claimed message: the state to move to from `sending`.

    due_at_ms  when it may be claimed again, of queued and retrying; None: as before
    attempt    the try that was not taken, for the trail
    """

    row: OutboxRow
    state: MessageState
    attempts_count: int
    reason: Reason | None = None
    detail: str = ""
    status: int | None = None
    due_at_ms: int | None = None
    attempt: Attempt | None = None


class Plan(Protocol):
    """One run that is being sent, as the dispatcher sees it: a compiled message and where it goes."""

    @property
    def run(self) -> RunKey: ...

    @property
    def host(self) -> str:
        """`host:port` that all calls go to."""
        ...

    @property
    def messages_per_call_max(self) -> int: ...

    @property
    def is_over_limit(self) -> bool:
        """Whether more users qualified than the campaign's safety limit allows."""
        ...

    @property
    def rechecks_segment(self) -> bool:
        """Whether users who have waited for more than an hour must still be in the segment."""
        ...

    def qualified(self, profile_ids: Sequence[ProfileId]) -> Collection[ProfileId]:
        """Which of these users are in the campaign's segment now. Blocks."""
        ...

    def request(
        self, messages: Sequence[tuple[MessageId, ProfileView]], *, attempt: int, now_ms: int
    ) -> OutboundRequest:
        """Render one call. Raises RenderFailure for what cannot be rendered, CallTooLarge for all of it together."""
        ...

    def outcome(self, answer: OutboundResponse | OutboundError) -> Outcome:
        """What the provider's answer, or its absence, means."""
        ...


class Plans(Protocol):
    """What delivery asks about campaigns; given by the layer above. Calls block."""

    def sending(self) -> Sequence[Plan]:
        """Every run whose messages may leave now."""
        ...


class Audience(Protocol):
    """What delivery asks about users; given by the layer above. Calls block."""

    def views(self, account_id: AccountId, profile_ids: Sequence[ProfileId]) -> Mapping[ProfileId, ProfileView]:
        """Users by the id asked for; those that are gone are left out.

        A profile that was merged away is answered by the one that took over: `view.profile_id` tells.
        """
        ...

    def merged_into(
        self, account_id: AccountId, profile_ids: Sequence[ProfileId]
    ) -> Mapping[ProfileId, Sequence[ProfileId]]:
        """For each of these users that took over others by a merge: their ids."""
        ...


class Sender(Protocol):
    """What makes the calls: `belfry.outbound`. Raises its errors."""

    async def send(self, request: OutboundRequest) -> OutboundResponse: ...
