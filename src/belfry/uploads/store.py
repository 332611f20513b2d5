"""All SQL of uploads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.ids import AccountId
from belfry.storage.relational import upsert
from belfry.uploads.model import Json, Part, Purpose, Upload, UploadState
from belfry.uploads.tables import upload_parts, uploads

_ENDED = (UploadState.DONE, UploadState.FAILED)


def insert(connection: sa.Connection, upload: Upload) -> None:
    connection.execute(uploads.insert().values(**msgspec.structs.asdict(upload)))


def read(connection: sa.Connection, account_id: AccountId, upload_id: str) -> Upload | None:
    row = connection.execute(sa.select(uploads).where(_is(account_id, upload_id))).one_or_none()
    return None if row is None else _upload(row)


def newest_of(
    connection: sa.Connection, account_id: AccountId, purposes: Sequence[Purpose], subject_id: int
) -> Upload | None:
    """The upload that was submitted last for a segment or catalog."""
    statement = (
        sa.select(uploads)
        .where(uploads.c.account_id == account_id, uploads.c.subject_id == subject_id, uploads.c.purpose.in_(purposes))
        .order_by(uploads.c.created_at_ms.desc(), uploads.c.upload_id.desc())
        .limit(1)
    )
    row = connection.execute(statement).first()
    return None if row is None else _upload(row)


def submit(connection: sa.Connection, upload: Upload, now_ms: int) -> bool:
    """Open -> pending, with the subject and options that the upload has now; False if it was not open."""
    statement = (
        uploads.update()
        .where(_is(upload.account_id, upload.upload_id), uploads.c.state == UploadState.OPEN)
        .values(
            state=UploadState.PENDING,
            subject_id=upload.subject_id,
            options=dict(upload.options),
            changed_at_ms=now_ms,
        )
    )
    return connection.execute(statement).rowcount == 1


def waiting(connection: sa.Connection, now_ms: int) -> Upload | None:
    """The oldest upload that waits, or whose worker died; None if there is none."""
    statement = (
        sa.select(uploads)
        .where(uploads.c.state.in_((UploadState.PENDING, UploadState.RUNNING)), uploads.c.lease_ms < now_ms)
        .order_by(uploads.c.created_at_ms, uploads.c.upload_id)
        .limit(1)
    )
    row = connection.execute(statement).first()
    return None if row is None else _upload(row)


def claim(connection: sa.Connection, found: Upload, lease_ms: int) -> Upload | None:
    """An upload that waits, now running for the caller; None if another worker was quicker."""
    claimed = msgspec.structs.replace(
        found, state=UploadState.RUNNING, lease_ms=lease_ms, attempts_count=found.attempts_count + 1
    )
    is_ours = connection.execute(
        uploads.update()
        .where(
            _is(found.account_id, found.upload_id),
            uploads.c.state == found.state,
            uploads.c.lease_ms == found.lease_ms,
        )
        .values(state=claimed.state, lease_ms=lease_ms, attempts_count=claimed.attempts_count)
    )
    return claimed if is_ours.rowcount == 1 else None


def extend(connection: sa.Connection, upload: Upload, lease_ms: int) -> bool:
    """Keep a claim; False if it was lost to another worker."""
    statement = _claimed(upload).values(lease_ms=lease_ms)
    return connection.execute(statement).rowcount == 1


def release(connection: sa.Connection, upload: Upload, again_at_ms: int) -> None:
    """Running -> pending, to be claimed again from a moment on."""
    connection.execute(_claimed(upload).values(state=UploadState.PENDING, lease_ms=again_at_ms))


def finish(
    connection: sa.Connection, upload: Upload, state: UploadState, result: Mapping[str, Json], now_ms: int
) -> None:
    """Running -> done or failed."""
    connection.execute(_claimed(upload).values(state=state, result=dict(result), changed_at_ms=now_ms))


def put_part(connection: sa.Connection, account_id: AccountId, upload_id: str, part: Part) -> None:
    row = msgspec.structs.asdict(part)
    connection.execute(upsert(upload_parts, connection).values(account_id=account_id, upload_id=upload_id, **row))


def parts(connection: sa.Connection, account_id: AccountId, upload_id: str) -> list[Part]:
    """The whole parts, in order."""
    statement = (
        sa.select(upload_parts)
        .where(upload_parts.c.account_id == account_id, upload_parts.c.upload_id == upload_id)
        .order_by(upload_parts.c.part)
    )
    return [Part(row.part, row.bytes_count, row.etag) for row in connection.execute(statement)]


def forgettable(
    connection: sa.Connection, *, expired_before_ms: int, ended_before_ms: int, limit: int
) -> list[tuple[AccountId, str]]:
    """Uploads that were never submitted, and results that nobody will ask for any more."""
    was_left = sa.and_(uploads.c.state == UploadState.OPEN, uploads.c.expires_at_ms < expired_before_ms)
    is_old = sa.and_(uploads.c.state.in_(_ENDED), uploads.c.changed_at_ms < ended_before_ms)
    statement = sa.select(uploads.c.account_id, uploads.c.upload_id).where(sa.or_(was_left, is_old)).limit(limit)
    return [(AccountId(row.account_id), row.upload_id) for row in connection.execute(statement)]


def delete(connection: sa.Connection, account_id: AccountId, upload_id: str) -> None:
    connection.execute(
        upload_parts.delete().where(upload_parts.c.account_id == account_id, upload_parts.c.upload_id == upload_id)
    )
    connection.execute(uploads.delete().where(_is(account_id, upload_id)))


def _is(account_id: AccountId, upload_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(uploads.c.account_id == account_id, uploads.c.upload_id == upload_id)


def _claimed(upload: Upload) -> sa.Update:
    """An update of an upload as long as the claim is the one that was made: attempts are counted with each claim."""
    return uploads.update().where(
        _is(upload.account_id, upload.upload_id),
        uploads.c.state == UploadState.RUNNING,
        uploads.c.attempts_count == upload.attempts_count,
    )


def _upload(row: sa.Row[Any]) -> Upload:
    return Upload(
        account_id=AccountId(row.account_id),
        upload_id=row.upload_id,
        purpose=Purpose(row.purpose),
        parts_count=row.parts_count,
        state=UploadState(row.state),
        subject_id=row.subject_id,
        options=row.options,
        result=row.result,
        attempts_count=row.attempts_count,
        lease_ms=row.lease_ms,
        created_at_ms=row.created_at_ms,
        changed_at_ms=row.changed_at_ms,
        expires_at_ms=row.expires_at_ms,
    )
