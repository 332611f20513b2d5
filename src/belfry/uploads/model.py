"""Uploads by signed URL, their parts, and what became of them."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from belfry.errors import BelfryError
from belfry.ids import AccountId

Json = object
"""A JSON value: anything, until a reader has looked at it."""

LIFETIME_MS = 24 * 3_600_000
"""How long a signed URL takes bytes (server-api 9.1)."""
PARTS_MAX = 4


class Purpose(enum.StrEnum):
    """What a file will be: decides who processes it."""

    CUSTOM_LIST = "custom_list"
    CATALOG = "catalog"
    CATALOG_PRODUCTS = "catalog_products"


class UploadState(enum.StrEnum):
    """open -> pending -> running -> done | failed; running -> pending again if its worker died or a store was away."""

    OPEN = "open"
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Grant(msgspec.Struct, frozen=True):
    """What a signed URL allows: sending one part of one upload until a moment."""

    account_id: AccountId
    upload_id: str
    part: int
    expires_at_s: int


class Upload(msgspec.Struct, frozen=True):
    """One upload.

    subject_id  the segment or catalog that it is for; None until it is submitted
    options     what its processor needs to know
    result      what its processor found: figures, or `error`
    lease_ms    until when the worker that runs it is believed to be alive
    """

    account_id: AccountId
    upload_id: str
    purpose: Purpose
    parts_count: int
    state: UploadState
    subject_id: int | None
    options: Mapping[str, Json]
    result: Mapping[str, Json]
    attempts_count: int
    lease_ms: int
    created_at_ms: int
    changed_at_ms: int
    expires_at_ms: int


class Part(msgspec.Struct, frozen=True):
    """One part that is whole on disk. etag: MD5 of its bytes, in hex, as object stores have it."""

    part: int
    bytes_count: int
    etag: str


class Unusable(BelfryError):
    """A file cannot be taken, now or later: its text says why, for the one who sent it."""
