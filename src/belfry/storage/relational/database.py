"""One door to the relational store, whichever engine the DSN names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from belfry.storage.relational.errors import StoreBusy, store_error
from belfry.storage.relational.turns import Turns

_T = TypeVar("_T")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables. The key of each begins with the account, so that no query can forget it."""

WAIT_S = 15.0
"""How long a transaction waits for others before it gives up."""
CONNECT_WAIT_S = 5
CONNECTIONS_MAX = 16
CHUNK_ROWS = 500
"""Values per IN list or multi-row statement: below every engine's limit of bound parameters."""
ROWS_AT_ONCE = (4_000, 500, 50, 1)
"""Sizes of SQLite's multi-row INSERTs: few different texts, so that the driver keeps them compiled."""
PARAMETERS_MAX = 32_766
"""SQLite's limit for one statement."""


class JsonBytes(sa.types.TypeDecorator[Any]):
    """A value kept as compact JSON text bytes, encoded by msgspec; the same bytes on every engine."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> bytes | None:
        return None if value is None else msgspec.json.encode(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value)


_POSTGRES_READ: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


class Database:
    """Connections to one relational store.

    dsn      `sqlite:///path/to/file.db` or `postgresql://user@host/name`
    Writers of one SQLite file take turns, in the order of asking, threads and processes alike (`turns.py`).
    Every commit is on disk when `begin` returns. Raises StoreBusy if others held the store for over `wait_s`,
    StoreUnavailable if it cannot be reached or written; then nothing of the transaction was kept.
    """

    def __init__(self, dsn: str, *, wait_s: float = WAIT_S) -> None:
        self.dsn = dsn
        self.is_sqlite = dsn.startswith("sqlite:")
        self._turns: Turns | None = None
        if self.is_sqlite:
            self.engine = sa.create_engine(
                dsn, connect_args={"timeout": wait_s, "check_same_thread": False}, pool_size=CONNECTIONS_MAX
            )
            sa.event.listen(self.engine, "connect", _on_sqlite_connect)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
            if self.engine.url.database not in (None, "", ":memory:"):
                self._turns = Turns(Path(str(self.engine.url.database)), wait_s)
        else:
            self.engine = sa.create_engine(
                _psycopg_url(dsn),
                pool_size=CONNECTIONS_MAX,
                pool_pre_ping=True,
                pool_timeout=wait_s,
                connect_args={"connect_timeout": CONNECT_WAIT_S, "options": f"-c lock_timeout={int(wait_s * 1000)}"},
            )
        sa.event.listen(self.engine, "handle_error", _on_error)

    @contextlib.contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction that may write; committed on leaving, rolled back on an error."""
        with self.maintenance() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One consistent view for reading: all statements inside see the same moment."""
        with self._connection() as connection:
            yield connection if self.is_sqlite else connection.execution_options(**_POSTGRES_READ)

    @contextlib.contextmanager
    def maintenance(self) -> Iterator[sa.Connection]:
        """A connection whose user begins and commits as often as needed, while nobody else writes to SQLite."""
        with self._turn(), self._connection() as connection:
            yield connection.execution_options(belfry_write=True)

    def close(self) -> None:
        self.engine.dispose()
        if self._turns is not None:
            self._turns.close()

    def _turn(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._turns is None else self._turns.take()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        try:
            connection = self.engine.connect()
        except sa.exc.TimeoutError as error:
            raise StoreBusy(f"no connection to the relational store was free: {error}") from error
        with connection:
            yield connection


def _psycopg_url(dsn: str) -> str:
    return dsn.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1)


def _on_error(context: sa.engine.ExceptionContext) -> None:
    if context.is_pre_ping:
        return  # the pool replaces the connection
    error = store_error(context.original_exception)
    if error is not None:
        raise error from context.original_exception


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-65536",
        "mmap_size=268435456",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # IMMEDIATE takes the write lock at once: a transaction never has to be repeated because it upgraded late.
    write = connection.get_execution_options().get("belfry_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def chunks(values: Sequence[_T], size: int = CHUNK_ROWS) -> Iterator[Sequence[_T]]:
    """Slices of at most `size` values, for IN lists."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def upsert(table: sa.Table, connection: sa.Connection, *, update: Sequence[str] | None = None) -> Insert:
    """An INSERT that, where the key exists, overwrites the named columns (default: all others than the key).

    `update=()` keeps the row that is there.
    """
    dialect = connection.dialect.name
    insert = cast("Any", sqlite if dialect == "sqlite" else postgresql).insert(table)
    keys = [column.name for column in table.primary_key]
    names = [c.name for c in table.columns if c.name not in keys] if update is None else list(update)
    if not names:
        return cast("Insert", insert.on_conflict_do_nothing(index_elements=keys))
    return cast(
        "Insert",
        insert.on_conflict_do_update(index_elements=keys, set_={name: insert.excluded[name] for name in names}),
    )


def bulk(connection: sa.Connection, statement: sa.Executable, rows: Sequence[Mapping[str, Any]]) -> int:
    """Run one INSERT, UPDATE or DELETE for many rows through the driver's `executemany`.

    rows     parameter values by name, already in the driver's types (bytes for JsonBytes columns); all with
             the same keys. An INSERT gets exactly these columns; other statements name them by `bindparam`.
    returns  how many rows were inserted, updated or deleted; those that a conflict clause left alone not counted
    Skips SQLAlchemy's per-row processing, which costs more than SQLite's own work.
    """
    if not rows:
        return 0
    is_insert = isinstance(statement, Insert)
    compiled = cast("Any", statement).compile(
        dialect=connection.dialect, column_keys=list(rows[0]) if is_insert else None
    )
    constants = _constants(compiled, connection.dialect, rows[0])
    if compiled.positiontup is None:
        named = [{**constants, **row} for row in rows]
        return connection.exec_driver_sql(str(compiled), named).rowcount
    if constants:
        rows = [{**constants, **row} for row in rows]
    values = [tuple(row[name] for name in compiled.positiontup) for row in rows]
    return connection.exec_driver_sql(str(compiled), values).rowcount


def bulk_insert(
    connection: sa.Connection, statement: Insert, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> int:
    """`bulk` for many rows of a hot table: an INSERT or upsert of tuples.

    names   the columns that are written, in the order of the table and of each row's values
    On SQLite thousands of rows go into one statement. The driver gives the interpreter's lock away at each statement,
    and beside a computing thread gets it back 5 ms later: 296 us a row with `executemany`, 16 us this way.
    """
    compiled = cast("Any", statement).compile(dialect=connection.dialect, column_keys=list(names))
    if compiled.positiontup is None:
        named = [dict(zip(names, row, strict=True)) for row in rows]
        return connection.exec_driver_sql(str(compiled), named).rowcount if rows else 0
    if compiled.positiontup != list(names):
        raise ValueError(f"columns must come in the table's order: {compiled.positiontup}")
    return _insert_many_at_once(connection, str(compiled), len(names), rows)


def _insert_many_at_once(
    connection: sa.Connection, text: str, columns_count: int, rows: Sequence[tuple[Any, ...]]
) -> int:
    one = f"({', '.join('?' * columns_count)})"
    inserted = done = 0
    for rows_max in ROWS_AT_ONCE:
        size = min(rows_max, PARAMETERS_MAX // columns_count)
        upto = done + (len(rows) - done) // size * size
        values = [tuple(chain.from_iterable(rows[at : at + size])) for at in range(done, upto, size)]
        if values:
            many = text.replace(f"VALUES {one}", f"VALUES {', '.join([one] * size)}", 1)
            inserted += connection.exec_driver_sql(many, values).rowcount
        done = upto
    return inserted


def _constants(compiled: Any, dialect: sa.Dialect, row: Mapping[str, Any]) -> dict[str, Any]:
    """Values that the statement itself holds (`where(kind == "email")`), in the driver's types."""
    constants = {}
    for name, bind in compiled.binds.items():
        if name not in row:
            process = bind.type.dialect_impl(dialect).bind_processor(dialect)
            constants[name] = process(bind.effective_value) if process else bind.effective_value
    return constants
