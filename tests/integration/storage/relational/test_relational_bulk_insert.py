"""`bulk_insert` does on every engine what one INSERT a row does, whatever the number of rows."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from belfry.storage.relational import Database, bulk_insert, upsert

own = sa.MetaData()
"""Not the product's tables: this test's own."""

figures = sa.Table(
    "bulk_figures",
    own,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("is_new", sa.Boolean),
)
NAMES = ("account_id", "number", "data", "is_new")


@pytest.fixture
def store(database: Database) -> Database:
    with database.begin() as connection:
        own.create_all(connection)
    return database


def row(number: int, data: bytes = b"\x00\xff") -> tuple[str, int, bytes, bool | None]:
    return ("acc", number, data, None if number % 3 == 0 else number % 2 == 0)


def stored(store: Database) -> list[tuple[object, ...]]:
    with store.read() as connection:
        rows = connection.execute(sa.select(figures).order_by(figures.c.number)).all()
    return [tuple(one) for one in rows]


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 499, 500, 501, 4_000, 4_557])
def test_all_rows_are_there_once_and_counted(store: Database, count: int) -> None:
    rows = [row(number) for number in range(count)]
    with store.begin() as connection:
        assert bulk_insert(connection, figures.insert(), NAMES, rows) == count
    assert stored(store) == rows


def test_an_upsert_overwrites_what_is_there_also_within_one_call(store: Database) -> None:
    with store.begin() as connection:
        bulk_insert(connection, upsert(figures, connection), NAMES, [row(number) for number in range(60)])
        again = [row(5, b"one"), row(70), row(5, b"two")]
        bulk_insert(connection, upsert(figures, connection), NAMES, again)
    found = {number: data for _, number, data, _ in stored(store)}
    assert len(found) == 61
    assert found[5] == b"two"


def test_what_a_conflict_clause_left_alone_is_not_counted(store: Database) -> None:
    with store.begin() as connection:
        bulk_insert(connection, figures.insert(), NAMES, [row(number) for number in range(100)])
        statement = upsert(figures, connection, update=())
        rows = [row(number, b"other") for number in range(50, 130)]
        assert bulk_insert(connection, statement, NAMES, rows) == 30
    assert {data for _, _, data, _ in stored(store)[:100]} == {b"\x00\xff"}


def test_columns_out_of_order_are_refused_rather_than_mixed_up(sqlite_database: Database) -> None:
    with sqlite_database.begin() as connection:
        own.create_all(connection)
        with pytest.raises(ValueError, match="order"):
            bulk_insert(connection, figures.insert(), ("number", "account_id", "data", "is_new"), [])
