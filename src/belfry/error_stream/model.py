"""What goes wrong with records: a closed list, one line each."""

from __future__ import annotations

import enum

import msgspec

from belfry.ids import AccountId


class ErrorKind(enum.StrEnum):
    """Why a record was refused, dropped or changed (engagement 2.5). The value is the stable code."""

    REFUSED = "refused"  # at the edge, with a code of server-api 3.12
    FUTURE_TIMESTAMP = "future_timestamp"
    BEYOND_RETENTION = "beyond_retention"
    DUPLICATE = "duplicate"
    IDENTITY_CONFLICT = "identity_conflict"
    IDENTITY_LIMIT = "identity_limit"
    OBJECT_ID_IGNORED = "object_id_ignored"
    CHARACTERS_REMOVED = "characters_removed"
    NAME_CUT = "name_cut"
    VALUE_CUT = "value_cut"
    TOO_MANY_PROPERTIES = "too_many_properties"
    TOO_MANY_EVENT_NAMES = "too_many_event_names"
    UNKNOWN_OPERATOR = "unknown_operator"
    NOT_A_NUMBER = "not_a_number"
    TYPE_MISMATCH = "type_mismatch"
    NESTED_LIMIT = "nested_limit"
    RESERVED_KEY_CASE = "reserved_key_case"
    UNKNOWN_VALUE = "unknown_value"
    MILLISECONDS = "milliseconds"
    DUPLICATE_KEYS = "duplicate_keys"
    SURROGATES_REPLACED = "surrogates_replaced"
    PARTNER_UNKNOWN = "partner_unknown"
    UNKNOWN_GROUP = "unknown_group"
    INTERNAL = "internal"


class Severity(enum.StrEnum):
    HIGH = "high"  # the record was dropped
    LOW = "low"  # the record was accepted, something in it was changed or ignored


class ErrorRecord(msgspec.Struct, frozen=True, gc=False):
    """One record's misfortune, with its original bytes (filled in by the pipeline for warnings)."""

    account_id: AccountId
    kind: ErrorKind
    severity: Severity
    source: str
    subject: str
    detail: str
    seq: int
    received_at_ms: int
    request_id: str = ""
    code: int = 0
    record: bytes = b""


class Remark(msgspec.Struct, frozen=True, gc=False):
    """A remark that a rule makes about a record that goes on; the pipeline adds place and bytes."""

    kind: ErrorKind
    subject: str
    detail: str
    severity: Severity = Severity.LOW
