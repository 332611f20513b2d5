"""Whom a record is about (server-api 3.3)."""

from __future__ import annotations

import re

from belfry.error_stream.model import ErrorKind, Remark
from belfry.intake.codes import Code, Refused, kind_of
from belfry.intake.contacts import email_of
from belfry.intake.model import Who
from belfry.intake.rules import Rules
from belfry.intake.wire import WireRecord, given
from belfry.profiles.model import Identity, IdentityKind

IDENTIFIER_LENGTH_MAX = 1024

_OBJECT_ID = re.compile(r"[A-Za-z0-9_~-]{8,64}|(?:__|-)h[A-Za-z0-9=|<>;+.()!:$@_-]{1,64}")
"""Prefix (`__` Android, `-` iOS, `~` Windows, none on the web) and at least six more; or an SDK's custom id."""


def who_of(record: WireRecord, rules: Rules, remarks: list[Remark]) -> Who:
    """The identity, else the device, that a profile or event record names.

    raises  Refused 523: no identifier, or one of a wrong kind or length; 526: a lone objectId of no known form
    """
    identity = _root_identity(record)
    if identity is not None:
        return Who(identity, _device_beside(given(record.object_id), rules, remarks))
    object_id = identifier_text(given(record.object_id))
    if object_id is None or object_id in rules.settings.constant_object_ids:
        raise Refused(Code.IDENTITY_MISSING)
    if is_object_id(object_id, rules):
        return Who(None, object_id)
    if email_of(object_id) is not None:
        remarks.append(Remark(ErrorKind.OBJECT_ID_IGNORED, "objectId", "an email address; taken as identity"))
        return Who(Identity(IdentityKind.IDENTITY, object_id), None)
    if rules.is_reading:  # the edge knew the device
        return Who(None, object_id)
    raise Refused(Code.OBJECT_ID)


def is_object_id(text: str, rules: Rules) -> bool:
    """Whether this names a device: by its form, or because a device has used it."""
    return _OBJECT_ID.fullmatch(text) is not None or rules.known_device(text)


def identifier_text(value: object) -> str | None:
    """An identifier as text, trimmed; None for null and empty ones. Raises Refused 523."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refused(Code.IDENTITY_MISSING)
    text = number_text(value) if isinstance(value, int | float) else value.strip()
    if len(text) > IDENTIFIER_LENGTH_MAX:
        raise Refused(Code.IDENTITY_MISSING)
    return text or None


def number_text(value: float) -> str:
    """A number as people write it: 13 and 13.0 are `13`."""
    return str(int(value)) if isinstance(value, int) or value.is_integer() else repr(value)


def _root_identity(record: WireRecord) -> Identity | None:
    for kind, value in (
        (IdentityKind.IDENTITY, record.identity),
        (IdentityKind.FBID, record.fbid),
        (IdentityKind.GPID, record.gpid),
    ):
        text = identifier_text(given(value))
        if text is not None:
            return Identity(kind, text)
    return None


def _device_beside(value: object, rules: Rules, remarks: list[Remark]) -> str | None:
    """The objectId that came with an identity, if it names a device; else it is ignored with a remark."""
    try:
        text = identifier_text(value)
    except Refused:
        reason = f"no identifier but {kind_of(value)}"
    else:
        if text is None:
            return None
        if text in rules.settings.constant_object_ids:
            reason = f"{text!r} is sent for everyone"
        elif not rules.is_reading or is_object_id(text, rules):
            # Nothing beside an identity refuses a record, so the edge need not ask whether it is a device's.
            return text
        else:
            reason = "no known form of a device id"
    remarks.append(Remark(ErrorKind.OBJECT_ID_IGNORED, "objectId", reason))
    return None
