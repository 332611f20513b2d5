"""`bulk` and `upsert` do on every engine what SQLAlchemy's own way does, row by row."""

from __future__ import annotations

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from belfry.storage.relational import Database, JsonBytes, bulk, chunks, upsert

own = sa.MetaData()
"""Not the product's tables: this test's own."""

notes = sa.Table(
    "bulk_notes",
    own,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("data", sa.LargeBinary),
    sa.Column("is_new", sa.Boolean, nullable=False),
    sa.Column("value", JsonBytes),
)


@pytest.fixture
def store(database: Database) -> Database:
    with database.begin() as connection:
        own.create_all(connection)
    return database


def row(number: int, text: str = "a", *, is_new: bool = True, value: object = None) -> dict[str, object]:
    return {
        "account_id": "acc",
        "number": number,
        "text": text,
        "data": bytes([number % 256, 0, 255]),
        "is_new": is_new,
        "value": msgspec.json.encode(value),
    }


def stored(store: Database) -> list[tuple[object, ...]]:
    with store.read() as connection:
        rows = connection.execute(sa.select(notes).order_by(notes.c.number)).all()
    return [tuple(one) for one in rows]


def kept(number: int, text: str = "a", *, is_new: bool = True, value: object = None) -> tuple[object, ...]:
    return ("acc", number, text, bytes([number % 256, 0, 255]), is_new, value)


def test_rows_are_inserted(store: Database) -> None:
    with store.begin() as connection:
        assert bulk(connection, notes.insert(), [row(n, value={"n": [n]}) for n in range(1200)]) == 1200
    assert stored(store) == [kept(n, value={"n": [n]}) for n in range(1200)]


def test_nothing_is_done_for_no_rows(store: Database) -> None:
    with store.begin() as connection:
        assert bulk(connection, notes.insert(), []) == 0
    assert stored(store) == []


def test_an_insert_gets_the_columns_of_its_rows(store: Database) -> None:
    few = [{"account_id": "acc", "number": 1, "text": "a", "is_new": False}]
    with store.begin() as connection:
        bulk(connection, notes.insert(), few)
    assert stored(store) == [("acc", 1, "a", None, False, None)]


def test_the_order_of_a_rows_values_does_not_matter(store: Database) -> None:
    with store.begin() as connection:
        bulk(connection, notes.insert(), [dict(reversed(row(n).items())) if n % 2 else row(n) for n in range(4)])
    assert stored(store) == [kept(n) for n in range(4)]


def test_an_upsert_overwrites_all_columns_but_the_key(store: Database) -> None:
    with store.begin() as connection:
        bulk(connection, notes.insert(), [row(1), row(2)])
        bulk(connection, upsert(notes, connection), [row(2, "b", is_new=False, value=1), row(3, "c")])
    assert stored(store) == [kept(1), kept(2, "b", is_new=False, value=1), kept(3, "c")]


def test_an_upsert_of_some_columns_keeps_the_others(store: Database) -> None:
    with store.begin() as connection:
        bulk(connection, notes.insert(), [row(1, value="old")])
        bulk(connection, upsert(notes, connection, update=["text"]), [row(1, "b", value="new")])
    assert stored(store) == [kept(1, "b", value="old")]


def test_an_upsert_of_no_column_keeps_the_row_and_does_not_count_it(store: Database) -> None:
    with store.begin() as connection:
        bulk(connection, notes.insert(), [row(1)])
        assert bulk(connection, upsert(notes, connection, update=()), [row(1, "b"), row(2, "b")]) == 1
    assert stored(store) == [kept(1), kept(2, "b")]


def test_rows_are_updated_by_parameters(store: Database) -> None:
    update = (
        notes.update()
        .where(notes.c.account_id == sa.bindparam("the_account"), notes.c.number == sa.bindparam("the_number"))
        .values(text=sa.bindparam("new_text"), is_new=False)
    )
    changes = [{"the_account": "acc", "the_number": n, "new_text": f"t{n}"} for n in (1, 3, 99)]
    with store.begin() as connection:
        bulk(connection, notes.insert(), [row(n) for n in range(1, 4)])
        assert bulk(connection, update, changes) == 2
    assert stored(store) == [kept(1, "t1", is_new=False), kept(2), kept(3, "t3", is_new=False)]


def test_a_parameter_may_occur_twice_and_a_value_be_constant(store: Database) -> None:
    update = (
        notes.update()
        .where(notes.c.number == sa.bindparam("n"), notes.c.account_id == "acc")
        .values(text=sa.case((sa.bindparam("n", type_=sa.BigInteger) > 1, "large"), else_="small"))
    )
    with store.begin() as connection:
        bulk(connection, notes.insert(), [row(1), row(2)])
        bulk(connection, update, [{"n": 1}, {"n": 2}])
    assert stored(store) == [kept(1, "small"), kept(2, "large")]


def test_rows_are_deleted_by_parameters(store: Database) -> None:
    delete = notes.delete().where(notes.c.number == sa.bindparam("n"))
    with store.begin() as connection:
        bulk(connection, notes.insert(), [row(n) for n in range(5)])
        assert bulk(connection, delete, [{"n": 0}, {"n": 4}, {"n": 9}]) == 2
    assert stored(store) == [kept(n) for n in (1, 2, 3)]


def test_percent_signs_and_colons_are_text(store: Database) -> None:
    text = "100 % :n %s %(n)s ?"
    with store.begin() as connection:
        bulk(connection, notes.insert(), [row(1, text)])
        bulk(connection, notes.delete().where(notes.c.text == sa.bindparam("t")), [{"t": "other %"}])
    assert stored(store) == [kept(1, text)]


def test_a_broken_constraint_undoes_the_whole_transaction(store: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError), store.begin() as connection:
        bulk(connection, notes.insert(), [row(1), row(2), row(1)])
    assert stored(store) == []


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(value=json_values.filter(lambda value: value is not None))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_json_value_comes_back_as_it_went_in(store: Database, value: object) -> None:
    with store.begin() as connection:
        connection.execute(notes.delete())
        connection.execute(notes.insert().values(account_id="acc", number=1, text="", is_new=True, value=value))
    assert stored(store)[0][-1] == value


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1500])
def test_chunks_hold_every_value_once(count: int) -> None:
    parts = list(chunks(range(count)))
    assert [value for part in parts for value in part] == list(range(count))
    assert all(0 < len(part) <= 500 for part in parts)
