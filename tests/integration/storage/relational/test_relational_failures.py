"""A store that is busy, full or gone says so in one of two errors, and goes on by itself afterwards."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from belfry.accounts.tables import accounts
from belfry.storage.relational import Database, StoreBusy, StoreUnavailable
from support.postgres import Postgres, free_port

ROW = {
    "account_id": "acc",
    "name": "n",
    "timezone": "UTC",
    "region": "eu1",
    "state": "active",
    "settings": {},
    "created_at_ms": 0,
    "changed_at_ms": 0,
    "revision": 1,
}


def insert(database: Database, account_id: str = "acc", name: str = "n") -> None:
    with database.begin() as connection:
        connection.execute(accounts.insert().values({**ROW, "account_id": account_id, "name": name}))


def count(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(accounts)).scalar_one()


def impatient(database: Database) -> Database:
    """Another client of the same store that waits for a moment only."""
    return Database(database.dsn, wait_s=0.1)


def test_an_error_undoes_the_transaction(database: Database) -> None:
    def fail() -> None:
        with database.begin() as connection:
            connection.execute(accounts.insert().values(ROW))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count(database) == 0


def test_a_reader_sees_one_moment(database: Database) -> None:
    insert(database)
    with database.read() as connection:
        look = sa.select(sa.func.count()).select_from(accounts)
        assert connection.execute(look).scalar_one() == 1
        insert(database, "later")
        assert connection.execute(look).scalar_one() == 1
    assert count(database) == 2


def test_a_row_that_another_transaction_holds_is_busy(database: Database) -> None:
    insert(database)
    other = impatient(database)
    change = accounts.update().where(accounts.c.account_id == "acc").values(name="changed")
    with database.begin() as connection:
        connection.execute(change)
        with pytest.raises(StoreBusy), other.begin() as waiting:
            waiting.execute(change)
    with other.begin() as connection:
        connection.execute(change)
    other.close()


def test_a_program_that_locks_the_file_makes_it_busy(sqlite_database: Database) -> None:
    """Somebody who does not take turns, as the sqlite3 shell."""
    other = impatient(sqlite_database)
    shell = sqlite3.connect(str(other.engine.url.database), isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="database is locked"):
        insert(other)
    shell.execute("ROLLBACK")
    shell.close()
    insert(other)
    other.close()


def test_a_full_disk_is_unavailable_and_passes(sqlite_database: Database) -> None:
    with sqlite_database.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    sa.event.listen(
        sqlite_database.engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {pages}").close()
    )
    sqlite_database.engine.dispose()

    def fill() -> None:
        for number in range(200):
            insert(sqlite_database, f"acc{number}", "x" * 200)

    with pytest.raises(StoreUnavailable, match="full"):
        fill()
    kept = count(sqlite_database)
    sa.event.listen(
        sqlite_database.engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count = 100000").close()
    )
    sqlite_database.engine.dispose()
    insert(sqlite_database, "later")
    assert count(sqlite_database) == kept + 1


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nowhere/belfry.db")
    with pytest.raises(StoreUnavailable), database.read() as connection:
        connection.execute(sa.text("SELECT 1"))
    with pytest.raises(StoreUnavailable), database.begin():
        pass
    database.close()


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "belfry.db").write_bytes(b"this is not a database" * 100)
    database = Database(f"sqlite:///{tmp_path}/belfry.db")
    with pytest.raises(StoreUnavailable), database.read() as connection:
        connection.execute(sa.text("SELECT 1"))
    database.close()


@pytest.mark.server
def test_a_server_that_is_not_there_is_unavailable() -> None:
    database = Database(f"postgresql://belfry@127.0.0.1:{free_port()}/belfry")
    with pytest.raises(StoreUnavailable), database.read() as connection:
        connection.execute(sa.text("SELECT 1"))
    database.close()


@pytest.mark.server
def test_a_database_that_is_not_there_is_unavailable(postgres: Postgres) -> None:
    database = Database(postgres.dsn("nobody_made_this"))
    with pytest.raises(StoreUnavailable), database.read():
        pass
    database.close()


def terminate_others(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


@pytest.mark.server
def test_a_connection_that_breaks_in_a_transaction_is_unavailable(postgres_database: Database) -> None:
    other = Database(postgres_database.dsn)

    def fail() -> None:
        with other.begin() as connection:
            connection.execute(accounts.insert().values(ROW))
            terminate_others(postgres_database)
            connection.execute(sa.text("SELECT 1"))

    with pytest.raises(StoreUnavailable):
        fail()
    assert count(other) == 0
    other.close()


@pytest.mark.server
def test_a_pooled_connection_that_broke_while_idle_is_replaced(postgres_database: Database) -> None:
    other = Database(postgres_database.dsn)
    insert(other)
    terminate_others(postgres_database)
    assert count(other) == 1
    other.close()


@pytest.mark.server
def test_a_deadlock_is_busy_for_one_of_the_two(postgres_database: Database) -> None:
    for account in ("a", "b"):
        insert(postgres_database, account)
    meet = threading.Barrier(2)
    outcomes: list[str] = []

    def change(first: str, second: str) -> None:
        update = accounts.update().where(accounts.c.account_id == sa.bindparam("the_id")).values(name="x")
        try:
            with postgres_database.begin() as connection:
                connection.execute(update, {"the_id": first})
                meet.wait(10)
                connection.execute(update, {"the_id": second})
            outcomes.append("done")
        except StoreBusy:
            outcomes.append("busy")

    threads = [threading.Thread(target=change, args=order) for order in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["busy", "done"]


def test_more_readers_than_connections_wait_and_then_are_told(database: Database) -> None:
    database = impatient(database)
    database.engine.pool._timeout = 0.1  # type: ignore[attr-defined]
    held = [database.read() for _ in range(26)]
    for one in held:
        one.__enter__()
    with pytest.raises(StoreBusy, match="no connection"), database.read():
        pass
    for one in held:
        one.__exit__(None, None, None)
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    database.close()
