"""The one client of the columnar store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httputil import get_pool_manager

from belfry.errors import BelfryError
from belfry.storage.columnar.ddl import REGISTRY

_CODE = re.compile(r"[Cc]ode: (\d+)")

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


class ColumnarError(BelfryError):
    """The columnar store refused a statement or could not be reached.

    code     ClickHouse's error code, 0 if the store could not be reached
    """

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class Columnar:
    """Queries and inserts over ClickHouse's HTTP interface. Safe to use from several threads.

    dsn      `clickhouse://user:password@host:port/database`
    No value is ever pasted into SQL: parameters are `{name:Type}` and go beside the text. SQL must not hold a
    SETTINGS clause; pass `settings`.
    """

    def __init__(self, dsn: str, *, query_timeout_s: int = 300) -> None:
        parts = urlsplit(dsn)
        self._pool = get_pool_manager(maxsize=32)
        self._arguments: dict[str, Any] = {
            "host": parts.hostname or "127.0.0.1",
            "port": parts.port or 8123,
            "username": unquote(parts.username or "default"),
            "password": unquote(parts.password or ""),
            "database": parts.path.strip("/") or "belfry",
            "secure": parts.scheme.endswith("s"),
        }
        self._query_timeout_s = query_timeout_s
        self._client: Any = None

    def _connected(self) -> Any:
        if self._client is None:
            try:
                self._client = clickhouse_connect.get_client(
                    **self._arguments,
                    pool_mgr=self._pool,
                    compress=False,
                    autogenerate_session_id=False,
                    send_receive_timeout=self._query_timeout_s,
                    query_limit=0,
                )
            except (ClickHouseError, OSError) as error:
                raise _translated(error) from error
        return self._client

    def create_tables(self) -> None:
        """Make every declared table that does not exist yet."""
        for table in REGISTRY:
            self.command(table.create_sql())

    def command(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> None:
        """Run a statement that returns nothing of interest."""
        try:
            self._connected().command(sql, parameters=parameters, settings=settings)
        except (ClickHouseError, OSError) as error:
            raise _translated(error) from error

    def rows(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> list[Sequence[Any]]:
        """All rows of a query; for results that are known to be small."""
        try:
            result = self._connected().query(sql, parameters=parameters, settings=settings)
        except (ClickHouseError, OSError) as error:
            raise _translated(error) from error
        return list(result.result_rows)

    def value(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Any:
        """The first column of the first row."""
        return self.rows(sql, parameters, **settings)[0][0]

    def stream(
        self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any
    ) -> Iterator[Sequence[Sequence[Any]]]:
        """Rows of a large query, block by block, in constant memory."""
        try:
            with self._connected().query_row_block_stream(sql, parameters=parameters, settings=settings) as blocks:
                yield from blocks
        except (ClickHouseError, OSError) as error:
            raise _translated(error) from error

    def insert_json(self, table: str, columns: Sequence[str], lines: bytes, *, token: str) -> None:
        """Insert JSON lines as one block, exactly once for a token (within the table's window)."""
        if not lines:
            return
        try:
            self._connected().raw_insert(
                table,
                column_names=list(columns),
                insert_block=lines,
                fmt="JSONEachRow",
                settings={**INSERT_SETTINGS, "insert_deduplication_token": token},
            )
        except (ClickHouseError, OSError) as error:
            raise _translated(error) from error

    def ping(self) -> bool:
        try:
            return bool(self._connected().ping())
        except ColumnarError:
            return False

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._pool.clear()


def _translated(error: Exception) -> ColumnarError:
    found = _CODE.search(str(error))
    return ColumnarError(str(error), int(found.group(1)) if found else 0)
