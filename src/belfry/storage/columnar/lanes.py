"""Lanes of the embedded engine: connections, each with its own thread, that run statements side by side.

A connection runs one statement at a time. Inserts have lanes of their own, so that no query makes them wait,
and there are more lanes for queries than a machine has work for, so that a short query passes a long one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from belfry.storage.columnar.errors import code_in
from belfry.storage.columnar.http_call import Call


class EngineError(Exception):
    """The engine refused a statement; the text is ClickHouse's, code its error code."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = code_in(text) or 1001
        """1001 is STD_EXCEPTION: the engine failed without a code of its own."""


class Answer(Protocol):
    """What chDB answers, whole or one block of it."""

    def bytes(self) -> bytes: ...


class Stream(Protocol):
    """An answer that comes in blocks."""

    def fetch(self) -> Answer | None: ...
    def cancel(self) -> None: ...


class Connection(Protocol):
    """What a lane uses of chDB's connection. Statements may be bytes. Errors are RuntimeError."""

    def query(self, query: str | bytes, format: str = "CSV", params: dict[str, str] | None = None) -> Answer: ...  # noqa: A002
    def send_query(self, query: bytes, format: str = "CSV", params: dict[str, str] | None = None) -> Stream: ...  # noqa: A002
    def close(self) -> None: ...


class Lane:
    """One connection with what its session has been told. Only its own thread calls it."""

    def __init__(self, name: str, connect: Callable[[], Connection], settings: Mapping[str, str]) -> None:
        self.name = name
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._connect = connect
        # A running statement is found, to cancel it, by this comment: a lane runs one at a time.
        self._base = {**settings, "log_comment": name}
        self._connection: Connection | None = None
        self._told: dict[str, str] = {}
        self._database = ""

    def run(self, call: Call) -> bytes:
        """Run a statement to its end; the whole answer. Raises EngineError."""
        with self._session(call) as connection:
            return connection.query(call.sql, call.format, call.parameters).bytes()

    def blocks(self, call: Call) -> Generator[bytes]:
        """Run a query, one block of its answer at a time. Raises EngineError, also between blocks."""
        with self._session(call) as connection:
            stream = connection.send_query(call.sql, call.format, call.parameters)
            try:
                while (block := stream.fetch()) is not None:
                    yield block.bytes()
            except GeneratorExit:
                stream.cancel()
                raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _session(self, call: Call) -> Iterator[Connection]:
        """The connection in the state that the call asks for, whatever ran before."""
        is_clean = False
        try:
            connection = self._opened()
            self._use(connection, call.database)
            self._tell(connection, {**self._base, **call.settings})
            yield connection
            is_clean = call.leaves_session_clean
        except GeneratorExit:
            is_clean = True
            raise
        except RuntimeError as error:
            raise EngineError(str(error).removeprefix("Streaming query failed: ")) from None
        finally:
            # After a failed INSERT chDB answers the next statement with "Unknown packet": start afresh.
            if not is_clean:
                self.close()

    def _opened(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()
            self._told, self._database = {}, ""
        return self._connection

    def _use(self, connection: Connection, database: str) -> None:
        wanted = database or "default"
        if wanted != self._database:
            connection.query(f"USE {quoted_name(wanted)}")
            self._database = wanted

    def _tell(self, connection: Connection, settings: dict[str, str]) -> None:
        """Make the session's settings these; SET costs 60 us, so only what differs is said."""
        changes = [f"{name} = DEFAULT" for name in self._told.keys() - settings.keys()]
        changes += [
            f"{name} = {quoted_text(value)}" for name, value in settings.items() if self._told.get(name) != value
        ]
        if changes:
            connection.query(f"SET {', '.join(changes)}")
            self._told = settings


class Lanes:
    """Up to `count` lanes of one kind, opened when first needed."""

    def __init__(self, kind: str, count: int, connect: Callable[[], Connection], settings: Mapping[str, str]) -> None:
        self._kind = kind
        self._connect = connect
        self._settings = settings
        self._free = asyncio.Semaphore(count)
        self._idle: list[Lane] = []
        self.all: list[Lane] = []
        self.busy: set[str] = set()
        """Names of the lanes that run a statement now."""

    @contextlib.asynccontextmanager
    async def take(self) -> AsyncIterator[Lane]:
        """A lane for one statement; waits while all are taken."""
        async with self._free:
            lane = self._idle.pop() if self._idle else self._open()
            self.busy.add(lane.name)
            try:
                yield lane
            finally:
                self.busy.discard(lane.name)
                self._idle.append(lane)

    def close(self) -> None:
        """Close every connection in its own thread, after what it runs."""
        for lane in self.all:
            lane.thread.submit(lane.close).result()
            lane.thread.shutdown()

    def _open(self) -> Lane:
        lane = Lane(f"{self._kind}-{len(self.all)}", self._connect, self._settings)
        self.all.append(lane)
        return lane


def quoted_name(name: str) -> str:
    """An identifier, whatever it holds."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def quoted_text(text: str) -> str:
    """A string literal, whatever it holds."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
