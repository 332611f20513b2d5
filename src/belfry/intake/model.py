"""Upload records after they were read, and what the edge and the pipeline say about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from belfry.error_stream.model import Remark
from belfry.profiles.model import Identity, Operation


class UploadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one upload call; passing one refuses the whole call.

    records_max     records in `d`
    depth_max       nested containers, the body's own included
    keys_max        object keys in the body; 1000 records with 256 properties each stay below
    values_max      values in the body, counted by their commas
    echo_bytes_max  bytes of refused records that an answer repeats; further ones are named only (server-api 11)
    """

    records_max: int = 1000
    depth_max: int = 64
    keys_max: int = 300_000
    values_max: int = 1_000_000
    echo_bytes_max: int = 512 * 1024


class PartnerPolicy(msgspec.Struct, frozen=True):
    """Which Partner IDs the account deals with (partner-integrations 7.2). Keys: `partners.fold` of the id.

    enabled    folded → canonical id, of partners that the account enabled
    known      folded → canonical id, of whitelisted partners
    suspended  folded → canonical id; their records are always refused
    """

    enabled: Mapping[str, str] = {}
    known: Mapping[str, str] = {}
    suspended: Mapping[str, str] = {}


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
    """An event as uploaded, cleaned: forbidden characters gone, values cut, nested values bounded.

    index      place in the body, from 0
    ts_ms      epoch milliseconds as sent (whole seconds), None if not sent
    props      text, finite number, boolean, list of text, nested object, list of objects; never null
    source     canonical id of the partner that sent it, None for plain API data
    event_key  `event_id`, or `Charged ID` of Charged: recognises a duplicate by itself
    """

    index: int
    who: Who
    ts_ms: int | None
    name: str
    folded: str
    props: dict[str, Any]  # JSON values; handed to the columnar store as they are
    source: str | None
    event_key: str | None
    remarks: tuple[Remark, ...] = ()


class ProfileRecord(msgspec.Struct, gc=False):
    """A profile upload as operations; subscription flags are SET operations on their keys.

    operations     in the sender's order; a list of text comes as REPLACE, `$decr` as a negative INCREMENT
    groups_left    channel → groups of `category-unsubscribe`, None if not sent
    groups_joined  channel → groups of `category-resubscribe`, None if not sent
    """

    index: int
    who: Who
    ts_ms: int | None
    operations: tuple[Operation, ...]
    source: str | None
    groups_left: dict[str, list[str]] | None = None
    groups_joined: dict[str, list[str]] | None = None
    remarks: tuple[Remark, ...] = ()


class TokenRecord(msgspec.Struct, gc=False):
    """A push token of a device. kind: one of `tokens.KINDS`; keys: `p256dh` and `auth` of web push."""

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
