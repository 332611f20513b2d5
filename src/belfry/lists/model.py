"""Lists, and the rows of their files."""

from __future__ import annotations

import enum

import msgspec

from belfry.ids import AccountId, SegmentId

NAME_LENGTH_MAX = 200
EMAIL_LENGTH_MAX = 320
API_SEGMENTS_MAX = 100
"""API segments that one call may make, and users that one call may add or remove."""
IDENTITY_LENGTH_MAX = 1024


class ListKind(enum.StrEnum):
    """Who decides the members: an uploaded file, or calls of the API."""

    CUSTOM = "custom"
    API = "api"


class StoredList(msgspec.Struct, frozen=True):
    """One list. See `tables.lists`."""

    account_id: AccountId
    segment_id: SegmentId
    kind: ListKind
    name: str
    external_id: str | None
    version: int
    version_issued: int
    members_count: int
    creator: str
    email: str
    created_at_ms: int
    updated_at_ms: int


class ListForm(msgspec.Struct, frozen=True):
    """What completes the upload of a custom list. replace: a list of this name gets other members."""

    name: str
    email: str
    creator: str
    replace: bool


class MemberKind(enum.StrEnum):
    """How a row names a user: by an identity (or email, or phone), or by the id of a device."""

    IDENTITY = "i"
    DEVICE = "g"


class Named(msgspec.Struct, frozen=True):
    """A well-formed row."""

    kind: MemberKind
    value: str


class Malformed(msgspec.Struct, frozen=True):
    """A row that names nobody. line: in the file, from 1."""

    line: int
    reason: str
