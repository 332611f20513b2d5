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


class Identity(msgspec.Struct, frozen=True, order=True, cache_hash=True):
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


class Token(msgspec.Struct, frozen=True):
    """A push token; `keys` of a browser's subscription only. It belongs to one device, the latest (server-api 3.8)."""

    token: str
    kind: str
    keys: dict[str, str] | None
    added_at_ms: int


class Device(msgspec.Struct):
    """One installation of an app, or one browser. Its tokens go where it goes.

    fields   platform, os_version, app_version, make, model, `ddnd` (do not disturb), …
    """

    device_id: DeviceId
    profile_id: ProfileId
    fields: dict[str, Any]
    added_at_ms: int
    tokens: dict[str, Token] = msgspec.field(default_factory=dict)


class Activity(msgspec.Struct):
    """What a profile did, in figures.

    events   event name as shown → [count, first seen, last seen], epoch milliseconds
    recent   opaque here: the pipeline's memory of the newest events; empty if there is none yet
    """

    events: dict[str, list[int]]
    recent: bytes = b""


class Erasure(msgspec.Struct, frozen=True):
    """Users that were erased, and what is left to do where the pipeline's transaction does not reach.

    erasure_id     the identity log's row of the first of them
    profile_ids    who was a user: what they did stays as what nobody did, or goes with `erases_events`
    absorbed_ids   hidden profiles that they had taken over: what happened there goes
    personal       by what they could be recognised: identities, addresses, names, devices, tokens
    version        of the snapshots that are left
    """

    erasure_id: int
    profile_ids: tuple[ProfileId, ...]
    absorbed_ids: tuple[ProfileId, ...]
    personal: tuple[str, ...]
    erases_events: bool
    version: int
    at_ms: int


class SystemEvent(msgspec.Struct, frozen=True):
    """An event that a rule raises (engagement 2.2); the pipeline gives it a time and a place."""

    name: str
    profile_id: ProfileId
    device_id: str | None
    props: dict[str, Any]


IDENTITY_SET = "Identity Set"
IDENTITY_RESET = "Identity Reset"
IDENTITY_ERROR = "Identity Error"
PUSH_UNREGISTERED = "Push Unregistered"
CHANNEL_SUBSCRIBED = "Channel Subscribed"
CHANNEL_UNSUBSCRIBED = "Channel Unsubscribed"


class Refused(msgspec.Struct, frozen=True):
    """A merge, demerge or undo that is not done. `code` is stable, `text` is for whoever asked."""

    code: str
    text: str


NAME_KEY, EMAIL_KEY, PHONE_KEY = "Name", "Email", "Phone"

KEY_OF_KIND = {
    IdentityKind.EMAIL: EMAIL_KEY,
    IdentityKind.PHONE: PHONE_KEY,
    IdentityKind.FBID: "FBID",
    IdentityKind.GPID: "GPID",
}
"""Under which property a value stands that may also be an identity."""

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

PREDEFINED_KEYS = SUBSCRIPTION_KEYS | frozenset(
    {
        NAME_KEY,
        EMAIL_KEY,
        PHONE_KEY,
        "Gender",
        "DOB",
        "Employed",
        "Education",
        "Married",
        "Age",
        "Tz",
        "Photo",
        "Customer Type",
        "identity",
        "FBID",
        "GPID",
        GROUP_STATES_KEY,
        "category-resubscribe",
    }
)
"""Keys that are not custom properties and do not count towards their limit (server-api 3.5)."""
