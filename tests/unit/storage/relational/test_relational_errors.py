"""Drivers' errors become "busy", "unavailable", or stay the statement's own."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest

from belfry.storage.relational import StoreBusy, StoreUnavailable
from belfry.storage.relational.errors import store_error


def sqlite_failure(name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError("text")
    error.sqlite_errorname = name
    return error


def postgres_failure(state: str | None) -> psycopg.Error:
    error = psycopg.OperationalError("text")
    error.sqlstate = state
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(sqlite_failure("SQLITE_BUSY"), StoreBusy, id="locked by another connection"),
        pytest.param(sqlite_failure("SQLITE_BUSY_SNAPSHOT"), StoreBusy, id="changed since it was read"),
        pytest.param(sqlite_failure("SQLITE_FULL"), StoreUnavailable, id="disk full"),
        pytest.param(sqlite_failure("SQLITE_IOERR_FSYNC"), StoreUnavailable, id="fsync failed"),
        pytest.param(sqlite_failure("SQLITE_READONLY"), StoreUnavailable, id="read-only"),
        pytest.param(sqlite_failure("SQLITE_CANTOPEN"), StoreUnavailable, id="no such folder"),
        pytest.param(sqlite_failure("SQLITE_ERROR"), None, id="SQL error"),
        pytest.param(sqlite_failure("SQLITE_CONSTRAINT_PRIMARYKEY"), None, id="duplicate key"),
        pytest.param(sqlite3.ProgrammingError("closed"), None, id="misuse of the driver"),
        pytest.param(postgres_failure("55P03"), StoreBusy, id="lock_timeout"),
        pytest.param(postgres_failure("40P01"), StoreBusy, id="deadlock"),
        pytest.param(postgres_failure("40001"), StoreBusy, id="serialization failure"),
        pytest.param(postgres_failure("53100"), StoreUnavailable, id="server's disk full"),
        pytest.param(postgres_failure("53300"), StoreUnavailable, id="too many connections"),
        pytest.param(postgres_failure("57P01"), StoreUnavailable, id="server is stopping"),
        pytest.param(postgres_failure("08006"), StoreUnavailable, id="connection lost"),
        pytest.param(postgres_failure("25006"), StoreUnavailable, id="standby"),
        pytest.param(postgres_failure(None), StoreUnavailable, id="no server"),
        pytest.param(postgres_failure("42P01"), None, id="unknown table"),
        pytest.param(psycopg.errors.UniqueViolation("dup"), None, id="duplicate key in PostgreSQL"),
        pytest.param(psycopg.DataError("NUL"), None, id="a value that cannot be kept"),
        pytest.param(ValueError("other"), None, id="not a driver's"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_an_error_of_a_driver_is_told_apart(error: Exception | None, expected: type[Exception] | None) -> None:
    ours = store_error(error)
    assert (type(ours) if ours else None) is expected
