"""The steps make exactly the declared tables, on every engine, whatever interrupts them (trial R9)."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from belfry.storage.relational import Database, metadata
from belfry.storage.relational.migrations import StoreTooNew, migrate, pending
from support.postgres import Postgres
from support.tables import declare_tables

Empty = Callable[[], str]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Empty]:
    """Makes empty stores; returns the DSN of each."""
    names: list[str] = []

    def make() -> str:
        name = f"migrations_{os.getpid()}_{len(names)}"
        names.append(name)
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path}/{name}.db"
        return str(request.getfixturevalue("postgres").create(name))

    yield make
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        for name in names:
            server.drop(name)


def schema(dsn: str) -> dict[str, object]:
    """Everything that makes two stores' tables different."""
    database = Database(dsn)
    inspector = sa.inspect(database.engine)
    found: dict[str, object] = {
        table: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)],
            inspector.get_pk_constraint(table)["constrained_columns"],
            sorted((str(i["name"]), tuple(i["column_names"])) for i in inspector.get_indexes(table)),
        )
        for table in inspector.get_table_names()
    }
    database.close()
    return found


def run(dsn: str) -> list[str]:
    database = Database(dsn)
    applied = migrate(database)
    assert pending(database) == []
    database.close()
    return applied


def test_the_steps_make_exactly_the_declared_tables(empty: Empty) -> None:
    """If this fails: `python -m belfry.storage.relational.migrations.generate NAME`."""
    declare_tables()
    dsn = empty()
    run(dsn)
    database = Database(dsn)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
    database.close()


def test_a_second_run_finds_nothing_to_do(empty: Empty) -> None:
    dsn = empty()
    first = run(dsn)
    assert first[0] == "0001"
    assert first == sorted(first)
    before = schema(dsn)
    assert run(dsn) == []
    assert schema(dsn) == before


def test_what_a_new_store_waits_for_is_known(empty: Empty) -> None:
    database = Database(empty())
    waiting = pending(database)
    assert migrate(database) == waiting
    database.close()


def test_a_store_of_a_newer_version_is_refused(empty: Empty) -> None:
    dsn = empty()
    run(dsn)
    database = Database(dsn)
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for call in (migrate, pending):
        with pytest.raises(StoreTooNew, match="9999"):
            call(database)
    database.close()


def _migrate_in_a_process(dsn: str, go: object, results: object) -> None:
    go.wait()  # type: ignore[attr-defined]
    results.put(run(dsn))  # type: ignore[attr-defined]


def test_several_processes_may_migrate_at_once(empty: Empty) -> None:
    dsn = empty()
    context = multiprocessing.get_context("spawn")
    go, results = context.Event(), context.Queue()
    workers = [context.Process(target=_migrate_in_a_process, args=(dsn, go, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    go.set()
    applied = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert sorted(map(bool, applied)) == [False, False, True], "one did the work, the others found it done"


def _migrate_and_die(dsn: str, at_statement: int) -> None:
    """Migrate; kill this process before the given statement. Exit code 0: there were fewer."""
    database = Database(dsn)
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == at_statement:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(database.engine, "before_cursor_execute", count)
    sa.event.listen(database.engine, "commit", count)
    migrate(database)


@pytest.mark.parametrize("stride", [pytest.param(9, id="some"), pytest.param(1, id="every", marks=pytest.mark.soak)])
def test_a_kill_at_any_statement_is_made_good_by_the_next_run(empty: Empty, stride: int) -> None:
    whole = empty()
    run(whole)
    wanted = schema(whole)
    context = multiprocessing.get_context("fork")
    at_statement = 1
    while True:
        dsn = empty()
        worker = context.Process(target=_migrate_and_die, args=(dsn, at_statement))
        worker.start()
        worker.join()
        run(dsn)
        assert schema(dsn) == wanted, f"killed before statement {at_statement}"
        if worker.exitcode == 0:
            break
        assert worker.exitcode == -signal.SIGKILL
        at_statement += stride
    assert at_statement > 20, "a migration has many statements"


def test_rows_are_kept_by_a_further_run(empty: Empty) -> None:
    dsn = empty()
    run(dsn)
    database = Database(dsn)
    with database.begin() as connection:
        connection.execute(sa.text("INSERT INTO pipeline_positions VALUES (0, 5, 0, 0, 7)"))
    run(dsn)
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT position FROM pipeline_positions")).scalar_one() == 5
    database.close()
