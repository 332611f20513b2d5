"""May this message leave now? The checks of engagement 5.9 that apply to webhooks, in their published order."""

from __future__ import annotations

import msgspec

from belfry.delivery.model import ProfileView, Reason

RECHECK_AFTER_MS = 3_600_000
"""Users who have waited for longer than this must still be in the segment (engagement 4.3)."""


class Send(msgspec.Struct, frozen=True):
    """It may leave."""


class Skip(msgspec.Struct, frozen=True):
    """It may not, for ever; the first failing check is *the* reason."""

    reason: Reason


SEND = Send()


class Facts(msgspec.Struct, frozen=True):
    """Everything that the decision about one message rests on.

    is_running     the campaign's run is being sent
    is_over_limit  more users qualified than the campaign's safety limit allows
    view           the user; None: there is none (any more)
    is_qualified   the user is in the segment, or did not have to be asked: see `needs_recheck`
    is_duplicate   another message of the run is for the same user, who was two when the run was prepared
    """

    is_running: bool
    is_over_limit: bool
    view: ProfileView | None
    is_qualified: bool
    is_duplicate: bool


def decide(facts: Facts) -> Send | Skip:
    """Decide on one message. No clock, no store: every case is a row of a test table."""
    if not facts.is_running:
        return Skip(Reason.CAMPAIGN_STOPPED)
    if facts.is_over_limit:
        return Skip(Reason.SAFETY_LIMIT)
    if facts.view is None:
        return Skip(Reason.PROFILE_GONE)
    if facts.view.is_opted_out:
        return Skip(Reason.OPTED_OUT)
    if not facts.is_qualified:
        return Skip(Reason.NOT_QUALIFIED)
    if facts.is_duplicate:
        return Skip(Reason.DUPLICATE_ADDRESS)
    return SEND


def is_over_limit(qualified_count: int, limit: int | None) -> bool:
    """The safety check (engagement 4.3): more users qualified than the creator thought possible."""
    return limit is not None and qualified_count > limit


def needs_recheck(*, queued_at_ms: int, now_ms: int, rechecks_segment: bool) -> bool:
    """Whether this message has waited so long that its user must be looked up in the segment again."""
    return rechecks_segment and now_ms - queued_at_ms > RECHECK_AFTER_MS
