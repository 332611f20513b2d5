"""The one client of the columnar store."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httputil import get_pool_manager_options
from urllib3 import HTTPResponse, PoolManager
from urllib3.exceptions import HTTPError, NewConnectionError

from belfry.storage.columnar.ddl import REGISTRY
from belfry.storage.columnar.errors import AUTHENTICATION_FAILED, UNREACHABLE, ColumnarError, code_in, columnar_error

__all__ = ["INSERT_SETTINGS", "Columnar", "ColumnarError"]

_T = TypeVar("_T")

INSERT_SETTINGS: dict[str, Any] = {
    "async_insert": 0,
    "input_format_parallel_parsing": 0,
    "max_insert_block_size": 100_000_000,
    "min_insert_block_size_rows": 100_000_000,
    "min_insert_block_size_bytes": 10_000_000_000,
    "max_partitions_per_insert_block": 0,
    "input_format_try_infer_dates": 0,
    "input_format_try_infer_datetimes": 0,
    "input_format_json_read_numbers_as_strings": 0,
    "input_format_skip_unknown_fields": 0,
}
"""One request is one block (a token names it), and text stays text."""

SESSION_SETTINGS: dict[str, Any] = {"precise_float_parsing": 1}
"""Of every statement: `toFloat64({x:String})` gives the very float. (A `{x:Float64}` parameter in exponent notation
may be off by its last digit: the engine parses parameters before it knows of settings.)"""

CONNECTIONS_MAX = 32
BAD_QUERY_PARAMETER = 457


class Columnar:
    """Queries and inserts over ClickHouse's HTTP interface. Safe to use from several threads.

    dsn      `clickhouse://user:password@host:port/database`, or a function that tells it: it is asked again when
             the store refuses the connection or the password, so a client outlives a restart of the embedded engine
    No value is ever pasted into SQL: parameters are `{name:Type}` and go beside the text. SQL must not hold a
    SETTINGS clause; pass `settings`. Every method raises ColumnarError, or ColumnarUnavailable if a later try may
    succeed; a read and an insert with a token are tried once more when the connection breaks.
    """

    def __init__(self, dsn: str | Callable[[], str], *, query_timeout_s: int = 300) -> None:
        self._address: Callable[[], str] = (lambda: dsn) if isinstance(dsn, str) else dsn
        self._query_timeout_s = query_timeout_s
        self._pool = _Pool()
        self._opening = threading.Lock()
        self._client: Any = None

    def create_tables(self) -> None:
        """Make every declared table that does not exist yet."""
        for table in REGISTRY:
            self.command(table.create_sql())

    def command(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> None:
        """Run a statement that returns nothing of interest. Not repeated: it may have been done."""
        self._run(lambda client: client.command(sql, parameters=parameters, settings=settings), is_repeatable=False)

    def rows(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> list[Sequence[Any]]:
        """All rows of a query; for results that are known to be small."""
        result = self._run(lambda client: client.query(sql, parameters=parameters, settings=settings))
        return list(result.result_rows)

    def value(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Any:
        """The first column of the first row."""
        return self.rows(sql, parameters, **settings)[0][0]

    def stream(
        self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any
    ) -> Iterator[Sequence[Sequence[Any]]]:
        """Rows of a large query, block by block, in constant memory.

        An error may come after some blocks; what was read until then is not the whole result. Closing the
        iterator ends the query.
        """
        stream = self._run(lambda client: client.query_row_block_stream(sql, parameters=parameters, settings=settings))
        response = self._pool.latest
        with _translating(), stream as blocks:
            try:
                yield from blocks
            except GeneratorExit:
                # The driver would read the rest of the answer; a connection that is shut ends the query instead.
                response.shutdown()
                raise

    def insert_json(self, table: str, columns: Sequence[str], lines: bytes, *, token: str) -> None:
        """Insert JSON objects, one a line, as one block, exactly once for a token (within the table's window).

        All rows or none, of each partition that they belong to; the same call again completes it.
        """
        self._insert(table, columns, lines, token, "JSONEachRow")

    def insert_rows(self, table: str, columns: Sequence[str], lines: bytes, *, token: str) -> None:
        """The same for JSON arrays, each with the columns' values in order: half the bytes to send and to read."""
        self._insert(table, columns, lines, token, "JSONCompactEachRow")

    def _insert(self, table: str, columns: Sequence[str], lines: bytes, token: str, layout: str) -> None:
        if not lines:
            return
        settings = {**INSERT_SETTINGS, "insert_deduplication_token": token}
        self._run(
            lambda client: client.raw_insert(
                table, column_names=list(columns), insert_block=lines, fmt=layout, settings=settings
            )
        )

    def ping(self) -> bool:
        """Whether the store answers a query now."""
        try:
            return bool(self.value("SELECT 1") == 1)
        except ColumnarError:
            return False

    def close(self) -> None:
        self._forget(self._client)
        self._pool.clear()

    def _run(self, call: Callable[[Any], _T], *, is_repeatable: bool = True) -> _T:
        """Call with a connected client; once more if the store was not there, or left before it answered."""
        client: Any = None
        try:
            with _translating():
                client = self._connected()
                return call(client)
        except ColumnarError as error:
            is_refused = error.code == AUTHENTICATION_FAILED or _was_not_reached(error)
            is_broken = error.code == UNREACHABLE and is_repeatable and not _is_timeout(error)
            if not (is_refused or is_broken):
                raise
        self._forget(client)
        with _translating():
            return call(self._connected())

    def _connected(self) -> Any:
        with self._opening:
            if self._client is None:
                self._client = self._open(self._address())
            return self._client

    def _open(self, dsn: str) -> Any:
        parts = urlsplit(dsn)
        return clickhouse_connect.get_client(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 8123,
            username=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=parts.path.strip("/") or "belfry",
            secure=parts.scheme.endswith("s"),
            pool_mgr=self._pool,
            compress=False,
            autogenerate_session_id=False,
            send_receive_timeout=self._query_timeout_s,
            query_limit=0,
            settings=SESSION_SETTINGS,
        )

    def _forget(self, client: Any) -> None:
        """Connect afresh next time; another thread may have done so already."""
        with self._opening:
            if client is not None and self._client is client:
                self._client.close()
                self._client = None


class _Pool(PoolManager):
    """Connections that know the latest response of each thread. The override is typed as PoolManager's own."""

    def __init__(self) -> None:
        super().__init__(**get_pool_manager_options(maxsize=CONNECTIONS_MAX))
        self._here = threading.local()

    @property
    def latest(self) -> HTTPResponse:
        """The response that this thread got last."""
        response: HTTPResponse = self._here.response
        return response

    def urlopen(self, method: str, url: str, redirect: bool = True, **options: Any) -> HTTPResponse:  # type: ignore[override]
        self._here.response = super().urlopen(method, url, redirect, **options)
        return self.latest


@contextlib.contextmanager
def _translating() -> Iterator[None]:
    """The driver's errors as ours."""
    try:
        yield
    except UnicodeEncodeError as error:
        # A lone surrogate in a parameter: no text that the store could hold.
        raise ColumnarError(f"a parameter is not valid Unicode: {error.reason}", BAD_QUERY_PARAMETER) from error
    except (ClickHouseError, HTTPError, OSError) as error:
        raise columnar_error(str(error), getattr(error, "code", None) or code_in(str(error))) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it; urllib3 hides some of it in `reason`."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        reason = getattr(one, "reason", None)
        waiting += [one.__cause__, one.__context__, reason if isinstance(reason, BaseException) else None]


def _was_not_reached(error: ColumnarError) -> bool:
    """Whether the statement surely did not arrive."""
    return any(isinstance(cause, ConnectionRefusedError | NewConnectionError) for cause in _causes(error))


def _is_timeout(error: ColumnarError) -> bool:
    return any(isinstance(cause, TimeoutError) for cause in _causes(error))
