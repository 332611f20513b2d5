"""A subscription group, and the channels that have them."""

from __future__ import annotations

import enum

import msgspec


class GroupChannel(enum.StrEnum):
    """Channels whose messages can belong to groups."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    WEBPUSH = "webpush"
    WHATSAPP = "whatsapp"


class SubscriptionGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One group of an account. An archived one takes no slot; users keep their state in it.

    key    a small number, never given twice
    name   what uploads call it, exactly
    """

    key: int
    name: str
    description: str
    channels: tuple[GroupChannel, ...]
    created_at_ms: int
    updated_at_ms: int
    archived_at_ms: int | None = None

    @property
    def is_active(self) -> bool:
        return self.archived_at_ms is None
