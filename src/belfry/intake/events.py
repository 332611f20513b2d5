"""Event records (server-api 3.7)."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.error_stream.model import ErrorKind, Remark
from belfry.events import names
from belfry.intake.codes import Code, Refused, kind_of
from belfry.intake.identifiers import number_text
from belfry.intake.model import EventRecord
from belfry.intake.partners import PARTNER_RAW, Source, source_of
from belfry.intake.rules import Head, Rules
from belfry.intake.values import Cleaner
from belfry.intake.vocabulary import EVENT_KEYS, CleanName
from belfry.intake.wire import WireRecord, given

ITEMS_MAX = 256
ITEMS_KEY = "Items"
EVENT_ID_KEY = "event_id"
CHARGED_ID_KEY = "Charged ID"
CHARGED = names.fold(names.CHARGED)


class AdmittedEvent(msgspec.Struct, frozen=True):
    """An event that no rule refuses, before its properties are cleaned."""

    name: CleanName
    source: Source
    data: dict[str, object]


def admit_event(record: WireRecord, rules: Rules, remarks: list[Remark]) -> AdmittedEvent:
    """Put an event before the rules that can refuse it. Raises Refused 509, 513, 528, 512, 522, in this order."""
    name = _name_of(given(record.event_name), rules, remarks)
    source = source_of(record, rules, remarks)
    return AdmittedEvent(name, source, _data_of(given(record.event_data), rules))


def read_event(record: WireRecord, head: Head, rules: Rules) -> EventRecord:
    """An event, cleaned. Raises Refused as `admit_event`."""
    event = admit_event(record, rules, head.remarks)
    name, source = event.name, event.source
    props = _clean_props(event.data, name.folded, Cleaner(rules.settings, EVENT_KEYS, head.remarks))
    if source.raw is not None:
        props[PARTNER_RAW] = source.raw
    key = event_key(name.folded, props)
    return EventRecord(
        head.index,
        head.who,
        head.ts_ms,
        name.name,
        name.folded,
        props,
        source.canonical,
        key,
        tuple(head.remarks),
    )


def event_key(folded: str, props: dict[str, Any]) -> str | None:
    """The id by which the sender marks an event as the same one again; None if it has none."""
    value = props.get(CHARGED_ID_KEY) if folded == CHARGED else None
    if value is None:
        value = props.get(EVENT_ID_KEY)
    if isinstance(value, str):
        return value or None
    return number_text(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _name_of(value: object, rules: Rules, remarks: list[Remark]) -> CleanName:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = number_text(value)
    if not isinstance(value, str):
        raise Refused(Code.NAME_MISSING)
    name = rules.vocabulary.names[value]
    if name.code is not None:
        raise Refused(name.code)
    if name.folded in rules.discarded:
        raise Refused(Code.DISCARDED)
    remarks.extend(name.remarks)
    return name


def _data_of(value: object, rules: Rules) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(Code.STRUCTURE, f"evtData needs to be an object, got {kind_of(value)}")
    if len(value) > rules.settings.event_properties_max:
        raise Refused(Code.TOO_MANY_PROPERTIES, str(rules.settings.event_properties_max))
    return value


def _clean_props(data: dict[str, object], folded: str, cleaner: Cleaner) -> dict[str, Any]:
    props: dict[str, Any] = {}
    for raw, value in data.items():
        key = cleaner.key(raw)
        if key == ITEMS_KEY and folded == CHARGED and isinstance(value, list | dict):
            clean = _items(value, cleaner)
        else:
            clean = cleaner.value(key, value)
        if key and clean is not None:
            props[key] = clean
    return props


def _items(value: list[object] | dict[str, object], cleaner: Cleaner) -> object:
    """The items of a purchase: flat objects; a list that holds none is a list as any other."""
    items = value if isinstance(value, list) else [value]
    objects = [item for item in items if isinstance(item, dict)]
    if not objects:
        return cleaner.value(ITEMS_KEY, value)
    if len(objects) < len(items):
        cleaner.remark(ErrorKind.TYPE_MISMATCH, ITEMS_KEY, f"{len(items) - len(objects)} items are no objects; dropped")
    if len(objects) > ITEMS_MAX:
        cleaner.remark(ErrorKind.VALUE_CUT, ITEMS_KEY, f"{len(objects)} items; the first {ITEMS_MAX} were kept")
    return [cleaner.flat_object(ITEMS_KEY, item) for item in objects[:ITEMS_MAX]]
