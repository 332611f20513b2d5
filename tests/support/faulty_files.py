"""File layers for the log's trials: one that fails on request, one that forgets what was not synced.

Both work on real files; only the answers, and what survives, are changed.
"""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from belfry.storage.log.files import Buffer, Files

TIMEOUT_S = 30


class FailingFiles(Files):
    """Files of a disk that fails while a test says so.

    `failing(EIO, "sync")` makes the named operations raise; a `write_at` that is to fail takes half of the bytes
    first. `stalled()` holds every sync until it is left.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.free = 1 << 40
        self._code = 0
        self._operations: frozenset[str] = frozenset()
        self._moving = threading.Event()
        self._moving.set()
        self.reached_stall = threading.Event()

    @contextmanager
    def failing(self, code: int, *operations: str) -> Iterator[None]:
        self._code, self._operations = code, frozenset(operations)
        try:
            yield
        finally:
            self._operations = frozenset()

    @contextmanager
    def stalled(self) -> Iterator[None]:
        self.reached_stall.clear()
        self._moving.clear()
        try:
            yield
        finally:
            self._moving.set()

    def write_at(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        if "write_at" in self._operations:
            whole = b"".join(buffers)
            super().write_at(fd, [whole[: len(whole) // 2]], offset)
        self._meet("write_at")
        return super().write_at(fd, buffers, offset)

    def sync(self, fd: int) -> None:
        self._meet("sync")
        if not self._moving.is_set():
            self.reached_stall.set()
            assert self._moving.wait(TIMEOUT_S)
        super().sync(fd)

    def sync_folder(self, folder: Path) -> None:
        self._meet("sync_folder")
        super().sync_folder(folder)

    def truncate(self, fd: int, size: int) -> None:
        self._meet("truncate")
        super().truncate(fd, size)

    def open(self, path: Path, flags: int) -> int:
        if flags & os.O_CREAT:
            self._meet("create")
        return super().open(path, flags)

    def rename(self, old: Path, new: Path) -> None:
        self._meet("rename")
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        self._meet("remove")
        super().remove(path)

    def free_bytes(self, folder: Path) -> int:
        return self.free

    def _meet(self, operation: str) -> None:
        if operation in self._operations:
            self.failures += 1
            raise OSError(self._code, os.strerror(self._code))


READ_ONLY = ("write_at", "sync", "truncate", "create", "rename", "remove")


class _Content:
    """One file: what is surely on disk, and what was done since."""

    def __init__(self, durable: bytes = b"") -> None:
        self.durable = bytearray(durable)
        self.pending: list[tuple[int, bytes | None]] = []


class ForgetfulFiles(Files):
    """Files of a machine that dies at its `changes_left`-th change: the process is killed, or the power goes.

    From then on nothing can be written. After a kill, `revive` lets the next process go on with what the system
    still holds, synced or not. After a power cut, `write_survivors` makes what a disk may hold: everything that was
    synced, and of what was not each write whole, in part, or not at all, in any order; names likewise, in order.
    """

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.is_dead = True
        self._folder = folder
        self._chance = chance
        self._changes_left = 0
        self._guard = threading.RLock()
        self._now: dict[Path, _Content] = {path: _Content(path.read_bytes()) for path in folder.glob("*")}
        self._durable_names = dict(self._now)
        self._name_changes: list[Callable[[dict[Path, _Content]], None]] = []
        self._by_fd: dict[int, _Content] = {}

    def revive(self, changes_left: int) -> None:
        self.is_dead = False
        self._changes_left = changes_left

    def write_survivors(self, folder: Path) -> None:
        """Make a folder with what survives that the power goes now."""
        folder.mkdir(parents=True)
        names = dict(self._durable_names)
        for change in self._name_changes[: self._chance.randint(0, len(self._name_changes))]:
            change(names)
        for path, content in names.items():
            (folder / path.name).write_bytes(self._what_survives(content))

    def open(self, path: Path, flags: int) -> int:
        with self._guard:
            if flags & os.O_CREAT and (path not in self._now or flags & os.O_TRUNC):
                self._change()
            fd = super().open(path, flags)
            if path not in self._now:
                self._name_now(path, _Content())
            if flags & os.O_TRUNC:
                self._now[path].pending.append((0, None))
            self._by_fd[fd] = self._now[path]
            return fd

    def write_at(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        with self._guard:
            data = b"".join(buffers)
            try:
                self._change()
            except Death:
                self._write(fd, data[: self._chance.randint(0, len(data))], offset)
                raise
            return self._write(fd, data, offset)

    def truncate(self, fd: int, size: int) -> None:
        with self._guard:
            self._change()
            self._by_fd[fd].pending.append((size, None))
            super().truncate(fd, size)

    def sync(self, fd: int) -> None:
        with self._guard:
            self._change()
            content = self._by_fd[fd]
            for operation in content.pending:
                _apply(content.durable, operation)
            content.pending.clear()

    def sync_folder(self, folder: Path) -> None:
        with self._guard:
            self._change()
            if folder == self._folder:
                self._durable_names = dict(self._now)
                self._name_changes.clear()

    def rename(self, old: Path, new: Path) -> None:
        with self._guard:
            self._change()
            super().rename(old, new)
            content = self._now[old]
            self._unname_now(old)
            self._name_now(new, content)

    def remove(self, path: Path) -> None:
        with self._guard:
            self._change()
            super().remove(path)
            self._unname_now(path)

    def _write(self, fd: int, data: bytes, offset: int) -> int:
        self._by_fd[fd].pending.append((offset, data))
        return super().write_at(fd, [data], offset)

    def _name_now(self, path: Path, content: _Content) -> None:
        self._now[path] = content
        self._name_changes.append(lambda names: names.__setitem__(path, content))

    def _unname_now(self, path: Path) -> None:
        del self._now[path]
        self._name_changes.append(lambda names: names.__delitem__(path))

    def _change(self) -> None:
        """Every change passes here first: perhaps it is the one at which the machine dies."""
        if self.is_dead:
            raise OSError(errno.EIO, "the machine is dead")
        self._changes_left -= 1
        if self._changes_left <= 0:
            self.is_dead = True
            raise Death

    def _what_survives(self, content: _Content) -> bytes:
        data = bytearray(content.durable)
        for offset, written in content.pending:
            fate = self._chance.choice(("none", "whole", "part"))
            if fate == "whole" or (fate == "part" and written is None):
                _apply(data, (offset, written))
            elif fate == "part" and written is not None:
                begin, end = sorted(self._chance.randint(0, len(written)) for _ in range(2))
                _apply(data, (offset + begin, written[begin:end]))
        return bytes(data)


class Death(OSError):
    """The change at which the machine died; it may have been done in part."""


def _apply(data: bytearray, operation: tuple[int, bytes | None]) -> None:
    """Carry out one write at an offset, or (None) one truncation to it."""
    offset, written = operation
    if written is None:
        del data[offset:]
    elif written:
        data.extend(bytes(max(0, offset - len(data))))
        data[offset : offset + len(written)] = written
