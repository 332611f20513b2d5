"""Applying upload records, one after another: whose it is, what it changes, what it raises."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from belfry.accounts.model import Account
from belfry.error_stream.model import ErrorKind
from belfry.events.model import Event
from belfry.events.names import fold
from belfry.events.schema import SchemaBook
from belfry.events.tables import IMPORTED, LATE, SYSTEM
from belfry.ids import ProfileId
from belfry.intake import EventRecord, ProfileRecord, Record, TokenRecord, Who
from belfry.pipeline.effects import Draft, Effects, Place
from belfry.profiles.graph import MemoryGraph
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
    """One account while a block is applied."""

    account: Account
    graph: MemoryGraph
    schema: SchemaBook
    effects: Effects
    rules: IdentityRules
    limits: PropertyLimits
    is_history: bool = False


def rules_of(account: Account) -> IdentityRules:
    """The account's identity settings, as the rules of profiles want them."""
    known = {kind.value: kind for kind in IdentityKind}
    kinds = frozenset(known[name] for name in account.settings.identity_kinds if name in known)
    return IdentityRules(kinds, adopts=account.settings.anonymous_history == "adopt")


def apply_record(work: Work, place: Place, record: Record) -> None:
    """Apply one record. Its remarks go into the error stream; what it cannot do, too."""
    source = record.source or "API" if not isinstance(record, TokenRecord) else "API"
    if isinstance(record, EventRecord):
        _apply_event(work, place, record, source)
    elif isinstance(record, ProfileRecord):
        _apply_profile(work, place, record, source)
    else:
        _apply_token(work, place, record, source)
    for remark in record.remarks:
        work.effects.remark(place, remark, source)


def _apply_event(work: Work, place: Place, record: EventRecord, source: str) -> None:
    received_at_ms = place.stored.entry.received_at_ms
    ts_ms = received_at_ms if record.ts_ms is None else record.ts_ms
    refusal = _time_refusal(ts_ms, received_at_ms, work.account.settings.event_retention_days)
    if refusal is not None:
        kind, detail = refusal
        work.effects.error(place, kind, record.name, detail, source=source)
        return
    profile_id, device_id = _owner(work, place, record.who, source)
    props = record.props
    if record.source is not None:
        props = {**props, "CT Source": record.source}
    event = Event(
        name=record.name,
        folded=record.folded,
        ts_ms=min(ts_ms, received_at_ms),
        has_own_ts=record.ts_ms is not None,
        props=props,
        profile_id=profile_id,
        device_id=device_id or "",
        source=source,
        seq=place.next_event(),
        received_at_ms=received_at_ms,
        flags=(LATE if received_at_ms - ts_ms > LATE_AFTER_MS else 0) | (IMPORTED if work.is_history else 0),
    )
    work.effects.drafts.append(Draft(event, place, record.event_key))


def _time_refusal(ts_ms: int, received_at_ms: int, retention_days: int) -> tuple[ErrorKind, str] | None:
    """Why an event of this time is not stored (engagement 2.3), None if it is."""
    if ts_ms > received_at_ms + FUTURE_MS_MAX:
        ahead_s = (ts_ms - received_at_ms) // 1000
        return ErrorKind.FUTURE_TIMESTAMP, f"ts is {ahead_s} s in the future, at most {FUTURE_MS_MAX // 1000} s"
    if ts_ms < received_at_ms - retention_days * DAY_MS:
        days = (received_at_ms - ts_ms) // DAY_MS
        return ErrorKind.BEYOND_RETENTION, f"ts is {days} days ago, events are kept {retention_days} days"
    return None


def _owner(work: Work, place: Place, who: Who, source: str) -> tuple[ProfileId, str | None]:
    """Whose record it is and which device it may be filed under."""
    if who.device_id is None and not who.added and who.identity is not None:
        # Nearly every record: an identity that is known. Everything else takes the long way.
        owner = work.graph.owner_of_identity(who.identity)
        if owner is not None:
            return owner, None
    decision = identify_record(work, place, who, source)
    return decision.profile_id, decision.device_id


def identify_record(work: Work, place: Place, who: Who, source: str) -> Decision:
    """Find or make the profile of a record; what became of it goes into the effects."""
    seen = Sighting(who.identity, who.device_id, who.added, place.stored.entry.received_at_ms, source)
    decision = identify(work.graph, work.rules, seen, place.next_profile_id)
    for entry in decision.log:
        work.effects.log.append((place.next_log_id(), entry))
    for remark in decision.remarks:
        work.effects.remark(place, remark, source)
    raise_events(work, place, decision.events)
    return decision


def raise_events(work: Work, place: Place, events: Iterable[SystemEvent]) -> None:
    """Events of the system, at the time of the entry that caused them."""
    received_at_ms = place.stored.entry.received_at_ms
    for raised in events:
        event = Event(
            name=raised.name,
            folded=fold(raised.name),
            ts_ms=received_at_ms,
            has_own_ts=False,
            props={key: value for key, value in raised.props.items() if value is not None},
            profile_id=raised.profile_id,
            device_id=raised.device_id or "",
            source="System",
            seq=place.next_event(),
            received_at_ms=received_at_ms,
            flags=SYSTEM,
        )
        work.effects.drafts.append(Draft(event, place, is_system=True))


def _apply_profile(work: Work, place: Place, record: ProfileRecord, source: str) -> None:
    decision = identify_record(work, place, record.who, source)
    graph, profile_id = work.graph, decision.profile_id
    node = graph.profiles[profile_id]
    refused = frozenset(r.identity for r in decision.refused)
    operations = without_refused(record.operations, refused) if refused else record.operations
    has_groups = record.groups_left is not None or record.groups_joined is not None
    changes_standing = has_groups or any(operation.key in _STANDING_KEYS for operation in operations)
    before = standing(node, graph.flags_of(profile_id)) if changes_standing else None
    at_ms = place.stored.entry.received_at_ms if record.ts_ms is None else record.ts_ms
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
    work.schema.observe_profile(work.account.account_id, written, at_ms)


def _apply_token(work: Work, place: Place, record: TokenRecord, source: str) -> None:
    decision = identify_record(work, place, record.who, source)
    if decision.device_id is None:
        detail = "the device could not be attached to the profile; its token was not kept"
        work.effects.error(place, ErrorKind.IDENTITY_LIMIT, record.kind, detail, source=source)
        return
    graph = work.graph
    before = standing(graph.profiles[decision.profile_id], graph.flags_of(decision.profile_id))
    token = Token(record.token, record.kind, record.keys, place.stored.entry.received_at_ms)
    raise_events(work, place, register_token(graph, decision.device_id, token))
    node = graph.profiles[decision.profile_id]
    after = standing(node, graph.flags_of(decision.profile_id))
    raise_events(work, place, subscription_changes(node, before, after, source))
