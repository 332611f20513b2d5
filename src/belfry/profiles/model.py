"""Profiles, identities, devices, and the operations on profile properties."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from belfry.ids import AccountId, DeviceId, ProfileId

IDENTITIES_MAX = 20
DEVICES_MAX = 50
LIST_ITEMS_MAX = 100
UNDO_DAYS = 30
ADOPT_DAYS = 30
BUCKETS = 1000


class ProfileStatus(enum.StrEnum):
    """What has become of a profile. Only active ones are users."""

    ACTIVE = "active"
    ORPHAN = "orphan"  # anonymous history of a device whose user turned out to exist already
    MERGED = "merged"  # an explicit merge made another profile of it
    DELETED = "deleted"


class IdentityKind(enum.StrEnum):
    """What kind of identity a value is. Declared in order of precedence (engagement 1.2)."""

    IDENTITY = "identity"
    EMAIL = "email"
    PHONE = "phone"
    FBID = "fbid"
    GPID = "gpid"


class Identity(msgspec.Struct, frozen=True, order=True):
    """One identity value: trimmed, emails in lower case, phones in E.164 with `+`."""

    kind: IdentityKind
    value: str


class Op(enum.StrEnum):
    """Operations on one profile property (engagement 1.3)."""

    SET = "set"
    REPLACE = "replace"  # a multi-value as a whole
    ADD = "add"
    REMOVE = "remove"
    INCREMENT = "increment"  # by a negative number for $decr
    DELETE = "delete"


class Operation(msgspec.Struct, frozen=True):
    """One operation on one property, in the order the sender meant it."""

    key: str
    op: Op
    value: Any = None  # JSON value: text, number, boolean, list of text, nested object


class ProfileState(msgspec.Struct):
    """Everything the pipeline keeps of one profile while it works; equals its row."""

    account_id: AccountId
    profile_id: ProfileId
    status: ProfileStatus
    target_id: ProfileId | None
    bucket: int
    created_at_ms: int
    properties: dict[str, Any]
    written_at: dict[str, int]
    version: int


class Device(msgspec.Struct):
    """One installation of an app, or one browser."""

    device_id: DeviceId
    profile_id: ProfileId
    fields: dict[str, Any]
    added_at_ms: int


SUBSCRIPTION_KEYS = frozenset(
    {
        "MSG-email",
        "MSG-push",
        "MSG-push-all",
        "MSG-sms",
        "MSG-whatsapp",
        "MSG-webpush",
        "MSG-dndPhone",
        "MSG-dndEmail",
        "MSG-dndSMS",
        "MSG-dndWhatsApp",
    }
)
"""Profile-level opt-in flags and address-level do-not-disturb, as uploaded (server-api 3.6)."""

GROUP_STATES_KEY = "category-unsubscribe"
"""Where group opt-outs are kept among the properties: {channel: [group, …]}."""
