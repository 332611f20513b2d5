"""All SQL of saved segments and of export queries."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.ids import AccountId, SegmentId
from belfry.segments.tables import exports, segments


class SavedSegment(msgspec.Struct, frozen=True):
    """A segment that an account keeps. `rule` is the tree's JSON as it was given."""

    segment_id: SegmentId
    name: str
    rule: Any  # JSON: the tree is checked when it is read as a rule
    created_at_ms: int
    updated_at_ms: int


class ExportQuery(msgspec.Struct, frozen=True):
    """An export under way.

    query      what it selects and how it is shown: see `exports.Snapshot`
    up_to_seq  only events accepted up to here
    """

    export_id: str
    kind: str
    query: Any  # JSON of `exports.Snapshot`, decoded by its owner
    up_to_seq: int
    created_at_ms: int
    used_at_ms: int


def insert_segment(connection: sa.Connection, account_id: AccountId, name: str, rule: Any, now_ms: int) -> SegmentId:
    """Store a new segment under a number that no segment of the account had before, a deleted one neither.

    The number is like epoch seconds, as people know them from campaigns. Raises sqlalchemy's IntegrityError if another
    writer took the same number meanwhile.
    """
    highest = sa.select(sa.func.max(segments.c.segment_id)).where(segments.c.account_id == account_id)
    segment_id = SegmentId(max(now_ms // 1000, (connection.execute(highest).scalar() or 0) + 1))
    connection.execute(
        segments.insert().values(
            account_id=account_id,
            segment_id=segment_id,
            name=name,
            rule=rule,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
        )
    )
    return segment_id


def read_segments(connection: sa.Connection, account_id: AccountId) -> list[SavedSegment]:
    """All segments of an account by number."""
    statement = sa.select(segments).where(segments.c.account_id == account_id).order_by(segments.c.segment_id)
    return [_segment(row) for row in connection.execute(statement)]


def read_segment(connection: sa.Connection, account_id: AccountId, segment_id: int) -> SavedSegment | None:
    statement = sa.select(segments).where(_is_segment(account_id, segment_id))
    row = connection.execute(statement).one_or_none()
    return None if row is None else _segment(row)


def segments_count(connection: sa.Connection, account_id: AccountId) -> int:
    statement = sa.select(sa.func.count()).where(segments.c.account_id == account_id)
    return int(connection.execute(statement).scalar_one())


def update_segment(connection: sa.Connection, account_id: AccountId, segment: SavedSegment) -> None:
    connection.execute(
        segments.update()
        .where(_is_segment(account_id, segment.segment_id))
        .values(name=segment.name, rule=segment.rule, updated_at_ms=segment.updated_at_ms)
    )


def delete_segment(connection: sa.Connection, account_id: AccountId, segment_id: int) -> None:
    connection.execute(segments.delete().where(_is_segment(account_id, segment_id)))


def insert_export(connection: sa.Connection, account_id: AccountId, export: ExportQuery) -> None:
    connection.execute(exports.insert().values(account_id=account_id, **msgspec.structs.asdict(export)))


def read_export(connection: sa.Connection, account_id: AccountId, export_id: str) -> ExportQuery | None:
    statement = sa.select(exports).where(_is_export(account_id, export_id))
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    return ExportQuery(row.export_id, row.kind, row.query, row.up_to_seq, row.created_at_ms, row.used_at_ms)


def touch_export(connection: sa.Connection, account_id: AccountId, export_id: str, now_ms: int) -> None:
    connection.execute(exports.update().where(_is_export(account_id, export_id)).values(used_at_ms=now_ms))


def delete_expired_exports(
    connection: sa.Connection, account_id: AccountId, *, created_before_ms: int, used_before_ms: int
) -> None:
    connection.execute(
        exports.delete().where(
            exports.c.account_id == account_id,
            sa.or_(exports.c.created_at_ms < created_before_ms, exports.c.used_at_ms < used_before_ms),
        )
    )


def _is_segment(account_id: AccountId, segment_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(segments.c.account_id == account_id, segments.c.segment_id == segment_id)


def _is_export(account_id: AccountId, export_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(exports.c.account_id == account_id, exports.c.export_id == export_id)


def _segment(row: sa.Row[Any]) -> SavedSegment:
    return SavedSegment(SegmentId(row.segment_id), row.name, row.rule, row.created_at_ms, row.updated_at_ms)
