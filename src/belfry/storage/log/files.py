"""The few things that the log asks of a file system, in one object that a test can replace.

Tests put a layer here that forgets what was not synced, fails, stalls or writes half (`tests/support`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

Buffer = bytes | memoryview

BUFFERS_MAX = 1024
"""Most buffers in one vectored write: the kernel's IOV_MAX."""

FOLDERS_SYNCED = 3
"""Folders above a stream's whose entries are ours: all streams', the data folder, and where that lies."""


class Files:
    """Files of the operating system. Every method raises OSError; descriptors are not inherited by children."""

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, in no order; none if the folder does not exist."""
        try:
            return os.listdir(folder)  # noqa: PTH208 - names are wanted, and this is the file layer
        except FileNotFoundError:
            return []

    def make_folder(self, folder: Path) -> None:
        """Make the folder and those above it, and wait until their names are on disk.

        The names of folders that exist are synced too: another part may have made them a moment ago.
        """
        missing = sum(not above.exists() for above in folder.parents)
        folder.mkdir(parents=True, exist_ok=True)
        for above in folder.parents[: max(missing + 1, FOLDERS_SYNCED)]:
            # Not every folder far above may be opened; that one was not made by us.
            with contextlib.suppress(PermissionError):
                self.sync_folder(above)

    def open(self, path: Path, flags: int) -> int:
        return os.open(path, flags | os.O_CLOEXEC, 0o640)

    def close(self, fd: int) -> None:
        os.close(fd)

    def size(self, fd: int) -> int:
        return os.fstat(fd).st_size

    def read_at(self, fd: int, size: int, offset: int) -> bytes:
        """Up to `size` bytes; fewer only at the end of the file."""
        return os.pread(fd, size, offset)

    def write_at(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        """Write the buffers one after the other; how many bytes were taken, perhaps not all."""
        return os.pwritev(fd, buffers, offset)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        """Wait until content and size are on disk."""
        os.fdatasync(fd)

    def sync_folder(self, folder: Path) -> None:
        """Wait until the names in the folder are on disk."""
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name of the same folder, replacing what has it."""
        old.rename(new)

    def remove(self, path: Path) -> None:
        path.unlink()

    def free_bytes(self, folder: Path) -> int:
        """What an ordinary user may still write."""
        state = os.statvfs(folder)
        return state.f_bavail * state.f_frsize

    def lock(self, fd: int) -> bool:
        """Take the file's lock until the descriptor is closed or the process ends; False if another has it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def write_all(files: Files, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
    """Write every byte, however often the system takes only some; the offset behind the last one."""
    left = list(buffers)
    while left:
        taken = files.write_at(fd, left[:BUFFERS_MAX], offset)
        offset += taken
        left = _without(left, taken)
    return offset


def _without(buffers: list[Buffer], taken: int) -> list[Buffer]:
    """The buffers that remain after the first `taken` bytes."""
    index = 0
    while index < len(buffers) and taken >= len(buffers[index]):
        taken -= len(buffers[index])
        index += 1
    rest = buffers[index:]
    if taken:
        rest[0] = memoryview(rest[0])[taken:]
    return rest
