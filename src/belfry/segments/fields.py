"""Fields of a user that the system keeps, and which operators each takes (engagement 3.4)."""

from __future__ import annotations

import enum

from belfry.segments.model import NEGATIVE, Cmp


class FieldKind(enum.Enum):
    """What a field holds; decides operators and storage."""

    TEXT = "text"
    NUMBER = "number"
    AGE = "age"
    FLAG = "flag"
    INSTANT = "instant"
    LIST = "list"
    DEVICE_TEXT = "device text"
    DEVICE_VERSION = "device version"


FIELDS: dict[str, FieldKind] = {
    "identity": FieldKind.TEXT,
    "email": FieldKind.TEXT,
    "phone": FieldKind.TEXT,
    "bucket": FieldKind.NUMBER,
    "age": FieldKind.AGE,
    "identified": FieldKind.FLAG,
    "created_at": FieldKind.INSTANT,
    "reachable": FieldKind.LIST,
    "has_email": FieldKind.FLAG,
    "has_phone": FieldKind.FLAG,
    "has_token": FieldKind.FLAG,
    "unsubscribed_email": FieldKind.FLAG,
    "unsubscribed_sms": FieldKind.FLAG,
    "unsubscribed_push": FieldKind.FLAG,
    "unsubscribed_whatsapp": FieldKind.FLAG,
    "platform": FieldKind.DEVICE_TEXT,
    "os": FieldKind.DEVICE_TEXT,
    "browser": FieldKind.DEVICE_TEXT,
    "device_type": FieldKind.DEVICE_TEXT,
    "make": FieldKind.DEVICE_TEXT,
    "model": FieldKind.DEVICE_TEXT,
    "carrier": FieldKind.DEVICE_TEXT,
    "app_version": FieldKind.DEVICE_VERSION,
    "os_version": FieldKind.DEVICE_VERSION,
    "sdk_version": FieldKind.DEVICE_VERSION,
}
"""Name in a rule → kind. Device fields match if any device of the user matches; a user without a device counts as one
device without values. `has_token`: a push or web push token that can be reached.
"""

_PRESENCE = frozenset({Cmp.EXISTS, Cmp.NOT_EXISTS})
_CHOICE = frozenset({Cmp.EQ, Cmp.NE, Cmp.IN, Cmp.NOT_IN})
_TEXT = _PRESENCE | _CHOICE | {Cmp.CONTAINS, Cmp.NOT_CONTAINS, Cmp.STARTS_WITH, Cmp.ENDS_WITH, Cmp.MATCHES}
_ORDER = frozenset({Cmp.LT, Cmp.LTE, Cmp.GT, Cmp.GTE})
_DATES = frozenset(
    {
        Cmp.ON,
        Cmp.BEFORE,
        Cmp.AFTER,
        Cmp.BETWEEN,
        Cmp.IN_LAST,
        Cmp.IN_NEXT,
        Cmp.MORE_THAN_AGO,
        Cmp.DAYS_AGO,
        Cmp.DAYS_FROM_NOW,
        Cmp.ANNIVERSARY,
    }
)
_VERSIONS = frozenset({Cmp.VEQ, Cmp.VNE, Cmp.VIN, Cmp.VLT, Cmp.VLTE, Cmp.VGT, Cmp.VGTE})

OPERATORS: dict[FieldKind, frozenset[Cmp]] = {
    FieldKind.TEXT: _TEXT,
    FieldKind.NUMBER: _CHOICE | _ORDER | {Cmp.BETWEEN},
    FieldKind.AGE: _PRESENCE | _CHOICE | _ORDER | {Cmp.BETWEEN},
    FieldKind.FLAG: frozenset({Cmp.EQ}),
    FieldKind.INSTANT: _DATES,
    FieldKind.LIST: _PRESENCE
    | {Cmp.CONTAINS_ANY, Cmp.CONTAINS_ALL, Cmp.CONTAINS_NONE, Cmp.IS_EXACTLY, Cmp.SIZE, Cmp.EQ, Cmp.NE},
    FieldKind.DEVICE_TEXT: _TEXT,
    FieldKind.DEVICE_VERSION: _PRESENCE | _CHOICE | _ORDER | _VERSIONS,
}

AS_VERSION = {
    Cmp.EQ: Cmp.VEQ,
    Cmp.NE: Cmp.VNE,
    Cmp.IN: Cmp.VEQ,
    Cmp.NOT_IN: Cmp.VNE,
    Cmp.LT: Cmp.VLT,
    Cmp.LTE: Cmp.VLTE,
    Cmp.GT: Cmp.VGT,
    Cmp.GTE: Cmp.VGTE,
}
"""Version fields compare as versions whichever operator is used (engagement 3.4): 5.10 > 5.9."""


def base_of(cmp: Cmp) -> Cmp:
    """The operator without its "not"."""
    return NEGATIVE.get(cmp, cmp)
