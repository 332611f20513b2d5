"""Messages on their way out, and the closed lists of what can become of them."""

from __future__ import annotations

import enum
from typing import Any, Protocol

import msgspec

from belfry.ids import AccountId, CampaignId, MessageId, ProfileId


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
            MessageState.SENDING,
        }
    ),
    MessageState.RETRYING: frozenset({MessageState.SENDING, MessageState.SKIPPED, MessageState.CANCELLED}),
    MessageState.SENT: frozenset(),
    MessageState.FAILED: frozenset({MessageState.QUEUED}),
    MessageState.SKIPPED: frozenset(),
    MessageState.CANCELLED: frozenset(),
}


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


class SendFailure(enum.StrEnum):
    """Why a provider did not take a message. Decides retry, alarm and what the marketer reads."""

    UNREACHABLE = "unreachable"  # no connection: surely not taken; try later
    THROTTLED = "throttled"  # told to slow down or come back; try later
    REJECTED = "rejected"  # understood and declined; final
    RECIPIENT_GONE = "recipient_gone"  # opted out, dead token; final
    MISCONFIGURED = "misconfigured"  # wrong key or address; final, tell the account's owner
    UNKNOWN = "unknown"  # sent, no readable answer: perhaps taken; the channel's policy decides


class Outcome(msgspec.Struct, frozen=True):
    """What came of one call. failure None: taken."""

    failure: SendFailure | None
    status: int | None = None
    detail: str = ""
    retry_after_s: float | None = None


class OutboxRow(msgspec.Struct, frozen=True, gc=False):
    """A message that was claimed for sending."""

    account_id: AccountId
    message_id: MessageId
    campaign_id: CampaignId
    run_id: int
    profile_id: ProfileId
    call_id: int
    attempts_count: int


class ProfileView(msgspec.Struct, frozen=True):
    """What checks and templates may know of a user."""

    profile_id: ProfileId
    identity: str | None
    all_identities: tuple[str, ...]
    email: str | None
    phone: str | None
    name: str | None
    object_id: str | None
    push_token: str | None
    properties: dict[str, Any]
    subscriptions: dict[str, bool]  # push, webpush, email, sms, whatsapp → subscribed
    is_opted_out: bool = False


class Campaigns(Protocol):
    """What delivery asks about campaigns; given by the layer above."""

    def channel_of(self, account_id: AccountId, campaign_id: CampaignId) -> ChannelPlan | None:
        """How to send this campaign now; None if it is not running (any more)."""
        ...


class ChannelPlan(Protocol):
    """One running campaign as the dispatcher sees it: a compiled message and where it goes."""

    messages_per_call_max: int

    def is_running(self) -> bool: ...
