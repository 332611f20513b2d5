"""Uploads for tests: bodies of records, checked and read with the account's defaults."""

from __future__ import annotations

import json
from typing import Any

from belfry.accounts.model import AccountSettings
from belfry.error_stream.model import ErrorKind
from belfry.intake import (
    EventRecord,
    PartnerPolicy,
    ProfileRecord,
    Record,
    Refusal,
    UploadLimits,
    Verdict,
    check_upload,
    read_upload,
)

NOW_MS = 1_795_608_000_000
NOW_S = NOW_MS // 1000
LIMITS = UploadLimits()
SETTINGS = AccountSettings()
PARTNERS = PartnerPolicy(
    enabled={"talonone": "Talon.One"},
    known={"talonone": "Talon.One", "finch": "Finch", "gone": "Gone"},
    suspended={"gone": "Gone"},
)


def body_of(*records: object) -> bytes:
    return json.dumps({"d": list(records)}).encode()


def event(**keys: Any) -> dict[str, Any]:
    """A record that every rule accepts, with keys replaced; `source_` stands for `$source`."""
    record = {"type": "event", "identity": "u-1", "ts": 1_767_225_600, "evtName": "Quiz Done", "evtData": {"score": 9}}
    return _with(record, keys)


def profile(**keys: Any) -> dict[str, Any]:
    return _with({"type": "profile", "identity": "u-1", "profileData": {"plan": "gold"}}, keys)


def token(**keys: Any) -> dict[str, Any]:
    record = {"type": "token", "objectId": "__b41c2a6f0d9e", "tokenData": {"id": "fEx:APA91b", "type": "fcm"}}
    return _with(record, keys)


def _with(record: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    record = record | keys
    if "source_" in record:
        record["$source"] = record.pop("source_")
    return record


def check(*records: object, settings: AccountSettings = SETTINGS, **options: Any) -> Verdict:
    options.setdefault("partners", PARTNERS)
    return check_upload(body_of(*records), settings, LIMITS, NOW_MS, **options)


def code_of(record: object, settings: AccountSettings = SETTINGS, **options: Any) -> int | None:
    """The code with which a lone record is refused, None if it is accepted."""
    refusals = check(record, settings=settings, **options).refusals
    return refusals[0].code if refusals else None


def read(*records: object, settings: AccountSettings = SETTINGS, **options: Any) -> list[Record | Refusal]:
    """The records that are accepted, as the pipeline reads them."""
    body = body_of(*records)
    options.setdefault("partners", PARTNERS)
    verdict = check_upload(body, settings, LIMITS, NOW_MS, **options)
    refused = [refusal.index for refusal in verdict.refusals]
    options.pop("discarded", None)
    return read_upload(body, settings, refused, NOW_MS, **options)


def read_event(record: object, settings: AccountSettings = SETTINGS, **options: Any) -> EventRecord:
    (result,) = read(record, settings=settings, **options)
    assert isinstance(result, EventRecord)
    return result


def read_profile(data: dict[str, Any], settings: AccountSettings = SETTINGS, **keys: Any) -> ProfileRecord:
    (result,) = read(profile(profileData=data, **keys), settings=settings)
    assert isinstance(result, ProfileRecord)
    return result


def kinds(record: Record | Refusal) -> list[ErrorKind]:
    assert not isinstance(record, Refusal)
    return [remark.kind for remark in record.remarks]
