"""Segments whose members are kept one by one: custom lists and API segments (engagement 3.1, 3.10).

Such a segment is a saved segment like any other, with a rule that no marketer writes: `{"type":"list","id":n,
"version":v}`. Its members are rows of the columnar table `segment_members`; another version takes their place when
the rule is changed to name it, in one relational commit. Version 0 is a list that has not been processed yet.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from belfry.errors import Conflict
from belfry.ids import AccountId, ProfileId, SegmentId
from belfry.segments import store
from belfry.segments.reading import Json
from belfry.segments.tables import MEMBERS
from belfry.storage.columnar import Columnar

SEGMENTS_MAX = 2_500
COLUMNS = ("account_id", "segment_id", "version", "profile_id", "is_member", "seq")


class MemberRow(msgspec.Struct, frozen=True, array_like=True):
    """Whether a profile is a member; of several rows about one profile the one with the highest `seq` holds."""

    account_id: AccountId
    segment_id: int
    version: int
    profile_id: ProfileId
    is_member: int
    seq: int


class Members:
    """Members of the listed segments of every account."""

    def __init__(self, columnar: Columnar) -> None:
        self._columnar = columnar

    def write(self, rows: Iterable[MemberRow], *, token: str) -> None:
        """Insert rows once for a token."""
        self._columnar.insert_rows(MEMBERS.name, COLUMNS, member_lines(rows), token=token)

    def count(self, account_id: AccountId, segment_id: int, version: int) -> int:
        """How many profiles a version has, hidden ones included."""
        sql = (
            f"SELECT count() FROM {MEMBERS.name} FINAL WHERE account_id = {{account:String}}"
            " AND segment_id = {segment:Int64} AND version = {version:Int64} AND is_member = 1"
        )
        return int(self._columnar.value(sql, {"account": account_id, "segment": segment_id, "version": version}))

    def drop_before(self, account_id: AccountId, segment_id: int, version: int) -> None:
        """Forget all versions before one."""
        sql = (
            f"DELETE FROM {MEMBERS.name} WHERE account_id = {{account:String}}"
            " AND segment_id = {segment:Int64} AND version < {version:Int64}"
        )
        self._columnar.command(sql, {"account": account_id, "segment": segment_id, "version": version})


def member_lines(rows: Iterable[MemberRow]) -> bytes:
    """Rows as JSON lines, each an array in the order of `COLUMNS`."""
    return msgspec.json.Encoder().encode_lines(rows)


def add_listed_segment(
    connection: sa.Connection, account_id: AccountId, name: str, version: int, now_ms: int
) -> SegmentId:
    """A new segment with the members of `version`. Raises Conflict at 2 500 segments."""
    if store.segments_count(connection, account_id) >= SEGMENTS_MAX:
        raise Conflict(f"an account has at most {SEGMENTS_MAX} segments", limit=SEGMENTS_MAX)
    segment_id = store.insert_segment(connection, account_id, name, {}, now_ms)
    switch_version(connection, account_id, segment_id, version, now_ms)
    return segment_id


def switch_version(
    connection: sa.Connection, account_id: AccountId, segment_id: int, version: int, now_ms: int
) -> bool:
    """From this transaction's commit on, the segment has the members of `version`. False if it is gone."""
    segment = store.read_segment(connection, account_id, segment_id)
    if segment is None:
        return False
    rule = listed_rule(segment_id, version)
    store.update_segment(connection, account_id, msgspec.structs.replace(segment, rule=rule, updated_at_ms=now_ms))
    return True


def exists(connection: sa.Connection, account_id: AccountId, segment_id: int) -> bool:
    """Whether the segment was not deleted."""
    return store.read_segment(connection, account_id, segment_id) is not None


def listed_rule(segment_id: int, version: int) -> Json:
    """The rule of a listed segment."""
    return {"type": "list", "id": segment_id, "version": version}
