"""What the audit log tells."""

from __future__ import annotations

import enum

import msgspec


class AuditAction(enum.StrEnum):
    """What was done."""

    PROFILES_DELETE = "profiles.delete"
    PROFILES_DEMERGE = "profiles.demerge"
    PROFILES_MERGE = "profiles.merge"
    PROFILES_UNDO = "profiles.undo"
    CHANNELS_SUBSCRIBE = "channels.subscribe"
    IDENTITIES_DISASSOCIATE = "identities.disassociate"
    SEGMENTS_MEMBERSHIP = "segments.membership"


class AuditEntry(msgspec.Struct, frozen=True):
    """One thing that was done.

    audit_id      grows in the order in which things were done
    passcode_id   who asked; empty: the system
    request_id    of the request that asked
    asked_count   how many users or addresses the request named
    done_count    how many of them it changed
    detail        what else there is to say: options of the request. Never a user's data
    """

    audit_id: int
    action: AuditAction
    passcode_id: str
    request_id: str
    asked_count: int
    done_count: int
    at_ms: int
    detail: str = ""
