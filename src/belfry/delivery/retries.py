"""What follows from an outcome: sent, tried again later, or failed for good."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from belfry.delivery.model import MessageState, Outcome, Reason, SendFailure

JITTER_SHARE = 0.2
RETRY_AFTER_S_MAX = 86_400.0
"""A provider that asks for more than a day is asked again after a day."""

RETRIED = frozenset({SendFailure.UNREACHABLE, SendFailure.THROTTLED, SendFailure.UNKNOWN})
"""Worth another try. `UNKNOWN` may have been taken: the webhook channel's policy is `retry_same_id` (partner
integrations 0.6), so it is sent again under the same Idempotency-Key."""

REASONS = {
    SendFailure.UNREACHABLE: Reason.PROVIDER_DOWN,
    SendFailure.THROTTLED: Reason.RATE_LIMITED,
    SendFailure.REJECTED: Reason.REJECTED,
    SendFailure.RECIPIENT_GONE: Reason.REJECTED,
    SendFailure.MISCONFIGURED: Reason.CREDENTIALS,
    SendFailure.UNKNOWN: Reason.PROVIDER_DOWN,
}


class Verdict(msgspec.Struct, frozen=True):
    """Where a message goes after a try. due_at_ms: of retrying, when it is tried again."""

    state: MessageState
    reason: Reason | None = None
    due_at_ms: int | None = None


def after(outcome: Outcome, *, tries_count: int, delays_s: Sequence[float], key: str, now_ms: int) -> Verdict:
    """Decide what comes after a try.

    tries_count  tries so far, with this one
    delays_s     the waits before the first, second, … retry; after the last one a failure is final
    key          what the jitter is made from: the same call waits the same time in every run of a test
    """
    if outcome.failure is None:
        return Verdict(MessageState.SENT)
    reason = REASONS[outcome.failure]
    if outcome.failure not in RETRIED or tries_count > len(delays_s):
        return Verdict(MessageState.FAILED, reason)
    wait_s = max(jittered_s(delays_s[tries_count - 1], key, tries_count), _asked_for_s(outcome))
    return Verdict(MessageState.RETRYING, reason, now_ms + round(wait_s * 1000))


def jittered_s(delay_s: float, key: str, ordinal: int) -> float:
    """The delay, up to 20 % shorter or longer: calls that failed together do not come back together."""
    digest = hashlib.blake2b(f"{key}\x00{ordinal}".encode(), digest_size=4).digest()
    share = int.from_bytes(digest, "big") / 0xFFFF_FFFF
    return delay_s * (1 + JITTER_SHARE * (2 * share - 1))


def _asked_for_s(outcome: Outcome) -> float:
    return min(outcome.retry_after_s or 0.0, RETRY_AFTER_S_MAX)
