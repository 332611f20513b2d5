"""Applies the steps that a store has not seen yet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from belfry.errors import BelfryError
from belfry.storage.relational.database import Database

_LOCK = 0x62656C66
"""PostgreSQL's advisory lock of migrations: `belf`."""


class StoreTooNew(BelfryError):
    """The store was migrated by a newer Belfry, and this one does not know its tables."""


def migrate(database: Database) -> list[str]:
    """Bring the store up; returns the revisions that were applied, in order.

    May run at any time, twice, or in several processes at once: they take turns and the later ones find nothing
    to do. Each step is one transaction, so a crash leaves the store before or after it. Raises StoreTooNew,
    StoreBusy, StoreUnavailable.
    """
    script = _script()
    applied: list[str] = []

    def note(*, step: Any, **_: Any) -> None:
        applied.append(step.up_revision_id)

    with database.maintenance() as connection, _exclusively(connection):
        context = _context(connection, script, note)
        _check_known(context, script)
        with context.begin_transaction(), Operations.context(context):
            context.run_migrations()
    return applied


def pending(database: Database) -> list[str]:
    """Revisions that the store has not seen yet, in order. Raises StoreTooNew."""
    script = _script()
    with database.read() as connection:
        context = MigrationContext.configure(connection)
        _check_known(context, script)
        heads = context.get_current_heads()
    steps = script.iterate_revisions("heads", heads or "base")
    return [step.revision for step in reversed(list(steps))]


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent))


def _context(connection: sa.Connection, script: ScriptDirectory, note: Any) -> MigrationContext:
    return MigrationContext.configure(
        connection,
        opts={
            "fn": lambda revision, _context: script._upgrade_revs("heads", revision),  # noqa: SLF001 - as alembic.command.upgrade
            "transaction_per_migration": True,
            # Alembic assumes that SQLite cannot; it can, with the BEGIN that our connections send.
            "transactional_ddl": True,
            "on_version_apply": (note,),
        },
    )


def _check_known(context: MigrationContext, script: ScriptDirectory) -> None:
    known = {revision.revision for revision in script.walk_revisions()}
    for revision in context.get_current_heads():
        if revision not in known:
            raise StoreTooNew(f"the store is at revision {revision}, which this version of Belfry does not know")


@contextlib.contextmanager
def _exclusively(connection: sa.Connection) -> Iterator[None]:
    """One migration at a time. SQLite's writers take turns already."""
    if connection.dialect.name == "sqlite":
        yield
        return
    connection.execute(sa.select(sa.func.pg_advisory_lock(_LOCK)))
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK)))
        connection.commit()
