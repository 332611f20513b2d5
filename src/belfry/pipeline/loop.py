"""The flow of the pipeline: one block of log entries after another.

    read      entries after the last block; after a crash exactly the block that was noted
    apply     in memory
    note      the block's end, in the relational store
    insert    columnar rows, with a token made of the block's range
    commit    profiles, identities, schema, operations and the position, in one transaction
    move      events that change owner

A crash between any two of these repeats the same block with the same token: nothing is lost, nothing doubled.
What a block does depends on its entries alone, not on which ones came together: a replay in other blocks makes the
same rows. A command is a block of its own, since it works with what all before it left in the stores.

While there is more to do than the pipeline can, two blocks overlap: a thread stores one (insert, commit) while the
next is applied in memory. A block is noted only when the one before is committed, so there is never more than one to
repeat.

    block 1   apply  note  insert - - commit
    block 2                apply - - - - - -  note  insert - - commit
    block 3                                         apply - - - - - -  note  …
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
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
COMMAND = "command"
"""Kind of log entries that are no uploads (`storage.log.Entry`)."""
IDLE_WAIT_S = 0.02
RETRY_WAIT_S = (0.1, 0.5, 2.0, 5.0)
GC_THRESHOLDS = (100_000, 20, 100)
STORE_ERRORS = (BelfryError, sa.exc.SQLAlchemyError, OSError)
"""What a later try may get over."""


class Block(msgspec.Struct, frozen=True):
    """Log entries that are applied together: those after `after` up to `to`.

    now_ms    the time of the block, noted with it so that a repetition sees the same
    is_full   there is more to do: the next block need not wait to grow
    is_alone  nothing else may be applied or stored meanwhile
    """

    stream: int
    after: int
    to: int
    now_ms: int
    entries: Sequence[Stored]
    is_full: bool = False

    @property
    def is_alone(self) -> bool:
        return any(stored.entry.kind == COMMAND for stored in self.entries)

    def token(self, table: str) -> str:
        """The deduplication token of this block's rows of one table."""
        return f"{self.stream}:{self.after}-{self.to}:{table}"


class Rows(msgspec.Struct, frozen=True):
    """Columnar rows of one table: lines of JSON, each an array of the columns' values."""

    table: str
    columns: tuple[str, ...]
    lines: bytes


class Applied(Protocol):
    """What a block did, ready to be stored by another thread. Applying the next block must not change it.

    rows       of the columnar store, the same at every repetition
    is_last    the next block may only be applied when this one is committed and settled
    """

    @property
    def rows(self) -> Sequence[Rows]: ...

    @property
    def is_last(self) -> bool: ...

    def write(self, connection: sa.Connection) -> None:
        """Write the relational effects inside the block's transaction."""
        ...


class Applier(Protocol):
    """What turns a block into effects."""

    def apply(self, block: Block, finish_previous: Callable[[], None]) -> Applied:
        """Apply the block in memory.

        finish_previous   waits until the block before is committed: to be called before a store is asked for what
                          that block may write; the applier knows the rest of it from its memory
        """
        ...

    def settle(self) -> None:
        """Do what may only be done after the commit, while no block is being applied: moves of events. Repeatable."""
        ...

    def forget(self) -> None:
        """Drop what is kept in memory: a block was not committed."""
        ...


class Unfinished(msgspec.Struct, frozen=True):
    """A block that is applied and noted, and is being stored."""

    block: Block
    storing: Future[None]


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
        self._storer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-block")
        self._position: int | None = None
        self._noted: tuple[int, int] | None = None
        """End and time of the block that the relational store has noted, not committed."""
        self._unfinished: Unfinished | None = None
        self._ahead: Sequence[Stored] = ()
        """Entries that were read and come into the next block."""

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
            except STORE_ERRORS:
                log.exception("block failed, trying again", position=self._position)
                self.forget()
                stop.wait(RETRY_WAIT_S[min(failures_count, len(RETRY_WAIT_S) - 1)])
                failures_count += 1
                continue
            failures_count = 0
            # Small blocks make small columnar parts: under light load a block waits a moment to grow.
            stop.wait(IDLE_WAIT_S if block is None else 0 if block.is_full else self._pause_s)
        try:
            self._finish()
        except STORE_ERRORS:
            log.exception("last block not committed, the next start repeats it", position=self._position)

    def step(self) -> Block | None:
        """Apply the next block and return it; None if there is nothing to do and everything is committed."""
        if self._position is None:
            self._recover()
        block = self._next_block()
        if block is None or block.is_alone:
            self._settle()
        if block is None:
            return None
        faults.hit("pipeline.after_read")
        applied = self._applier.apply(block, self._finish)
        faults.hit("pipeline.after_apply")
        self._finish()
        self._note(block)
        faults.hit("pipeline.after_note")
        self._unfinished = Unfinished(block, self._storer.submit(self._store, block, applied))
        if applied.is_last or block.is_alone or not block.is_full:
            self._settle()
        return block

    def forget(self) -> None:
        """Drop everything kept in memory; the next step starts from what is committed."""
        if self._unfinished is not None:
            wait([self._unfinished.storing])
        self._unfinished = None
        self._position = None
        self._noted = None
        self._ahead = ()
        self._applier.forget()

    def _recover(self) -> None:
        with self._database.read() as connection:
            row = connection.execute(sa.select(positions).where(positions.c.stream == self._stream)).first()
        position = 0 if row is None else int(row.position)
        self._noted = None
        if row is not None and row.inflight_to > position:
            self._noted = (int(row.inflight_to), int(row.inflight_now_ms))
        # Moves that a crash left undone come first: the next block builds on them.
        self._applier.settle()
        self._position = position

    def _next_block(self) -> Block | None:
        if self._unfinished is not None:
            return self._read(self._unfinished.block.to)
        if self._noted is None:
            return self._read(self.position)
        after, (to, now_ms) = self.position, self._noted
        entries = self._reader.read(after, bytes_max=1 << 62, entries_max=to - after)
        return Block(self._stream, after, to, now_ms, entries)

    def _read(self, after: int) -> Block | None:
        entries = self._ahead or self._read_log(after)
        if not entries:
            return None
        count = _block_size(entries)
        self._ahead = entries[count:]
        bytes_count = sum(len(stored.entry.body) for stored in entries[:count])
        is_full = bytes_count >= self._bytes_max // 4 or bool(self._ahead)
        to = entries[count - 1].position
        return Block(self._stream, after, to, self._clock.now_ms(), entries[:count], is_full)

    def _read_log(self, after: int) -> Sequence[Stored]:
        if self._reader.end() <= after:
            return ()
        return self._reader.read(after, bytes_max=self._bytes_max, entries_max=self._entries_max)

    def _note(self, block: Block) -> None:
        """Note the block's end, unless a run before a crash did."""
        if self._noted is None:
            with self._database.begin() as connection:
                self._write_position(connection, block.after, block.to, block.now_ms)
            self._noted = (block.to, block.now_ms)

    def _store(self, block: Block, applied: Applied) -> None:
        """Bring a block into both stores. Runs in a thread of its own."""
        for part in applied.rows:
            self._columnar.insert_rows(part.table, part.columns, part.lines, token=block.token(part.table))
        faults.hit("pipeline.after_insert")
        with self._database.begin() as connection:
            applied.write(connection)
            self._write_position(connection, block.to, 0, block.now_ms)
        faults.hit("pipeline.after_commit")

    def _finish(self) -> None:
        """Wait until the block that is being stored is committed, if there is one."""
        if self._unfinished is not None:
            self._unfinished.storing.result()
            self._position = self._unfinished.block.to
            self._unfinished = None
            self._noted = None

    def _settle(self) -> None:
        """Finish what is being stored and do what comes after it, while nothing is being applied."""
        if self._unfinished is not None:
            self._finish()
            self._applier.settle()
            faults.hit("pipeline.after_moves")

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


def _block_size(entries: Sequence[Stored]) -> int:
    """How many of these entries make a block: a command alone, or everything up to one."""
    for index, stored in enumerate(entries):
        if stored.entry.kind == COMMAND:
            return max(index, 1)
    return len(entries)


def tune_garbage_collection() -> None:
    """Make Python look for cycles rarely; to be called once by the process that runs a pipeline, before it starts.

    The pipeline makes many objects for each event, none of them in cycles, and keeps many for each profile in memory,
    which every full collection looks through. Measured with 100 000 profiles: 19.0 us of processor time an event
    became 16.0, and pauses of 0.15 s went. What the process has loaded until now is never looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
