"""Adding to the audit log, reading it, checking it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from belfry.audit.model import AuditAction, AuditEntry
from belfry.audit.tables import audit_log
from belfry.ids import AccountId
from belfry.storage.relational import Database, upsert

REQUEST_ID_LENGTH_MAX = 200
DETAIL_LENGTH_MAX = 200
_CHECKED_AT_ONCE = 1000


def append(connection: sa.Connection, account_id: AccountId, entries: Iterable[AuditEntry]) -> None:
    """Add entries, the oldest first, in the caller's transaction. Adding one again changes nothing.

    One writer at a time for an account: each row's hash needs the one before.
    """
    for entry in entries:
        fitting = _fitting(entry)
        if _find(connection, account_id, entry.audit_id) is None:
            digest = _hash(account_id, fitting, _hash_before(connection, account_id, entry.audit_id))
            row = {**msgspec.structs.asdict(fitting), "action": str(entry.action), "hash": digest}
            connection.execute(upsert(audit_log, connection, update=()).values(account_id=account_id, **row))


class AuditLog:
    """Reads the audit log; each call names an account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, account_id: AccountId, *, before: int | None, limit: int) -> list[AuditEntry]:
        """Entries, the newest first, older than `before`; at most `limit`."""
        statement = sa.select(audit_log).where(audit_log.c.account_id == account_id)
        if before is not None:
            statement = statement.where(audit_log.c.audit_id < before)
        statement = statement.order_by(audit_log.c.audit_id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(statement).mappings()]

    def first_broken(self, account_id: AccountId) -> int | None:
        """The id of the oldest entry that does not fit the one before it: something was changed or is missing.

        None: the log is as it was written (entries cut off at its end do not show).
        """
        statement = sa.select(audit_log).where(audit_log.c.account_id == account_id).order_by(audit_log.c.audit_id)
        before = b""
        with self._database.read() as connection:
            result = connection.execution_options(yield_per=_CHECKED_AT_ONCE).execute(statement)
            for row in result.mappings():
                before = _hash(account_id, _entry(row), before)
                if before != bytes(row["hash"]):
                    result.close()
                    return int(row["audit_id"])
        return None


def _find(connection: sa.Connection, account_id: AccountId, audit_id: int) -> bytes | None:
    statement = sa.select(audit_log.c.hash).where(
        audit_log.c.account_id == account_id, audit_log.c.audit_id == audit_id
    )
    return connection.execute(statement).scalar()


def _hash_before(connection: sa.Connection, account_id: AccountId, audit_id: int) -> bytes:
    statement = (
        sa.select(audit_log.c.hash)
        .where(audit_log.c.account_id == account_id, audit_log.c.audit_id < audit_id)
        .order_by(audit_log.c.audit_id.desc())
        .limit(1)
    )
    return connection.execute(statement).scalar() or b""


def _hash(account_id: AccountId, entry: AuditEntry, before: bytes) -> bytes:
    return hashlib.blake2b(before + msgspec.json.encode([account_id, entry]), digest_size=16).digest()


def _fitting(entry: AuditEntry) -> AuditEntry:
    """The entry as its row can hold it."""
    return msgspec.structs.replace(
        entry,
        request_id=entry.request_id.replace("\x00", "")[:REQUEST_ID_LENGTH_MAX],
        detail=entry.detail.replace("\x00", "")[:DETAIL_LENGTH_MAX],
    )


def _entry(row: sa.RowMapping) -> AuditEntry:
    return AuditEntry(
        audit_id=row["audit_id"],
        action=AuditAction(row["action"]),
        passcode_id=row["passcode_id"],
        request_id=row["request_id"],
        asked_count=row["asked_count"],
        done_count=row["done_count"],
        at_ms=row["at_ms"],
        detail=row["detail"],
    )
