"""From drafts to events: duplicates out, names within the limit, activity and schema counted."""

from __future__ import annotations

from belfry.error_stream.model import ErrorKind
from belfry.events.model import Event
from belfry.events.names import DEBUG
from belfry.events.schema import SchemaBook
from belfry.ids import AccountId
from belfry.pipeline import duplicates
from belfry.pipeline.effects import Draft, Effects
from belfry.pipeline.rows import date_text
from belfry.profiles.graph import MemoryGraph
from belfry.profiles.journal import EventKey
from belfry.storage.columnar import Columnar

WINDOW_MS = duplicates.WINDOW_S * 1000

SenderKeys = set[EventKey]


def sender_keys_of(effects: Effects) -> SenderKeys:
    """The ids that senders gave the drafts' events: what to look up before `judge`."""
    return {
        (draft.event.profile_id, duplicates.sender_key_hash(draft.event.folded, draft.sender_key))
        for draft in effects.drafts
        if draft.sender_key is not None
    }


def judge(
    effects: Effects,
    graph: MemoryGraph,
    schema: SchemaBook,
    columnar: Columnar,
    known_keys: SenderKeys,
    *,
    compares: bool,
    names_max: int,
) -> None:
    """Turn the account's drafts into events, in order.

    known_keys   sender's ids that were seen before
    compares     whether events without such an id are compared with earlier requests (an account's setting)
    """
    compared = [d for d in effects.drafts if compares and d.event.has_own_ts and d.sender_key is None]
    for draft in compared:
        draft.event.key_hash = duplicates.key_hash(draft.event)
    judge_ = duplicates.Judge(_stored_counts(columnar, effects.account_id, _to_look_up(compared, graph)))
    for draft in effects.drafts:
        if _is_repeated(draft, effects, graph, judge_, known_keys):
            detail = "an earlier request held this event already; it was not stored again"
            effects.error(draft.place, ErrorKind.DUPLICATE, draft.event.name, detail, source=draft.event.source)
        elif _is_one_name_too_many(draft, effects.account_id, schema, names_max):
            detail = f"the account has {names_max} event names, the maximum; the event was dropped"
            effects.error(
                draft.place, ErrorKind.TOO_MANY_EVENT_NAMES, draft.event.name, detail, source=draft.event.source
            )
        else:
            _accept(draft, effects, graph, schema)


def _to_look_up(compared: list[Draft], graph: MemoryGraph) -> list[Event]:
    return [
        draft.event
        for draft in compared
        if duplicates.needs_lookup(
            graph.profiles[draft.event.profile_id].activity.recent or duplicates.EMPTY,
            draft.event.key_hash,
            draft.event.ts_ms // 1000,
        )
    ]


def _stored_counts(columnar: Columnar, account_id: AccountId, events: list[Event]) -> dict[tuple[int, int], int]:
    """How many rows of these events the columnar store holds, of the last seven days' requests."""
    if not events:
        return {}
    days = [event.ts_ms for event in events]
    rows = columnar.rows(
        """
        SELECT profile_id, key_hash, count() FROM events
        WHERE account_id = {account:String} AND name IN {names:Array(String)}
          AND day BETWEEN {first:Date} AND {last:Date} AND profile_id IN {profiles:Array(Int64)}
          AND key_hash IN {hashes:Array(UInt64)} AND received_at >= fromUnixTimestamp64Milli({since:Int64})
        GROUP BY profile_id, key_hash
        """,
        {
            "account": account_id,
            "names": sorted({event.folded for event in events}),
            "first": date_text(min(days)),
            "last": date_text(max(days)),
            "profiles": sorted({int(event.profile_id) for event in events}),
            "hashes": sorted({event.key_hash for event in events}),
            "since": min(event.received_at_ms for event in events) - WINDOW_MS,
        },
    )
    return {(row[0], row[1]): row[2] for row in rows}


def _is_repeated(
    draft: Draft, effects: Effects, graph: MemoryGraph, judge_: duplicates.Judge, known_keys: SenderKeys
) -> bool:
    event = draft.event
    if draft.sender_key is not None:
        key = (event.profile_id, duplicates.sender_key_hash(event.folded, draft.sender_key))
        if key in known_keys:
            return True
        known_keys.add(key)
        effects.sender_keys.append((key, event.received_at_ms))
        return False
    if not event.key_hash:
        return False
    activity = graph.profiles[event.profile_id].activity
    repeated, activity.recent = judge_.judge(activity.recent or duplicates.EMPTY, event, draft.place.position)
    graph.touch_activity(event.profile_id)
    return repeated


def _is_one_name_too_many(draft: Draft, account_id: AccountId, schema: SchemaBook, names_max: int) -> bool:
    if draft.is_system or schema.shown_as(account_id, draft.event.folded) is not None:
        return False
    return schema.custom_names_count(account_id) >= names_max


def _accept(draft: Draft, effects: Effects, graph: MemoryGraph, schema: SchemaBook) -> None:
    event = draft.event
    shown = schema.observe_event(
        effects.account_id, event.folded, event.name, event.props, event.ts_ms, is_system=draft.is_system
    )
    effects.events.append(event)
    if event.folded in DEBUG:
        return
    counted = graph.profiles[event.profile_id].activity.events
    row = counted.get(shown)
    if row is None:
        counted[shown] = [1, event.ts_ms, event.ts_ms]
    else:
        row[0] += 1
        row[1] = min(row[1], event.ts_ms)
        row[2] = max(row[2], event.ts_ms)
    graph.touch_activity(event.profile_id)
