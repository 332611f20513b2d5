"""What can go wrong with the relational store, whichever engine.

    BelfryError
    ├── StoreBusy           another transaction held what this one needs for too long; nothing was done
    └── StoreUnavailable    the store cannot be reached or written (server down, disk full, read-only)

Both may succeed later; an edge answers them with 503. Broken constraints stay SQLAlchemy's IntegrityError.
"""

from __future__ import annotations

import sqlite3

import psycopg

from belfry.errors import BelfryError


class StoreBusy(BelfryError):
    """Other transactions held the store for longer than a transaction waits. Nothing of this one was kept."""


class StoreUnavailable(BelfryError):
    """The relational store cannot be reached or written now. Nothing of the transaction was kept."""


_SQLITE_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")
_SQLITE_UNAVAILABLE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_NOTADB")
_POSTGRES_BUSY = (
    "55P03",  # lock_not_available: lock_timeout passed
    "40P01",  # deadlock_detected
    "40001",  # serialization_failure
    "57014",  # query_canceled: a time limit passed
)
_POSTGRES_UNAVAILABLE = (
    "08",  # connection exceptions
    "53",  # insufficient resources: disk full, too many connections
    "57P",  # the server is stopping or starting
    "58",  # system errors: I/O
    "25006",  # read-only, as a standby is
)


def store_error(error: BaseException | None) -> BelfryError | None:
    """Ours for a driver's error; None if the statement itself is to blame."""
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", None) or ""
        return _chosen(name, _SQLITE_BUSY, _SQLITE_UNAVAILABLE, f"the SQLite store: {error}")
    if isinstance(error, psycopg.Error):
        # Without a state there was no server to give one: refused, broken or timed-out connections.
        no_answer = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
        state = "08" if no_answer else error.sqlstate or ""
        return _chosen(state, _POSTGRES_BUSY, _POSTGRES_UNAVAILABLE, f"the PostgreSQL store: {error}")
    return None


def _chosen(code: str, busy: tuple[str, ...], unavailable: tuple[str, ...], text: str) -> BelfryError | None:
    if code.startswith(busy):
        return StoreBusy(text)
    return StoreUnavailable(text) if code.startswith(unavailable) else None
