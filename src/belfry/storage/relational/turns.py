"""Turns of those who write one SQLite file: first come, first served, in a process and between processes.

SQLite's own lock is polled with growing pauses and has no order: who writes without a break keeps all others out.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from belfry.storage.relational.errors import StoreBusy, StoreUnavailable

_POLL_S = 0.001
_POLL_S_MAX = 0.01


class Turns:
    """Who may write the file now.

    path     of the database file; two lock files lie beside it
    wait_s   longest wait for a turn
    """

    def __init__(self, path: Path, wait_s: float) -> None:
        self._threads = ThreadTurns()
        self._processes = ProcessTurns(path)
        self._wait_s = wait_s

    @contextlib.contextmanager
    def take(self) -> Iterator[None]:
        """Wait for the turn and hold it. Raises StoreBusy, StoreUnavailable."""
        deadline = time.monotonic() + self._wait_s
        if not self._threads.acquire(self._wait_s):
            raise StoreBusy(f"another thread wrote to the SQLite store for over {self._wait_s} s")
        try:
            if not self._processes.acquire(deadline):
                raise StoreBusy(f"another process wrote to the SQLite store for over {self._wait_s} s")
            try:
                yield
            finally:
                self._processes.release()
        finally:
            self._threads.release()

    def close(self) -> None:
        self._processes.close()


class ThreadTurns:
    """A lock that is handed over in the order of asking."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_taken = False
        self._waiting: deque[threading.Event] = deque()

    def acquire(self, wait_s: float) -> bool:
        """Whether the lock was had within the time."""
        with self._mutex:
            if not self._is_taken:
                self._is_taken = True
                return True
            called = threading.Event()
            self._waiting.append(called)
        if called.wait(wait_s):
            return True
        with self._mutex:
            if called.is_set():
                return True  # handed over in the moment the wait ended
            self._waiting.remove(called)
            return False

    def release(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False


class ProcessTurns:
    """A lock between processes that its last holder cannot take again before one who waits.

    Two files are locked: whoever wants the turn takes the door, waits inside it for the turn, then opens the door.
    A process that ends, however it ends, gives both back.
    """

    def __init__(self, path: Path) -> None:
        self._paths = (path.with_name(f"{path.name}.door"), path.with_name(f"{path.name}.turn"))
        self._files: tuple[int, int] | None = None

    def acquire(self, deadline: float) -> bool:
        """Whether the lock was had before the deadline (of the monotonic clock)."""
        door, turn = self._opened()
        if not _lock(door, deadline):
            return False
        try:
            return _lock(turn, deadline)
        finally:
            fcntl.flock(door, fcntl.LOCK_UN)

    def release(self) -> None:
        fcntl.flock(self._opened()[1], fcntl.LOCK_UN)

    def close(self) -> None:
        for file in self._files or ():
            os.close(file)
        self._files = None

    def _opened(self) -> tuple[int, int]:
        if self._files is None:
            try:
                door, turn = (os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) for path in self._paths)
            except OSError as error:
                raise StoreUnavailable(f"the SQLite store's folder cannot be written: {error}") from error
            self._files = (door, turn)
        return self._files


def _lock(file: int, deadline: float) -> bool:
    pause_s = _POLL_S
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _POLL_S_MAX)
