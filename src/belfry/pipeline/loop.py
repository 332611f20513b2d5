"""The flow of the pipeline: one block of log entries after another.

    read      entries after the committed position; after a crash exactly the block that was noted
    note      the block's end, in the relational store
    apply     in memory
    insert    columnar rows, with a token made of the block's range
    commit    profiles, identities, schema, operations and the position, in one transaction
    move      events that change owner

A crash between any two of these repeats the same block with the same token: nothing is lost, nothing doubled.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import msgspec
import sqlalchemy as sa
import structlog

from belfry import faults
from belfry.clock import Clock
from belfry.config import Settings
from belfry.errors import BelfryError
from belfry.pipeline.tables import positions
from belfry.storage.columnar import Columnar
from belfry.storage.log import LogReader, Stored
from belfry.storage.relational import Database, upsert

log = structlog.get_logger(__name__)

BYTES_PER_RECORD = 160
"""How many bytes a block holds for each record that it may hold: bodies are read by size."""
IDLE_WAIT_S = 0.02
RETRY_WAIT_S = (0.1, 0.5, 2.0, 5.0)


class Block(msgspec.Struct, frozen=True):
    """Log entries that are applied together: those after `after` up to `to`.

    now_ms   the time of the block, noted with it so that a repetition sees the same
    """

    stream: int
    after: int
    to: int
    now_ms: int
    entries: Sequence[Stored]

    @property
    def bytes_count(self) -> int:
        return sum(len(stored.entry.body) for stored in self.entries)

    def token(self, table: str) -> str:
        """The deduplication token of this block's rows of one table."""
        return f"{self.stream}:{self.after}-{self.to}:{table}"


class Rows(msgspec.Struct, frozen=True):
    """Columnar rows of one table, as JSON lines."""

    table: str
    columns: tuple[str, ...]
    lines: bytes


class Applier(Protocol):
    """What turns a block into effects."""

    def apply(self, block: Block) -> Sequence[Rows]:
        """Apply the block in memory; the columnar rows that it makes, the same at every repetition."""
        ...

    def flush(self, connection: sa.Connection, block: Block) -> None:
        """Write the relational effects inside the block's transaction."""
        ...

    def settle(self) -> None:
        """Do what may only be done after the commit: moves of events. Repeatable."""
        ...

    def forget(self) -> None:
        """Drop what is kept in memory: the block was not committed."""
        ...


class Pipeline:
    """Applies one stream of the log. One instance at a time for a stream."""

    def __init__(
        self,
        *,
        reader: LogReader,
        stream: int,
        database: Database,
        columnar: Columnar,
        applier: Applier,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._reader = reader
        self._stream = stream
        self._database = database
        self._columnar = columnar
        self._applier = applier
        self._clock = clock
        self._bytes_max = settings.batch_records_max * BYTES_PER_RECORD
        self._entries_max = settings.batch_records_max
        self._pause_s = settings.batch_pause_ms / 1000
        self._position: int | None = None
        self._inflight: tuple[int, int] | None = None

    @property
    def position(self) -> int:
        """The last entry whose effects are committed."""
        return self._position or 0

    def run(self, stop: threading.Event) -> None:
        """Apply blocks until told to stop. Failing stores are waited for; nothing is skipped."""
        failures_count = 0
        while not stop.is_set():
            try:
                block = self.step()
            except (BelfryError, sa.exc.SQLAlchemyError, OSError):
                log.exception("block failed, trying again", position=self._position)
                self.forget()
                stop.wait(RETRY_WAIT_S[min(failures_count, len(RETRY_WAIT_S) - 1)])
                failures_count += 1
                continue
            failures_count = 0
            # Small blocks make small columnar parts: under light load a block waits a moment to grow.
            is_full = block is not None and block.bytes_count >= self._bytes_max // 4
            stop.wait(0 if is_full else self._pause_s if block else IDLE_WAIT_S)

    def step(self) -> Block | None:
        """Apply the next block and return it; None if there is nothing to do."""
        if self._position is None:
            self._recover()
        block = self._next_block()
        if block is None:
            return None
        faults.hit("pipeline.after_read")
        self._note(block)
        faults.hit("pipeline.after_note")
        rows = self._applier.apply(block)
        faults.hit("pipeline.after_apply")
        for part in rows:
            self._columnar.insert_json(part.table, part.columns, part.lines, token=block.token(part.table))
        faults.hit("pipeline.after_insert")
        self._commit(block)
        faults.hit("pipeline.after_commit")
        self._applier.settle()
        faults.hit("pipeline.after_moves")
        return block

    def forget(self) -> None:
        """Drop everything kept in memory; the next step starts from what is committed."""
        self._position = None
        self._inflight = None
        self._applier.forget()

    def _recover(self) -> None:
        with self._database.read() as connection:
            row = connection.execute(sa.select(positions).where(positions.c.stream == self._stream)).first()
        position = 0 if row is None else int(row.position)
        self._inflight = None
        if row is not None and row.inflight_to > position:
            self._inflight = (int(row.inflight_to), int(row.inflight_now_ms))
        # Moves that a crash left undone come first: the next block builds on them.
        self._applier.settle()
        self._position = position

    def _next_block(self) -> Block | None:
        after = self.position
        if self._inflight is not None:
            to, now_ms = self._inflight
            entries = self._reader.read(after, bytes_max=1 << 62, entries_max=to - after)
            return Block(self._stream, after, to, now_ms, entries)
        if self._reader.end() <= after:
            return None
        entries = self._reader.read(after, bytes_max=self._bytes_max, entries_max=self._entries_max)
        if not entries:
            return None
        return Block(self._stream, after, entries[-1].position, self._clock.now_ms(), entries)

    def _note(self, block: Block) -> None:
        if self._inflight is None:
            with self._database.begin() as connection:
                self._write_position(connection, block.after, block.to, block.now_ms)
            self._inflight = (block.to, block.now_ms)

    def _commit(self, block: Block) -> None:
        with self._database.begin() as connection:
            self._applier.flush(connection, block)
            self._write_position(connection, block.to, 0, block.now_ms)
        self._position = block.to
        self._inflight = None

    def _write_position(self, connection: sa.Connection, position: int, inflight_to: int, now_ms: int) -> None:
        connection.execute(
            upsert(positions, connection).values(
                stream=self._stream,
                position=position,
                inflight_to=inflight_to,
                inflight_now_ms=now_ms,
                updated_at_ms=now_ms,
            )
        )
