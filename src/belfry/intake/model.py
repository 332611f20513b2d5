"""Upload records after they were read: what the pipeline works with."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.error_stream.model import Remark
from belfry.profiles.model import Identity, Operation


class Who(msgspec.Struct, frozen=True, gc=False):
    """Whom a record is about, in order of precedence: the identity, else the device.

    identity    the root identity (identity, FBID or GPID) or, for a bare objectId, None
    device_id   a well-formed objectId, None if none or dropped
    added       further identities that the record brings (profileData.identity, Email, Phone, FBID, GPID)
    """

    identity: Identity | None
    device_id: str | None
    added: tuple[Identity, ...] = ()


class EventRecord(msgspec.Struct, gc=False):
    """An event as uploaded, cleaned: forbidden characters gone, values cut, nested values bounded."""

    index: int
    who: Who
    ts_ms: int | None
    name: str
    folded: str
    props: dict[str, Any]
    source: str | None
    event_key: str | None  # `event_id`, or `Charged ID` of Charged: recognises a duplicate by itself
    remarks: tuple[Remark, ...] = ()


class ProfileRecord(msgspec.Struct, gc=False):
    """A profile upload as operations; subscription flags are SET operations on their keys."""

    index: int
    who: Who
    ts_ms: int | None
    operations: tuple[Operation, ...]
    source: str | None
    groups_left: dict[str, list[str]] | None = None  # channel → groups of `category-unsubscribe`
    groups_joined: dict[str, list[str]] | None = None
    remarks: tuple[Remark, ...] = ()


class TokenRecord(msgspec.Struct, gc=False):
    """A push token of a device."""

    index: int
    who: Who
    ts_ms: int | None
    token: str
    kind: str
    keys: dict[str, str] | None
    remarks: tuple[Remark, ...] = ()


Record = EventRecord | ProfileRecord | TokenRecord


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A record that was not accepted: its place (0-based), code and text of server-api 3.12."""

    index: int
    code: int
    text: str


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the edge found out about an upload.

    total      records in the body
    refusals   in the order of the body
    """

    total: int
    refusals: tuple[Refusal, ...]
