"""Error records that name an erased user: found by their original bytes, deleted whole.

What is written in a form of its own (a phone number with spaces) is not found; such a record goes with all others
after seven days.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

import msgspec

from belfry.ids import AccountId
from belfry.pipeline.erasure_events import CONTAINED_LENGTH_MIN, names_user
from belfry.storage.columnar import Columnar
from belfry.storage.relational import chunks

NEEDLES_MAX = 200
"""Texts that one statement looks for: the engine takes 255."""
_IDENTIFIERS = frozenset({"identity", "objectid", "fbid", "gpid"})

_SELECT = (
    "SELECT seq, subject, detail, record FROM error_records WHERE account_id = {account:String}"
    " AND seq < {before:Int64}"
    " AND multiSearchAnyCaseInsensitiveUTF8(concat(subject, '\\n', detail, '\\n', record), {needles:Array(String)})"
)


def delete_naming(columnar: Columnar, account_id: AccountId, personal: Sequence[str], *, before: int) -> None:
    """Delete the account's records that name a user by one of these texts. Doing it again finds nothing.

    before   only records whose place in the log is before this number
    """
    needles = sorted({form for text in personal for form in (text, json.dumps(text)[1:-1])})
    folded = {text.casefold() for text in personal}
    for part in chunks(needles, NEEDLES_MAX):
        found = []
        for block in columnar.stream(_SELECT, {"account": account_id, "needles": list(part), "before": before}):
            found += [int(row[0]) for row in block if _names(row[1:], folded)]
        for seqs in chunks(sorted(set(found))):
            columnar.command(
                "DELETE FROM error_records WHERE account_id = {account:String} AND seq IN {seqs:Array(Int64)}",
                {"account": account_id, "seqs": list(seqs)},
            )


def _names(texts: Sequence[str], personal: Collection[str]) -> bool:
    *about, record = texts
    if names_user(about, personal):
        return True
    try:
        value = msgspec.json.decode(record)
    except (msgspec.DecodeError, RecursionError):
        return any(len(one) >= CONTAINED_LENGTH_MIN and one in record.casefold() for one in personal)
    return names_user(_without_numbers(value), personal)


def _without_numbers(value: object, key: str = "") -> object:
    """Numbers name a user only where an identifier stands: an identity `13` is no reason to delete each 13."""
    if isinstance(value, dict):
        return {name: _without_numbers(child, name) for name, child in value.items()}
    if isinstance(value, list):
        return [_without_numbers(child, key) for child in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return None if is_number and key.casefold() not in _IDENTIFIERS else value
