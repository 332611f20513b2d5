"""What happens when a stream is opened for writing: the end of the log is found again.

Only the last batch of the last segment can be torn, because a batch is written only after the one before is
synced. So a bad frame is a torn tail if nothing of a later batch stands behind it, and is cut off: nobody was
told that it was accepted. Anything else is damage, and refused with file and offset.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import msgspec

from belfry.storage.log.files import Files, write_all
from belfry.storage.log.frames import BadFrame, later_batch_begins, walk
from belfry.storage.log.model import LogDamaged
from belfry.storage.log.segment import (
    HEADER_BYTES,
    Segment,
    SegmentHeader,
    list_segments,
    read_header,
    remove_unfinished,
    segment_path,
)


class Tail(msgspec.Struct, frozen=True):
    """The end of a segment.

    position    the last entry of the last whole batch
    batch_start where that batch begins
    end         the byte behind it
    """

    position: int
    batch_start: int
    end: int


class Recovered(msgspec.Struct, frozen=True):
    """The last segment, ready to go on, and what was cut off its end."""

    segment: Segment
    position: int
    cut_bytes: int


def recover(files: Files, folder: Path) -> Recovered | None:
    """Find the end of the stream in `folder`, cut a torn tail off, and make sure that the rest is on disk.

    None if there is no segment yet. Raises LogDamaged, OSError.
    """
    remove_unfinished(files, folder)
    firsts = list_segments(files, folder)
    if not firsts:
        return None
    path = segment_path(folder, firsts[-1])
    fd = files.open(path, os.O_RDWR)
    try:
        header = read_header(files, fd, path)
        size = files.size(fd)
        tail = find_tail(files, fd, header, size, path)
        _settle(files, fd, tail, size)
        # A crash may have come between giving the segment its name and syncing the name.
        files.sync_folder(folder)
    except (LogDamaged, OSError):
        files.close(fd)
        raise
    return Recovered(Segment(files, fd, header, tail.end), tail.position, size - tail.end)


def find_tail(files: Files, fd: int, header: SegmentHeader, size: int, path: Path) -> Tail:
    """Walk a segment to the end of its last whole batch. Raises LogDamaged if a later batch follows a bad frame."""
    read = partial(files.read_at, fd)
    tail = Tail(header.first - 1, HEADER_BYTES, HEADER_BYTES)
    seen, batch_start = tail.position, HEADER_BYTES
    try:
        for frame in walk(read, HEADER_BYTES, size, header.salt):
            if frame.position != seen + 1:
                raise BadFrame(frame.start, f"entry {frame.position} stands where entry {seen + 1} belongs")
            seen = frame.position
            if frame.index == 0:
                batch_start = frame.start
            if frame.left == 0:
                tail = Tail(seen, batch_start, frame.end)
    except BadFrame as bad:
        if later_batch_begins(read, bad.offset, size, header.salt, seen + 1):
            raise LogDamaged(str(path), bad.offset, f"{bad.why}, and good entries follow") from bad
    return tail


def _settle(files: Files, fd: int, tail: Tail, size: int) -> None:
    """Cut the torn tail off and put the last batch on disk.

    The process may have died between writing that batch and a successful fsync. It is written once more:
    after an fsync that failed the kernel takes the pages for clean, and syncing them again would do nothing.
    """
    if size > tail.end:
        files.truncate(fd, tail.end)
    if tail.end > tail.batch_start:
        batch = files.read_at(fd, tail.end - tail.batch_start, tail.batch_start)
        write_all(files, fd, [batch], tail.batch_start)
    files.sync(fd)
