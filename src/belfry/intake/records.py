"""One record, by all rules, in their order (server-api 3.11). What the edge and the pipeline share."""

from __future__ import annotations

from belfry.error_stream.model import Remark
from belfry.intake.codes import Code, Refused, refusal
from belfry.intake.events import admit_event, read_event
from belfry.intake.identifiers import who_of
from belfry.intake.model import Record, Refusal, TokenRecord
from belfry.intake.profiles import admit_profile, read_profile
from belfry.intake.rules import Head, Rules
from belfry.intake.timestamps import ts_ms_of
from belfry.intake.tokens import read_token
from belfry.intake.wire import WireRecord, given

EVENT, PROFILE, TOKEN = "event", "profile", "token"


def check_record(record: WireRecord, index: int, rules: Rules) -> Refusal | None:
    """Why the record is refused, None if it is not. Agrees with `read_record`, and leaves the cleaning to it."""
    remarks: list[Remark] = []
    try:
        kind = _kind_of(record)
        if kind == TOKEN:
            _read_token(record, index, rules, remarks)
        else:
            _head_of(record, index, rules, remarks)
            (admit_event if kind == EVENT else admit_profile)(record, rules, remarks)
    except Refused as refused:
        return refusal(index, refused.code, refused.reason)
    return None


def read_record(record: WireRecord, index: int, rules: Rules) -> Record | Refusal:
    """The record, cleaned, with a remark for each change; or the first rule that refuses it."""
    remarks: list[Remark] = []
    try:
        kind = _kind_of(record)
        if kind == TOKEN:
            return _read_token(record, index, rules, remarks)
        head = _head_of(record, index, rules, remarks)
        return read_event(record, head, rules) if kind == EVENT else read_profile(record, head, rules)
    except Refused as refused:
        return refusal(index, refused.code, refused.reason)


def _kind_of(record: WireRecord) -> str:
    kind = record.type.strip().lower() if isinstance(record.type, str) else None
    if kind not in (EVENT, PROFILE, TOKEN):
        raise Refused(Code.TYPE)
    return kind


def _head_of(record: WireRecord, index: int, rules: Rules, remarks: list[Remark]) -> Head:
    who = who_of(record, rules, remarks)
    return Head(index, who, ts_ms_of(given(record.ts), rules.ts_s_max, remarks), remarks)


def _read_token(record: WireRecord, index: int, rules: Rules, remarks: list[Remark]) -> TokenRecord:
    # A token names a device: a missing or wrong one is 530, in the order of the token codes.
    ts_ms = ts_ms_of(given(record.ts), rules.ts_s_max, remarks)
    return read_token(record, index, ts_ms, rules, remarks)
