"""Property operations, folded into what is known of a profile (engagement 1.3, server-api 3.5). Pure.

Time. Every property has a clock, so that records that arrive late do no harm:

- A *whole* write (SET, REPLACE, DELETE) counts unless something newer was written to the property. Equal times:
  what arrived later counts. A deleted property keeps its clock.
- A *relative* write (ADD, REMOVE, INCREMENT) counts unless a newer whole write came. Relative writes among each
  other count in the order of arrival: an increment of yesterday is not lost because one of today came first.

`written_at[key]` is the newest write of any kind. Where relative writes came after the newest whole one,
`written_at["#" + key]` is the time of that whole one (0: there was none); `#` cannot occur in a key.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from typing import Any

import msgspec

from belfry.error_stream.model import ErrorKind, Remark
from belfry.profiles.model import KEY_OF_KIND, LIST_ITEMS_MAX, PREDEFINED_KEYS, Identity, Op, Operation

BASE = "#"
"""Prefix of the clock of the newest whole write: see the module's docstring."""
CLOCKS_MAX = 1024
CLOCKS_DROPPED = 256
"""A profile keeps at most so many clocks; beyond, the oldest ones of deleted properties and of
groups are forgotten."""

# Members of an enum are looked up slowly, and this is the hottest loop of a profile upload.
_SET, _REPLACE, _ADD, _REMOVE, _INCREMENT, _DELETE = (
    Op.SET,
    Op.REPLACE,
    Op.ADD,
    Op.REMOVE,
    Op.INCREMENT,
    Op.DELETE,
)


class PropertyLimits(msgspec.Struct, frozen=True):
    """How much one profile may hold."""

    custom_keys_max: int = 256
    list_items_max: int = LIST_ITEMS_MAX


DEFAULT_LIMITS = PropertyLimits()


def fold(
    properties: dict[str, Any],
    written_at: dict[str, int],
    operations: Sequence[Operation],
    at_ms: int,
    limits: PropertyLimits = DEFAULT_LIMITS,
) -> list[Remark]:
    """Apply the operations in their order, in place.

    at_ms     when they were written, epoch milliseconds: the record's own time
    returns   what was not done and why: a number was asked for and there is none, one custom key too many
    """
    remarks = []
    for operation in operations:
        op = operation.op
        if op is _SET or op is _REPLACE or op is _DELETE:
            remark = _write_whole(properties, written_at, operation, at_ms, limits)
        else:
            remark = _write_relative(properties, written_at, operation, at_ms, limits)
        if remark is not None:
            remarks.append(remark)
    return remarks


def without_refused(operations: Sequence[Operation], refused: Container[Identity]) -> tuple[Operation, ...]:
    """The operations without those that write an identity that belongs to someone else: both users stay as they were.

    refused   the identities that `identify` did not attach
    """
    kinds = {key: kind for kind, key in KEY_OF_KIND.items()}
    return tuple(
        operation
        for operation in operations
        if not (
            operation.key in kinds
            and isinstance(operation.value, str)
            and Identity(kinds[operation.key], operation.value) in refused
        )
    )


def forget_oldest_clocks(properties: dict[str, Any], written_at: dict[str, int]) -> None:
    """Bound the clocks of what is gone: names that come and go must not make a profile grow for ever."""
    if len(written_at) <= CLOCKS_MAX:
        return
    gone = [key for key in written_at if key not in properties and not key.startswith(BASE)]
    gone.sort(key=lambda key: (written_at[key], key))
    for key in gone[:CLOCKS_DROPPED]:
        del written_at[key]
        written_at.pop(BASE + key, None)


def as_text(value: Any) -> str:
    """A value as an item of a multi-value: text itself, everything else as JSON writes it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def unique_newest(items: Sequence[str], items_max: int) -> list[str]:
    """The items without repetitions, the oldest left out if there are too many."""
    return list(dict.fromkeys(items))[-items_max:]


def _write_whole(
    properties: dict[str, Any], written_at: dict[str, int], operation: Operation, at_ms: int, limits: PropertyLimits
) -> Remark | None:
    key, value = operation.key, operation.value
    if at_ms < written_at.get(key, at_ms):
        return None
    if operation.op is _DELETE:
        properties.pop(key, None)
    elif value is None:
        return None
    else:
        if key not in properties and _is_full(properties, key, limits):
            return _one_too_many(key, limits)
        if type(value) is list:
            value = _as_multi_value(value, operation.op, limits)
        if value == [] and type(value) is list:
            properties.pop(key, None)
        else:
            properties[key] = value
    written_at[key] = at_ms
    if BASE + key in written_at:
        del written_at[BASE + key]
    if len(written_at) > CLOCKS_MAX:
        forget_oldest_clocks(properties, written_at)
    return None


def _write_relative(
    properties: dict[str, Any], written_at: dict[str, int], operation: Operation, at_ms: int, limits: PropertyLimits
) -> Remark | None:
    key = operation.key
    newest = written_at.get(key)
    base = written_at.get(BASE + key, newest)
    if base is not None and at_ms < base:
        return None
    present = properties.get(key)
    if operation.op is _REMOVE:
        if present is None:
            return None
        changed: Any = _removed(present, operation.value)
    elif present is None and _is_full(properties, key, limits):
        return _one_too_many(key, limits)
    elif operation.op is _ADD:
        changed = unique_newest([*_items(present), *_items(operation.value)], limits.list_items_max)
        if not changed:
            return None
    else:
        changed = _incremented(present, operation.value)
        if changed is None:
            return _not_a_number(key, present, operation.value)
    if changed == []:
        del properties[key]
    else:
        properties[key] = changed
    written_at.setdefault(BASE + key, newest or 0)
    written_at[key] = at_ms if newest is None else max(at_ms, newest)
    if len(written_at) > CLOCKS_MAX:
        forget_oldest_clocks(properties, written_at)
    return None


def _as_multi_value(items: list[Any], op: Op, limits: PropertyLimits) -> list[Any]:
    """A list of text is a multi-value. A list that holds anything else is a nested value, unless REPLACE says so."""
    if op is _SET and not all(type(item) is str for item in items):
        return items
    return unique_newest([as_text(item) for item in items], limits.list_items_max)


def _items(value: Any) -> list[str]:
    """A value as items: a list's own, a scalar as its only one."""
    if value is None:
        return []
    return [as_text(item) for item in value] if isinstance(value, list) else [as_text(value)]


def _removed(present: Any, value: Any) -> list[str]:
    unwanted = frozenset(_items(value))
    return [item for item in _items(present) if item not in unwanted]


def _incremented(present: Any, by: Any) -> int | float | None:
    """The sum, an absent number counting as 0; None if there is no number or the sum is none."""
    total = 0 if present is None else present
    if not (_is_number(total) and _is_number(by)):
        return None
    result: int | float = total + by
    if isinstance(result, int):
        # The stores hold 64 bits; beyond, a counter goes on as a float instead of failing.
        return result if -(2**63) <= result < 2**63 else float(result)
    return result if math.isfinite(result) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_full(properties: dict[str, Any], key: str, limits: PropertyLimits) -> bool:
    if len(properties) < limits.custom_keys_max or key in PREDEFINED_KEYS:
        return False
    return sum(name not in PREDEFINED_KEYS for name in properties) >= limits.custom_keys_max


def _one_too_many(key: str, limits: PropertyLimits) -> Remark:
    detail = f"a profile holds at most {limits.custom_keys_max} custom properties; {key} was dropped"
    return Remark(ErrorKind.TOO_MANY_PROPERTIES, key, detail)


def _not_a_number(key: str, present: Any, by: Any) -> Remark:
    wrong = by if not _is_number(by) else present
    kind = type(wrong).__name__
    return Remark(ErrorKind.NOT_A_NUMBER, key, f"{key} cannot be counted up: expected a number, found {kind}")
