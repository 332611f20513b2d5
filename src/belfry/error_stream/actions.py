"""Looking at what went wrong in an account, and sending it in again after a fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.clock import Clock
from belfry.error_stream.tables import replays
from belfry.ids import AccountId, Ids
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database

REPLAY_RECORDS_MAX = 1000
"""Records of one replayed upload: as many as one upload may hold."""
SAMPLE_BYTES_MAX = 4096


class GroupKey(msgspec.Struct, frozen=True):
    """What records of one group have in common: what went wrong, whose data, about what."""

    kind: str
    source: str
    subject: str


class ErrorGroup(msgspec.Struct, frozen=True):
    """Records with the same misfortune.

    waiting_count  records that were not sent in again yet
    sample         the newest record of the group, cut at 4 KiB
    """

    key: GroupKey
    severity: str
    code: int
    count: int
    waiting_count: int
    first_seen_ms: int
    last_seen_ms: int
    detail: str
    sample: str


class ErrorView(msgspec.Struct, frozen=True):
    """One record in the error stream. `id` grows in the order of acceptance."""

    id: int
    kind: str
    source: str
    subject: str
    severity: str
    code: int
    detail: str
    request_id: str
    record: str
    received_at_ms: int


class ErrorStream:
    """The error stream of every account; each call names one."""

    def __init__(self, database: Database, columnar: Columnar, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._columnar = columnar
        self._clock = clock
        self._ids = ids

    def groups(self, account_id: AccountId, *, limit: int = 200) -> list[ErrorGroup]:
        """Groups, the latest first; at most `limit`."""
        rows = self._columnar.rows(
            """
            SELECT kind, source, subject, any(severity), any(code), count(),
                   toUnixTimestamp64Milli(min(received_at)), toUnixTimestamp64Milli(max(received_at)),
                   argMax(detail, seq), argMax(substring(record, 1, {sample:UInt32}), seq)
            FROM error_records WHERE account_id = {account:String}
            GROUP BY kind, source, subject ORDER BY max(received_at) DESC LIMIT {limit:UInt32}
            """,
            {"account": account_id, "limit": limit, "sample": SAMPLE_BYTES_MAX},
        )
        done = self._replayed(account_id)
        return [self._group(account_id, row, done) for row in rows]

    def records(self, account_id: AccountId, group: GroupKey, *, after: int = 0, limit: int = 100) -> list[ErrorView]:
        """Records of one group in the order of acceptance, following the id `after`."""
        rows = self._columnar.rows(
            """
            SELECT seq, kind, source, subject, severity, code, detail, request_id, record,
                   toUnixTimestamp64Milli(received_at)
            FROM error_records
            WHERE account_id = {account:String} AND kind = {kind:String} AND source = {source:String}
              AND subject = {subject:String} AND seq > {after:Int64}
            ORDER BY seq LIMIT {limit:UInt32}
            """,
            {"account": account_id, **_parameters(group), "after": after, "limit": limit},
        )
        return [ErrorView(*row) for row in rows]

    def next_upload(self, account_id: AccountId, group: GroupKey) -> tuple[bytes, int, int] | None:
        """The next records of a group to send in again: (upload body, last record's id, records); None at the end.

        Records that were accepted with a remark (severity low) are never sent again: they are in the data already.
        """
        after = self._replayed(account_id).get(group, 0)
        views = self.records(account_id, group, after=after, limit=REPLAY_RECORDS_MAX)
        if not views:
            return None
        records = [view.record.encode() for view in views if view.severity == "high" and view.record]
        return b'{"d":[' + b",".join(records) + b"]}", views[-1].id, len(records)

    def mark_replayed(self, account_id: AccountId, group: GroupKey, *, up_to: int, records_count: int) -> None:
        """Note that the group was sent in again up to this record's id."""
        with self._database.begin() as connection:
            connection.execute(
                replays.insert().values(
                    account_id=account_id,
                    replay_id=self._ids.token_hex(16),
                    kind=group.kind,
                    source=group.source,
                    subject=group.subject,
                    up_to_seq=up_to,
                    records_count=records_count,
                    at_ms=self._clock.now_ms(),
                )
            )

    def _replayed(self, account_id: AccountId) -> dict[GroupKey, int]:
        statement = (
            sa.select(replays.c.kind, replays.c.source, replays.c.subject, sa.func.max(replays.c.up_to_seq))
            .where(replays.c.account_id == account_id)
            .group_by(replays.c.kind, replays.c.source, replays.c.subject)
        )
        with self._database.read() as connection:
            return {GroupKey(r[0], r[1], r[2]): int(r[3]) for r in connection.execute(statement)}

    def _group(self, account_id: AccountId, row: Sequence[Any], done: dict[GroupKey, int]) -> ErrorGroup:
        kind, source, subject, severity, code, count, first_ms, last_ms, detail, sample = row
        key = GroupKey(kind, source, subject)
        waiting = count if key not in done else self._count_after(account_id, key, done[key])
        return ErrorGroup(key, severity, code, count, waiting, first_ms, last_ms, detail, sample)

    def _count_after(self, account_id: AccountId, group: GroupKey, after: int) -> int:
        return int(
            self._columnar.value(
                "SELECT count() FROM error_records WHERE account_id = {account:String} AND kind = {kind:String}"
                " AND source = {source:String} AND subject = {subject:String} AND seq > {after:Int64}",
                {"account": account_id, **_parameters(group), "after": after},
            )
        )


def _parameters(group: GroupKey) -> dict[str, Any]:
    return {"kind": group.kind, "source": group.source, "subject": group.subject}
