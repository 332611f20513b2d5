"""The embedded log: one process appends to segment files, one fsync for all who wait together.

    event loops -> write queue -> writer thread: write, fsync, watermark, idempotency -> event loops

After a write or an fsync that failed, the segment is left for good: cut back to its last durable byte and followed by
a new file whose existence ends it (see `segment`). One moment stays open, as no disk format can close it: a disk
takes a batch whole, fails its fsync, then keeps neither the cut nor the new file, and power or process go before it
works again. The next start may find that batch; its sender was told 503, and a retry with its Idempotency-Key
is recognised.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import structlog

from belfry.clock import Clock
from belfry.config import Settings
from belfry.ids import Ids
from belfry.storage.log.files import Files
from belfry.storage.log.frames import batch_buffers, encode
from belfry.storage.log.model import Entry, LogLocked, LogUnavailable, Stored
from belfry.storage.log.reader import FileLogReader
from belfry.storage.log.recovery import recover
from belfry.storage.log.segment import (
    Segment,
    SegmentHeader,
    create_segment,
    header_of,
    list_segments,
    segment_path,
)
from belfry.storage.log.watermark import Watermark, WatermarkFile
from belfry.storage.log.write_queue import Waiting, WriteQueue

BATCH_BYTES_MAX = 16 * 1024 * 1024
"""Most that one fsync waits for: the first of a batch should not wait long for the last."""
SEGMENT_AGE_MS_MAX = 6 * 3600 * 1000
"""A segment is closed at this age, so that retention reaches the entries of a quiet installation too."""
SPACE_LOOK_MS = 250
STALL_S = 2.0
LOCK_NAME = "lock"

_logger = structlog.get_logger(__name__)

OnDurable = Callable[[Sequence[Stored]], None]


class FileLog:
    """The writer of one stream. Create it outside of event loops: opening may read the last segment.

    folder          of all streams; this one lives in `folder/<stream>`
    on_durable      called in the writer's thread with each batch, after it is on disk and before anyone hears of
                    it. Must be quick; what it raises is logged and changes nothing
    stall_s         how long the disk may take for one batch before new entries are refused
    raises          LogLocked if another process writes the stream, LogDamaged, LogUnavailable
    """

    def __init__(
        self,
        folder: Path,
        stream: int = 0,
        *,
        clock: Clock,
        ids: Ids,
        queue_bytes_max: int,
        segment_bytes: int,
        free_bytes_min: int,
        on_durable: OnDurable | None = None,
        files: Files | None = None,
        stall_s: float = STALL_S,
    ) -> None:
        self.folder = folder / str(stream)
        self.lost_entries = 0
        self._files = files or Files()
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._free_bytes_min = free_bytes_min
        self._on_durable = on_durable
        self._space_looked_at_ms: int | None = None
        self._segment: Segment | None = None
        self._position = 0
        self._is_failing = False
        self._is_closed = False
        try:
            self._open(ids)
        except OSError as error:
            raise LogUnavailable(f"the log in {self.folder} cannot be opened for writing: {error}") from error
        self._reader = FileLogReader(self.folder, self._files)
        self._reader_lock = threading.Lock()
        self._queue = WriteQueue(queue_bytes_max, stall_s)
        self._thread = threading.Thread(target=self._run, name=f"log-writer-{stream}", daemon=True)
        self._thread.start()

    @property
    def is_writable(self) -> bool:
        """Whether the last batch reached the disk (so it is at the start)."""
        return not self._is_failing and not self._is_closed

    @property
    def waiting_bytes(self) -> int:
        """Bytes in memory that wait for the disk."""
        return self._queue.waiting_bytes

    def append(self, entry: Entry) -> asyncio.Future[int]:
        """See `Log.append`. Call it on an event loop; it never blocks."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._queue.put(Waiting(entry, encode(entry), future))
        return future

    def read(self, after: int, *, bytes_max: int, entries_max: int = 10_000) -> Sequence[Stored]:
        """See `LogReader.read`. Meant for a look now and then; a consumer opens a reader of its own."""
        with self._reader_lock:
            return self._reader.read(after, bytes_max=bytes_max, entries_max=entries_max)

    def end(self) -> int:
        return self._position

    def first(self) -> int:
        with self._reader_lock:
            return self._reader.first()

    def drop(self, *, applied: int, older_than_ms: int) -> int:
        """See `Log.drop`. Oldest first, never the file that is being written; from any thread, one at a time."""
        dropped = 0
        try:
            firsts = list_segments(self._files, self.folder)
            for first, following in pairwise(firsts):
                header = header_of(self._files, self.folder, following)
                if header.first - 1 > applied or header.created_at_ms > older_than_ms:
                    break
                self._files.remove(segment_path(self.folder, first))
                dropped += 1
            if dropped:
                self._files.sync_folder(self.folder)
        except OSError as error:
            raise LogUnavailable(f"old files of the log cannot be removed: {error}") from error
        return dropped

    def close(self) -> None:
        """See `Log.close`. Blocks until the disk has what waits: in async code call it in a thread."""
        if self._is_closed:
            return
        self._is_closed = True
        self._queue.close()
        self._thread.join()
        self._reader.close()
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        self._watermark.close()
        self._files.close(self._lock_fd)

    def _open(self, ids: Ids) -> None:
        """Become the stream's one writer; all that was opened is closed again if something is wrong."""
        self._files.make_folder(self.folder)
        with contextlib.ExitStack() as undo:
            self._lock_fd = _lock(self._files, self.folder)
            undo.callback(self._files.close, self._lock_fd)
            self._watermark = WatermarkFile(self._files, self.folder)
            undo.callback(self._watermark.close)
            self._go_on_behind_the_end(ids)
            undo.pop_all()

    def _go_on_behind_the_end(self, ids: Ids) -> None:
        """Find the end of the stream, and let readers go up to there."""
        mark = self._watermark.read() or Watermark(0, 0, 0)
        found = recover(self._files, self.folder)
        if found is None:
            self._salt = int(ids.token_hex(4), 16)
            self._position = mark.position
            segment = self._start_segment(previous_last=mark.position)
        else:
            self._salt = found.segment.header.salt
            self._position, self._segment = found.position, found.segment
            if found.cut_bytes:
                _logger.warning("log.torn_tail_cut", bytes=found.cut_bytes, last_position=found.position)
            segment = found.segment if mark.position <= found.position else self._skip_lost(found.segment, mark)
        self._publish(segment)

    def _skip_lost(self, segment: Segment, mark: Watermark) -> Segment:
        """Entries up to the watermark were given out and are gone: say so, and never give their positions again.

        Consumers may have applied them; another entry under the same position would be skipped.
        """
        self.lost_entries = mark.position - self._position
        _logger.error("log.entries_lost", first=self._position + 1, last=mark.position, folder=str(self.folder))
        previous_last, self._position = self._position, mark.position
        segment.close()
        return self._start_segment(previous_last=previous_last)

    def _run(self) -> None:
        """The writer's thread: one batch after the other, until the queue is closed and empty."""
        while batch := self._queue.take(BATCH_BYTES_MAX):
            try:
                first = self._write(batch)
            except LogUnavailable as error:
                self._fail(batch, error)
            except OSError as error:
                self._fail(batch, LogUnavailable(f"the log cannot be written: {error.strerror or error}"))
            except Exception:
                _logger.exception("log.writer_error", entries=len(batch))
                self._fail(batch, LogUnavailable("the log cannot be written: internal error"))
            else:
                self._note(batch, first)
                self._queue.finish(batch, first)

    def _fail(self, batch: Sequence[Waiting], why: LogUnavailable) -> None:
        if not self._is_failing:
            _logger.error("log.refuses", why=str(why), folder=str(self.folder))
        self._is_failing = True
        self._queue.finish(batch, why)

    def _write(self, batch: Sequence[Waiting]) -> int:
        """Put a batch on disk, all or nothing; the position of its first entry."""
        self._look_at_space()
        segment = self._segment_for_more()
        first = self._position + 1
        try:
            segment.append(batch_buffers([waiting.payload for waiting in batch], first, self._salt))
            self._position += len(batch)
            self._publish(segment)
        except BaseException:
            self._position = first - 1
            self._abandon(segment)
            raise
        if self._is_failing:
            _logger.info("log.accepts_again", position=self._position)
            self._is_failing = False
        return first

    def _segment_for_more(self) -> Segment:
        """The current segment, or a new one if it is full, old, or was abandoned."""
        segment = self._segment
        if segment is not None and not self._is_done(segment):
            return segment
        started = self._start_segment(previous_last=self._position)
        if segment is not None:
            segment.close()
        return started

    def _is_done(self, segment: Segment) -> bool:
        if segment.header.first > self._position:
            return False  # empty: a new one would have the same name
        age_ms = self._clock.now_ms() - segment.header.created_at_ms
        return segment.end >= self._segment_bytes or age_ms > SEGMENT_AGE_MS_MAX

    def _start_segment(self, *, previous_last: int) -> Segment:
        header = SegmentHeader(self._position + 1, previous_last, self._clock.now_ms(), self._salt)
        self._segment = create_segment(self._files, self.folder, header)
        return self._segment

    def _abandon(self, segment: Segment) -> None:
        """Leave a segment after a failure, before anyone is told: its failed bytes must not come back.

        Either of the two steps alone does it. If the disk refuses both, the next batch tries again.
        """
        self._segment = None
        with contextlib.suppress(OSError):
            segment.cut_back()
        with contextlib.suppress(OSError):
            segment.close()
        with contextlib.suppress(OSError):
            self._start_segment(previous_last=self._position)

    def _publish(self, segment: Segment) -> None:
        self._watermark.publish(Watermark(self._position, segment.header.first, segment.end))

    def _look_at_space(self) -> None:
        """Refuse while the disk is nearly full, so that the other stores can still finish what they do."""
        now_ms = self._clock.now_ms()
        if self._space_looked_at_ms is not None and now_ms - self._space_looked_at_ms < SPACE_LOOK_MS:
            return
        self._space_looked_at_ms = None
        free = self._files.free_bytes(self.folder)
        if free < self._free_bytes_min:
            raise LogUnavailable(
                f"the disk under the log has {free} bytes free, below {self._free_bytes_min} (log_free_bytes_min)"
            )
        self._space_looked_at_ms = now_ms

    def _note(self, batch: Sequence[Waiting], first: int) -> None:
        if self._on_durable is None:
            return
        try:
            self._on_durable([Stored(first + index, waiting.entry) for index, waiting in enumerate(batch)])
        except Exception:
            # The batch is on disk and stays; who listens catches up from the log at its next start.
            _logger.exception("log.on_durable_failed", first=first, entries=len(batch))


def open_log(
    settings: Settings, stream: int = 0, *, clock: Clock, ids: Ids, on_durable: OnDurable | None = None
) -> FileLog:
    """The embedded log of an installation, for writing, in `<data_dir>/log/<stream>`."""
    return FileLog(
        settings.path("log"),
        stream,
        clock=clock,
        ids=ids,
        queue_bytes_max=settings.log_queue_bytes_max,
        segment_bytes=settings.log_segment_bytes,
        free_bytes_min=settings.log_free_bytes_min,
        on_durable=on_durable,
    )


def _lock(files: Files, folder: Path) -> int:
    """Be the stream's one writer until the descriptor is closed. Raises LogLocked."""
    fd = files.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT)
    if not files.lock(fd):
        files.close(fd)
        raise LogLocked(f"another process writes the log in {folder}; stop it first or use another data_dir")
    return fd
