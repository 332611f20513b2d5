"""One file of the log: its name, its header, and appending to it.

A segment is named after the first position that it may hold. It gets its name only when its header is on
disk, so a file with a name is never torn at its front. A new segment is also the end mark of the one before:
`previous_last` says where that ended, and whatever its file holds behind that never happened.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from belfry.storage.log.files import Buffer, Files, write_all
from belfry.storage.log.frames import PREFIX_BYTES
from belfry.storage.log.model import LogDamaged

_MAGIC = b"BFLOG001"
_RECORD = struct.Struct("<8sQQQI")
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _RECORD.size + _CHECKSUM.size
_NAME = re.compile(r"([0-9]{20})\.log")
_UNFINISHED = ".new"


class SegmentHeader(msgspec.Struct, frozen=True, gc=False):
    """What a segment says about itself.

    first           position of its first entry
    previous_last   the last entry before it; below `first - 1` only if acknowledged entries were lost in between
    created_at_ms   epoch milliseconds; every entry of the segment before was appended earlier
    salt            of the stream, see `frames`
    """

    first: int
    previous_last: int
    created_at_ms: int
    salt: int


class Segment:
    """The file that is being appended to. Everything before `end` is on disk."""

    def __init__(self, files: Files, fd: int, header: SegmentHeader, end: int) -> None:
        self._files = files
        self._fd = fd
        self.header = header
        self.end = end

    def append(self, buffers: Sequence[Buffer]) -> None:
        """Write the buffers and wait for the disk. After an OSError call `cut_back` and never this again."""
        end = write_all(self._files, self._fd, buffers, self.end)
        self._files.sync(self._fd)
        self.end = end

    def cut_back(self) -> None:
        """Take away what was written behind `end`, or at least make it no batch. Raises OSError if neither works."""
        try:
            self._files.truncate(self._fd, self.end)
        except OSError:
            write_all(self._files, self._fd, [bytes(PREFIX_BYTES)], self.end)
        self._files.sync(self._fd)

    def close(self) -> None:
        self._files.close(self._fd)


def segment_path(folder: Path, first: int) -> Path:
    return folder / f"{first:020d}.log"


def list_segments(files: Files, folder: Path) -> list[int]:
    """The first positions of the folder's segments, ascending."""
    return sorted(int(found[1]) for name in files.names(folder) if (found := _NAME.fullmatch(name)))


def remove_unfinished(files: Files, folder: Path) -> None:
    """Remove segments that a crash left without a name."""
    for name in files.names(folder):
        if name.endswith(_UNFINISHED):
            files.remove(folder / name)


def create_segment(files: Files, folder: Path, header: SegmentHeader) -> Segment:
    """A new, empty segment that is on disk with its name when this returns.

    Always a new file, also if one of this name exists (its first batch failed): what the kernel keeps of a
    file whose fsync failed cannot be trusted.
    """
    path = segment_path(folder, header.first)
    unfinished = path.with_suffix(_UNFINISHED)
    fd = files.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(files, fd, [_pack(header)], 0)
        files.sync(fd)
        files.rename(unfinished, path)
        files.sync_folder(folder)
    except OSError:
        files.close(fd)
        with contextlib.suppress(OSError):
            files.remove(unfinished)
        raise
    return Segment(files, fd, header, HEADER_BYTES)


def read_header(files: Files, fd: int, path: Path) -> SegmentHeader:
    """The header of an open segment. Raises LogDamaged."""
    data = files.read_at(fd, HEADER_BYTES, 0)
    if len(data) < HEADER_BYTES or not data.startswith(_MAGIC):
        raise LogDamaged(str(path), 0, "this is not the header of a log segment")
    (checksum,) = _CHECKSUM.unpack_from(data, _RECORD.size)
    header = SegmentHeader(*_RECORD.unpack_from(data)[1:])
    if checksum != zlib.crc32(data[: _RECORD.size]) or segment_path(path.parent, header.first) != path:
        raise LogDamaged(str(path), 0, "the checksum of the segment header does not match")
    return header


def header_of(files: Files, folder: Path, first: int) -> SegmentHeader:
    """The header of the segment with this name. Raises OSError (FileNotFoundError), LogDamaged."""
    path = segment_path(folder, first)
    fd = files.open(path, os.O_RDONLY)
    try:
        return read_header(files, fd, path)
    finally:
        files.close(fd)


def _pack(header: SegmentHeader) -> bytes:
    record = _RECORD.pack(_MAGIC, header.first, header.previous_last, header.created_at_ms, header.salt)
    return record + _CHECKSUM.pack(zlib.crc32(record))
