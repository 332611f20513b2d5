"""Applying upload records, one after another: whose it is, what it changes, what it raises."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from belfry.accounts.model import Account
from belfry.error_stream.model import ErrorKind
from belfry.events.model import Event, encode_props
from belfry.events.names import fold
from belfry.events.schema import AccountBook
from belfry.events.tables import LATE, SYSTEM
from belfry.ids import ProfileId
from belfry.intake import EventRecord, ProfileRecord, Record, TokenRecord, Who
from belfry.pipeline.duplicates import key_hash
from belfry.pipeline.effects import RECORD_STEP, Draft, Effects, Place, Request
from belfry.profiles.erase import Name
from belfry.profiles.graph import MemoryGraph, ProfileNode
from belfry.profiles.identify import Decision, IdentityRules, Sighting, identify
from belfry.profiles.model import SUBSCRIPTION_KEYS, IdentityKind, Operation, SystemEvent, Token
from belfry.profiles.properties import PropertyLimits, without_refused
from belfry.profiles.properties import fold as fold_properties
from belfry.profiles.subscriptions import fold_groups, share_dnd_flags, standing, subscription_changes
from belfry.profiles.tokens import register_token

FUTURE_MS_MAX = 10 * 60_000
"""How far in the future an event may be; up to it, it is set to the time of receipt (engagement 2.3)."""
LATE_AFTER_MS = 60 * 60_000
DAY_MS = 86_400_000
_STANDING_KEYS = SUBSCRIPTION_KEYS | {"Email", "Phone"}
"""Properties that decide which channels a user may be reached on."""


class Work(msgspec.Struct):
    """One account while a block is applied.

    compares   whether events that carry their own time are compared with earlier requests
    tombstones names of erased users that the block's records hold, with the time of the erasure (`suppression.py`)
    flags      what all events of the entry have that is being applied (`events.tables.EVENTS`)
    """

    account: Account
    graph: MemoryGraph
    schema: AccountBook
    effects: Effects
    rules: IdentityRules
    limits: PropertyLimits
    compares: bool
    retention_ms: int
    flags: int = 0
    tombstones: dict[Name, int] = msgspec.field(default_factory=dict)


def work_on(account: Account, graph: MemoryGraph, schema: AccountBook) -> Work:
    """An account as a block begins to be applied to it."""
    settings = account.settings
    return Work(
        account,
        graph,
        schema,
        Effects(account.account_id),
        rules_of(account),
        PropertyLimits(custom_keys_max=settings.profile_properties_max),
        compares=settings.duplicate_comparison,
        retention_ms=settings.event_retention_days * DAY_MS,
    )


def rules_of(account: Account) -> IdentityRules:
    """The account's identity settings, as the rules of profiles want them."""
    known = {kind.value: kind for kind in IdentityKind}
    kinds = frozenset(known[name] for name in account.settings.identity_kinds if name in known)
    return IdentityRules(kinds, adopts=account.settings.anonymous_history == "adopt")


def apply_record(work: Work, request: Request, record: Record) -> None:
    """Apply one record. Its remarks go into the error stream; what it cannot do, too."""
    if isinstance(record, EventRecord):
        apply_event(work, request, record)
        return
    place = Place(request, record.index)
    source = "API"
    if isinstance(record, ProfileRecord):
        source = record.source or source
        _apply_profile(work, place, record, source)
    else:
        _apply_token(work, place, record, source)
    for remark in record.remarks:
        work.effects.remark(place, remark, source)


def apply_event(work: Work, request: Request, record: EventRecord) -> None:
    """Draft one event.

    Nearly every event is one of a known identity without a device, about which there is nothing to decide; this is
    the hottest path of all, so it goes without the objects that the other cases need.
    """
    received_at_ms, sent_ms, who = request.received_at_ms, record.ts_ms, record.who
    ts_ms = received_at_ms if sent_ms is None else sent_ms
    if ts_ms > received_at_ms + FUTURE_MS_MAX or ts_ms < received_at_ms - work.retention_ms:
        _refuse_time(work, Place(request, record.index), record, ts_ms)
        return
    node, device_id, seq = None, "", request.first_number + record.index * RECORD_STEP
    if who.device_id is None and not who.added and who.identity is not None:
        node = work.graph.user_of_identity(who.identity)
    if node is None:
        place = Place(request, record.index)
        node, device_id = _owner(work, place, record)
        seq = place.next_event()
    props = record.props if record.source is None else {**record.props, "CT Source": record.source}
    props_json = encode_props(props)
    sent_s = 0 if sent_ms is None else sent_ms // 1000
    is_compared = sent_s > 0 and record.event_key is None and work.compares
    event = Event(
        record.name,
        record.folded,
        min(ts_ms, received_at_ms),
        props,
        props_json,
        node.state.profile_id,
        device_id,
        record.source or "API",
        seq,
        received_at_ms,
        (LATE if received_at_ms - ts_ms > LATE_AFTER_MS else 0) | work.flags,
        key_hash(device_id, record.folded, sent_s, props_json) if is_compared else 0,
    )
    work.effects.drafts.append(Draft(event, node, request, record.index, sent_s, record.event_key))
    for remark in record.remarks:
        work.effects.remark(Place(request, record.index), remark, event.source)


def _refuse_time(work: Work, place: Place, record: EventRecord, ts_ms: int) -> None:
    """Say why an event of this time is not stored (engagement 2.3)."""
    ahead_ms = ts_ms - place.request.received_at_ms
    if ahead_ms > 0:
        kind = ErrorKind.FUTURE_TIMESTAMP
        detail = f"ts is {ahead_ms // 1000} s in the future, at most {FUTURE_MS_MAX // 1000} s"
    else:
        kind = ErrorKind.BEYOND_RETENTION
        detail = f"ts is {-ahead_ms // DAY_MS} days ago, events are kept {work.retention_ms // DAY_MS} days"
    work.effects.error(place, kind, record.name, detail, source=record.source or "API")


def _owner(work: Work, place: Place, record: EventRecord) -> tuple[ProfileNode, str]:
    """Whose event it is and which device it may be filed under."""
    decision = identify_record(work, place, record.who, record.source or "API")
    return work.graph.profiles[decision.profile_id], decision.device_id or ""


def identify_record(work: Work, place: Place, who: Who, source: str) -> Decision:
    """Find or make the profile of a record; what became of it goes into the effects."""
    seen = Sighting(who.identity, who.device_id, who.added, place.request.received_at_ms, source)
    decision = identify(work.graph, work.rules, seen, place.next_profile_id)
    for entry in decision.log:
        work.effects.note(place, entry, work.graph.profiles)
    for remark in decision.remarks:
        work.effects.remark(place, remark, source)
    raise_events(work, place, decision.events)
    return decision


def raise_events(work: Work, place: Place, events: Iterable[SystemEvent]) -> None:
    """Events of the system, at the time of the entry that caused them."""
    request = place.request
    for raised in events:
        props = {key: value for key, value in raised.props.items() if value is not None}
        event = Event(
            name=raised.name,
            folded=fold(raised.name),
            ts_ms=request.received_at_ms,
            props=props,
            props_json=encode_props(props),
            profile_id=raised.profile_id,
            device_id=raised.device_id or "",
            source="System",
            seq=place.next_event(),
            received_at_ms=request.received_at_ms,
            flags=SYSTEM,
        )
        node = work.graph.profiles[raised.profile_id]
        work.effects.drafts.append(Draft(event, node, request, place.index, is_system=True))


def _apply_profile(work: Work, place: Place, record: ProfileRecord, source: str) -> None:
    decision = identify_record(work, place, record.who, source)
    graph, profile_id = work.graph, decision.profile_id
    node = graph.profiles[profile_id]
    refused = frozenset(r.identity for r in decision.refused)
    operations = without_refused(record.operations, refused) if refused else record.operations
    has_groups = record.groups_left is not None or record.groups_joined is not None
    changes_standing = has_groups or any(operation.key in _STANDING_KEYS for operation in operations)
    before = standing(node, graph.flags_of(profile_id)) if changes_standing else None
    at_ms = place.request.received_at_ms if record.ts_ms is None else record.ts_ms
    remarks = fold_properties(node.state.properties, node.state.written_at, operations, at_ms, work.limits)
    if has_groups:
        remarks += fold_groups(node.state, record.groups_left, record.groups_joined, at_ms)
    graph.touch(profile_id)
    for remark in remarks:
        work.effects.remark(place, remark, source)
    _observe(work, operations, profile_id, at_ms)
    if before is not None:
        share_dnd_flags(graph, node)
        after = standing(node, graph.flags_of(profile_id))
        raise_events(work, place, subscription_changes(node, before, after, source))


def _observe(work: Work, operations: tuple[Operation, ...], profile_id: ProfileId, at_ms: int) -> None:
    properties = work.graph.profiles[profile_id].state.properties
    written = {o.key: properties[o.key] for o in operations if o.key in properties}
    work.schema.observe_profile(written, at_ms)


def _apply_token(work: Work, place: Place, record: TokenRecord, source: str) -> None:
    decision = identify_record(work, place, record.who, source)
    if decision.device_id is None:
        detail = "the device could not be attached to the profile; its token was not kept"
        work.effects.error(place, ErrorKind.IDENTITY_LIMIT, record.kind, detail, source=source)
        return
    graph = work.graph
    before = standing(graph.profiles[decision.profile_id], graph.flags_of(decision.profile_id))
    token = Token(record.token, record.kind, record.keys, place.request.received_at_ms)
    raise_events(work, place, register_token(graph, decision.device_id, token))
    node = graph.profiles[decision.profile_id]
    after = standing(node, graph.flags_of(decision.profile_id))
    raise_events(work, place, subscription_changes(node, before, after, source))
