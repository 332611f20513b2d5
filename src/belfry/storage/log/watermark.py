"""How far the log is surely on disk, for readers in other processes.

Why readers need it: bytes can be read back as soon as they are written, long before they are on disk. A
consumer that runs ahead of the disk applies an entry, the power goes, the entry is gone from the log, its
position is given to another entry, and that one the consumer skips: lost although acknowledged. So the writer
publishes a position after each fsync, and readers stop there.

The file itself is not synced: it only ever says what was true, so an old one is merely modest. A plain
write rather than a mapped page: on a disk that fails or turns read-only a write returns an error, a store into a
mapped page ends the process.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import msgspec

from belfry.storage.log.files import Files, write_all

NAME = "watermark"
_MAGIC = b"BFMARK01"
_RECORD = struct.Struct("<8sQQQ")
_CHECKSUM = struct.Struct("<I")
_RECORD_BYTES = _RECORD.size + _CHECKSUM.size
_READ_TRIES = 8


class Watermark(msgspec.Struct, frozen=True, gc=False):
    """The last durable entry and where it ends.

    position    of the entry; 0: none yet
    segment     first position of the file that holds it (the file's name)
    offset      byte behind it in that file
    """

    position: int
    segment: int
    offset: int


class WatermarkFile:
    """The writer's side."""

    def __init__(self, files: Files, folder: Path) -> None:
        """Open the folder's watermark; a new one is on disk when this returns."""
        self._files = files
        known = NAME in files.names(folder)
        self._fd = files.open(folder / NAME, os.O_RDWR | os.O_CREAT)
        if not known:
            self.publish(Watermark(0, 0, 0))
            files.sync(self._fd)
            files.sync_folder(folder)

    def read(self) -> Watermark | None:
        return read_watermark(self._files, self._fd)

    def publish(self, mark: Watermark) -> None:
        """Let readers go this far. Call it only when everything up to there is synced."""
        record = _RECORD.pack(_MAGIC, mark.position, mark.segment, mark.offset)
        write_all(self._files, self._fd, [record + _CHECKSUM.pack(zlib.crc32(record))], 0)

    def close(self) -> None:
        self._files.close(self._fd)


def read_watermark(files: Files, fd: int) -> Watermark | None:
    """What the file says; None if it says nothing that can be trusted.

    Reading may meet the writer half-way through its 36 bytes: then the checksum fails and the next try is good.
    """
    for _ in range(_READ_TRIES):
        data = files.read_at(fd, _RECORD_BYTES, 0)
        if len(data) == _RECORD_BYTES and data.startswith(_MAGIC):
            (checksum,) = _CHECKSUM.unpack_from(data, _RECORD.size)
            if checksum == zlib.crc32(data[: _RECORD.size]):
                return Watermark(*_RECORD.unpack_from(data)[1:])
    return None
