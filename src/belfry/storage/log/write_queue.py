"""Entries that wait for the disk: bounded in bytes, handed to the writer in batches, answered together.

`put` is called on event loops, `take` and `finish` in the writer's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Sequence

from belfry.errors import BelfryError
from belfry.storage.log.frames import Payload
from belfry.storage.log.model import Entry, LogBusy, LogUnavailable


class Waiting:
    """One entry on its way to the disk, and who wants to hear of it."""

    __slots__ = ("entry", "frame_bytes", "future", "payload")

    def __init__(self, entry: Entry, payload: Payload, future: asyncio.Future[int]) -> None:
        self.entry = entry
        self.payload = payload
        self.future = future
        self.frame_bytes = payload.frame_bytes()


class WriteQueue:
    """A bounded queue between event loops and one writer thread.

    Invariant: `waiting_bytes` counts what is queued and what the writer has taken and not finished.
    A writer that finishes nothing for one to two `stall_s` is stalled: what it has not taken yet is refused, for
    that can still be said truthfully; what it has taken waits for the disk's answer.
    """

    def __init__(self, bytes_max: int, stall_s: float) -> None:
        self._bytes_max = bytes_max
        self._stall_s = stall_s
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._queue: deque[Waiting] = deque()
        self._bytes = 0
        self._finished = 0
        self._in_flight = False
        self._stalled = False
        self._closed = False
        self._watching: set[asyncio.AbstractEventLoop] = set()

    @property
    def waiting_bytes(self) -> int:
        return self._bytes

    def put(self, waiting: Waiting) -> None:
        """Queue one entry. Raises LogBusy if too much waits, LogUnavailable if nothing moves or all is closed.

        An entry that is larger than the bound is taken when nothing else waits.
        """
        loop = waiting.future.get_loop()
        with self._lock:
            if self._closed:
                raise LogUnavailable("the log is closed")
            if self._stalled:
                raise self._stall()
            if self._bytes and self._bytes + waiting.frame_bytes > self._bytes_max:
                raise LogBusy(f"{self._bytes} bytes wait for the disk, of at most {self._bytes_max}")
            self._queue.append(waiting)
            self._bytes += waiting.frame_bytes
            self._filled.notify()
            is_watched = loop in self._watching
            self._watching.add(loop)
        if not is_watched:
            loop.call_later(self._stall_s, self._watch, loop, self._finished)

    def take(self, bytes_max: int) -> list[Waiting]:
        """Wait for entries and take those in front, up to about `bytes_max`; empty when closed and all is done."""
        with self._lock:
            while not self._queue and not self._closed:
                self._filled.wait()
            batch: list[Waiting] = []
            taken = 0
            while self._queue and (not batch or taken + self._queue[0].frame_bytes <= bytes_max):
                waiting = self._queue.popleft()
                taken += waiting.frame_bytes
                batch.append(waiting)
            self._in_flight = bool(batch)
            return batch

    def finish(self, batch: Sequence[Waiting], outcome: int | BelfryError) -> None:
        """The batch is on disk from this position on, or failed: free its bytes and tell who waits."""
        with self._lock:
            self._bytes -= sum(waiting.frame_bytes for waiting in batch)
            self._finished += 1
            self._in_flight = self._stalled = False
        _tell(batch, outcome)

    def close(self) -> None:
        """Take nothing more; `take` gives what still waits, then nothing."""
        with self._lock:
            self._closed = True
            self._filled.notify()

    def _watch(self, loop: asyncio.AbstractEventLoop, finished: int) -> None:
        """Look whether the writer has finished a batch since the last look; runs while entries wait."""
        refused: list[Waiting] = []
        with self._lock:
            if self._in_flight and self._finished == finished:
                self._stalled = True
                refused.extend(self._queue)
                self._queue.clear()
                self._bytes -= sum(waiting.frame_bytes for waiting in refused)
            goes_on = bool(self._queue)
            if not goes_on:
                self._watching.discard(loop)
        if refused:
            _tell(refused, self._stall())
        if goes_on:
            loop.call_later(self._stall_s, self._watch, loop, self._finished)

    def _stall(self) -> LogUnavailable:
        return LogUnavailable(f"the disk under the log has not answered for {self._stall_s:g} s")


def _tell(batch: Sequence[Waiting], outcome: int | BelfryError) -> None:
    """Resolve the futures of a batch: one call into each event loop, however many entries."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[int], int]]] = {}
    for index, waiting in enumerate(batch):
        by_loop.setdefault(waiting.future.get_loop(), []).append((waiting.future, index))
    for loop, futures in by_loop.items():
        # RuntimeError: the loop has ended, and with it everyone who waited there.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, futures, outcome)


def _resolve(futures: list[tuple[asyncio.Future[int], int]], outcome: int | BelfryError) -> None:
    for future, index in futures:
        if future.done():
            continue
        if isinstance(outcome, int):
            future.set_result(outcome + index)
        else:
            future.set_exception(outcome)
