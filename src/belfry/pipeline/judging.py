"""From drafts to events: duplicates out, names within the limit, activity and schema counted."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from belfry.error_stream.model import ErrorKind
from belfry.events.names import DEBUG
from belfry.events.schema import AccountBook
from belfry.ids import AccountId, ProfileId
from belfry.pipeline.duplicates import (
    Arrivals,
    Families,
    Judge,
    Occurrence,
    Stored,
    needs_lookup,
    sender_key_hash,
)
from belfry.pipeline.effects import Adoption, Draft, Effects, Place
from belfry.pipeline.rows import date_text
from belfry.pipeline.uploads import FUTURE_MS_MAX
from belfry.profiles.graph import MemoryGraph
from belfry.profiles.journal import EventKey, known_event_keys
from belfry.profiles.model import Activity
from belfry.storage.columnar import Columnar

SenderKeys = set[EventKey]


class Judging:
    """One account's drafts of a block while they become events, in order.

    known_keys   ids of senders that the block before accepted: it may not be committed yet
    names_max    event names that the account may have
    """

    def __init__(
        self, effects: Effects, graph: MemoryGraph, schema: AccountBook, *, known_keys: SenderKeys, names_max: int
    ) -> None:
        self._effects = effects
        self._touch = graph.dirty.activity.add
        self._schema = schema
        self._judge = Judge()
        self._known_keys = set(known_keys)
        self._names_max = names_max
        self._waiting: list[Draft | Adoption] = []

    @property
    def is_waiting(self) -> bool:
        """Whether drafts are left for `finish`."""
        return bool(self._waiting)

    def judge(self, connection: sa.Connection) -> None:
        """Turn what was drafted since the last call into events and errors.

        As soon as the columnar store has to be asked, everything waits for `finish`: one question for the block.
        """
        drafts, self._effects.drafts = self._effects.drafts, []
        if self._waiting or _late(drafts, self._judge.families):
            self._waiting += drafts
        else:
            self._run(connection, drafts)

    def finish(self, connection: sa.Connection, columnar: Columnar, first_number: int) -> None:
        """Judge what waits. The block before is committed.

        first_number   of the block: after a crash its own rows may be in the columnar store, and do not count
        """
        late = _late(self._waiting, self._judge.families)
        self._judge.stored = _stored(columnar, self._effects.account_id, late, first_number)
        drafts, self._waiting = self._waiting, []
        self._run(connection, drafts)

    def _run(self, connection: sa.Connection, drafts: Sequence[Draft | Adoption]) -> None:
        keys = _sender_keys(drafts, self._judge.families)
        self._known_keys |= known_event_keys(connection, self._effects.account_id, keys)
        for draft in drafts:
            if type(draft) is Draft:
                self._decide(draft)
            elif type(draft) is Adoption:
                self._adopt(draft)
        self._effects.make_rows()
        for draft in drafts:
            if type(draft) is Draft:
                draft.node.pack()

    def _decide(self, draft: Draft) -> None:
        event = draft.event
        shown = self._schema.shown_if_usual(event)
        if shown is None and self._is_one_name_too_many(draft):
            detail = f"the account has {self._names_max} event names, the maximum; the event was dropped"
            self._drop(draft, ErrorKind.TOO_MANY_EVENT_NAMES, detail)
            return
        activity = draft.node.activity
        if self._is_repeated(draft, activity):
            detail = "an earlier request held this event already; it was not stored again"
            self._drop(draft, ErrorKind.DUPLICATE, detail)
            return
        self._effects.events.append(event)
        shown = shown or self._schema.observe_event(event, is_system=draft.is_system)
        if event.folded not in DEBUG:
            self._touch(event.profile_id)
            _count(activity.events, shown, event.ts_ms)

    def _adopt(self, adoption: Adoption) -> None:
        source, target = adoption.source, adoption.target
        target.activity.recent = self._judge.adopt(
            source.state.profile_id, source.recent, target.state.profile_id, target.recent
        )
        self._touch(target.state.profile_id)

    def _is_repeated(self, draft: Draft, activity: Activity) -> bool:
        event = draft.event
        if draft.sender_key is not None:
            return self._is_known(draft, draft.sender_key)
        if not event.key_hash:
            return False
        occurrence = Occurrence(
            event.profile_id, event.key_hash, draft.sent_s, event.received_at_ms // 1000, draft.request.position
        )
        is_repeated, activity.recent = self._judge.judge(activity.recent, occurrence)
        if is_repeated:
            self._touch(event.profile_id)
        return is_repeated

    def _is_known(self, draft: Draft, sender_key: str) -> bool:
        event, hash_ = draft.event, sender_key_hash(draft.event.folded, sender_key)
        if any((one, hash_) in self._known_keys for one in self._judge.families.of(event.profile_id)):
            return True
        key = (event.profile_id, hash_)
        self._known_keys.add(key)
        self._effects.sender_keys.append((key, event.received_at_ms))
        return False

    def _is_one_name_too_many(self, draft: Draft) -> bool:
        if draft.is_system or self._schema.knows(draft.event.folded):
            return False
        return self._schema.custom_names_count >= self._names_max

    def _drop(self, draft: Draft, kind: ErrorKind, detail: str) -> None:
        event = draft.event
        self._effects.error(Place(draft.request, draft.index), kind, event.name, detail, source=event.source)


def _count(figures: dict[str, list[int]], name: str, ts_ms: int) -> None:
    """Count an event in what its user did."""
    row = figures.get(name)
    if row is None:
        figures[name] = [1, ts_ms, ts_ms]
        return
    row[0] += 1
    if ts_ms > row[2]:
        row[2] = ts_ms
    elif ts_ms < row[1]:
        row[1] = ts_ms


def _foreseen(drafts: Sequence[Draft | Adoption], families: Families) -> Families:
    """The families as they will be when all drafts are judged."""
    foreseen = families.copy()
    for draft in drafts:
        if type(draft) is Adoption:
            foreseen.adopt(draft.source.state.profile_id, draft.target.state.profile_id)
    return foreseen


def _late(drafts: Sequence[Draft | Adoption], families: Families) -> list[tuple[Draft, list[ProfileId]]]:
    """Drafts of which only the columnar store knows if they were there before, and whose they may have been."""
    foreseen = _foreseen(drafts, families)
    has_heirs = bool(foreseen)
    return [
        (draft, foreseen.of(draft.event.profile_id))
        for draft in drafts
        if type(draft) is Draft
        and draft.event.key_hash
        and (
            needs_lookup(draft.node.recent, draft.event.key_hash, draft.sent_s)
            or (has_heirs and draft.event.profile_id in foreseen)
        )
    ]


def _sender_keys(drafts: Sequence[Draft | Adoption], families: Families) -> SenderKeys:
    """Ids that senders gave the drafts' events, for everyone who may have had them before."""
    keyed = [(draft, draft.sender_key) for draft in drafts if type(draft) is Draft and draft.sender_key is not None]
    if not keyed:
        return set()
    foreseen = _foreseen(drafts, families)
    return {
        (profile_id, sender_key_hash(draft.event.folded, key))
        for draft, key in keyed
        for profile_id in foreseen.of(draft.event.profile_id)
    }


def _stored(
    columnar: Columnar, account_id: AccountId, late: Sequence[tuple[Draft, list[ProfileId]]], before_seq: int
) -> Stored:
    """What the columnar store has of these events, from before this number."""
    if not late:
        return {}
    times = [draft.event.ts_ms for draft, _ in late]
    rows = columnar.rows(
        """
        SELECT profile_id, key_hash, toUnixTimestamp(received_at) AS came, count() FROM events
        WHERE account_id = {account:String} AND name IN {names:Array(String)}
          AND day BETWEEN {first:Date} AND {last:Date} AND profile_id IN {profiles:Array(Int64)}
          AND key_hash IN {hashes:Array(UInt64)} AND seq < {before:Int64}
        GROUP BY profile_id, key_hash, came
        """,
        {
            "account": account_id,
            "names": sorted({draft.event.folded for draft, _ in late}),
            # A clock that runs ahead: the same event may have been stored under the day before.
            "first": date_text(min(times) - FUTURE_MS_MAX),
            "last": date_text(max(times)),
            "profiles": sorted({one for _, family in late for one in family}),
            "hashes": sorted({draft.event.key_hash for draft, _ in late}),
            "before": before_seq,
        },
    )
    arrivals: dict[tuple[ProfileId, int], Arrivals] = {}
    for profile_id, hash_, came_s, count in rows:
        arrivals.setdefault((profile_id, hash_), []).append((came_s, count))
    return arrivals
