"""Reading one stream of the embedded log, from any process, while it is written and dropped.

The reader keeps its file and offset, so following the end costs two system calls. It stops at the watermark
(see there why) and checks every byte that it gives.
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import structlog

from belfry.storage.log.files import Files
from belfry.storage.log.frames import CHUNK_BYTES, BadFrame, Frame, decode, walk
from belfry.storage.log.model import LogDamaged, LogDropped, LogUnavailable, Stored
from belfry.storage.log.segment import (
    HEADER_BYTES,
    SegmentHeader,
    header_of,
    list_segments,
    read_header,
    segment_path,
)
from belfry.storage.log.watermark import NAME as WATERMARK_NAME
from belfry.storage.log.watermark import Watermark, read_watermark

_logger = structlog.get_logger(__name__)
_NOTHING = Watermark(0, 0, 0)


class _Place(msgspec.Struct):
    """Where the reader stands: behind entry `position`, at `offset` of an open segment.

    last    the segment's last entry, once a later segment says so
    """

    fd: int
    path: Path
    header: SegmentHeader
    position: int
    offset: int = HEADER_BYTES
    last: int | None = None


class FileLogReader:
    """One consumer's reader. For one thread at a time; opens files when first needed, so the log may come later."""

    def __init__(self, folder: Path, files: Files | None = None) -> None:
        self._folder = folder
        self._files = files or Files()
        self._mark_fd: int | None = None
        self._mark = _NOTHING
        self._place: _Place | None = None

    def end(self) -> int:
        """The position of the last durable entry; 0 for an empty log. Raises LogUnavailable."""
        try:
            return self._look().position
        except OSError as error:
            raise self._unreadable(error) from error

    def first(self) -> int:
        """The position of the oldest entry that is kept; `end() + 1` if there is none. Raises LogUnavailable."""
        try:
            firsts = list_segments(self._files, self._folder)
            return min([*firsts[:1], self._look().position + 1])
        except OSError as error:
            raise self._unreadable(error) from error

    def read(self, after: int, *, bytes_max: int, entries_max: int = 10_000) -> list[Stored]:
        """See `LogReader.read`."""
        found: list[Stored] = []
        try:
            self._read(found, after, bytes_max, entries_max)
        except FileNotFoundError as error:
            # Retention took the file between listing and opening it.
            problem: LogUnavailable = self._dropped(after)
            problem.__cause__ = error
        except OSError as error:
            problem = self._unreadable(error)
            problem.__cause__ = error
        except LogUnavailable as error:
            problem = error
        else:
            return found
        if not found:
            raise problem
        return found

    def close(self) -> None:
        self._leave()
        if self._mark_fd is not None:
            self._files.close(self._mark_fd)
            self._mark_fd = None

    def _read(self, found: list[Stored], after: int, bytes_max: int, entries_max: int) -> None:
        mark = self._look()
        if after >= mark.position:
            return
        place = self._place
        if place is None or place.position != after:
            place = self._seek(after, mark)
        room = bytes_max
        while place.position < mark.position and room > 0 and len(found) < entries_max:
            if self._is_read(place, mark):
                place = self._next(place)
                continue
            for frame in self._frames(place, mark, min(room, CHUNK_BYTES)):
                room -= frame.end - frame.start
                if found and room < 0:
                    return
                found.append(_decode(frame, place))
                place.position, place.offset = frame.position, frame.end
                if len(found) >= entries_max:
                    return

    def _seek(self, after: int, mark: Watermark) -> _Place:
        """Stand behind entry `after`: find its segment by name, then walk there.

        Behind the segment's last entry if `after` is one of those that the next segment declares lost.
        """
        self._leave()
        firsts = list_segments(self._files, self._folder)
        index = bisect.bisect_right(firsts, after + 1) - 1
        if index < 0:
            if not firsts or header_of(self._files, self._folder, firsts[0]).previous_last > after:
                raise self._dropped(after)
            index = 0
        place = self._enter(firsts[index])
        if place.position < after and not self._is_read(place, mark):
            for frame in self._frames(place, mark, CHUNK_BYTES):
                if frame.position > after:
                    break
                place.position, place.offset = frame.position, frame.end
        return place

    def _frames(self, place: _Place, mark: Watermark, chunk_bytes: int) -> Iterator[Frame]:
        """The durable frames of the place's segment from its offset on, in order.

        Raises LogDamaged where they stop being good, LogDropped if the segment was dropped and its end with it.
        """
        last = mark.position if place.last is None else place.last
        limit = mark.offset if place.last is None else self._files.size(place.fd)
        expected = place.position + 1
        try:
            for frame in walk(
                partial(self._files.read_at, place.fd), place.offset, limit, place.header.salt, chunk_bytes
            ):
                if frame.position != expected:
                    raise BadFrame(frame.start, f"entry {frame.position} stands where entry {expected} belongs")
                yield frame
                if frame.position == last:
                    return
                expected += 1
            raise BadFrame(limit, f"the file ends before entry {expected}")
        except BadFrame as bad:
            if place.header.first not in list_segments(self._files, self._folder):
                raise self._dropped(expected - 1) from bad
            raise LogDamaged(str(place.path), bad.offset, bad.why) from bad

    def _is_read(self, place: _Place, mark: Watermark) -> bool:
        """Whether the place's segment has no more entries, because a later one has begun."""
        if place.last is None and place.header.first != mark.segment:
            following = self._following(place)
            place.last = header_of(self._files, self._folder, following).previous_last
        return place.last is not None and place.position >= place.last

    def _next(self, place: _Place) -> _Place:
        """Go to the segment after this one; over a gap of lost entries only if that segment declares it."""
        following = self._following(place)
        position = place.position
        entered = self._enter(following)
        if entered.header.previous_last > position:
            raise self._dropped(position)
        if entered.position > position:
            _logger.error("log.gap_of_lost_entries", first=position + 1, last=entered.position)
        return entered

    def _following(self, place: _Place) -> int:
        firsts = list_segments(self._files, self._folder)
        index = bisect.bisect_right(firsts, place.header.first)
        if index == len(firsts):
            raise LogDamaged(str(place.path), place.offset, "the segment after this one is missing")
        return firsts[index]

    def _enter(self, first: int) -> _Place:
        self._leave()
        path = segment_path(self._folder, first)
        fd = self._files.open(path, os.O_RDONLY)
        try:
            header = read_header(self._files, fd, path)
        except (LogDamaged, OSError):
            self._files.close(fd)
            raise
        self._place = _Place(fd, path, header, first - 1)
        return self._place

    def _leave(self) -> None:
        if self._place is not None:
            self._files.close(self._place.fd)
            self._place = None

    def _look(self) -> Watermark:
        """The watermark now; the last good one known if it cannot be made out, none if no writer was ever here."""
        if self._mark_fd is None:
            if WATERMARK_NAME not in self._files.names(self._folder):
                return self._mark
            self._mark_fd = self._files.open(self._folder / WATERMARK_NAME, os.O_RDONLY)
        self._mark = read_watermark(self._files, self._mark_fd) or self._mark
        return self._mark

    def _unreadable(self, error: OSError) -> LogUnavailable:
        return LogUnavailable(f"the log in {self._folder} cannot be read: {error}")

    def _dropped(self, after: int) -> LogDropped:
        firsts = list_segments(self._files, self._folder)
        oldest = firsts[0] if firsts else self._mark.position + 1
        return LogDropped(
            f"the log's entries from {after + 1} on were dropped; the oldest that is kept is {oldest}", oldest=oldest
        )


def open_reader(folder: Path, stream: int = 0, *, files: Files | None = None) -> FileLogReader:
    """A reader of one stream; `folder` is that of all streams (`settings.path("log")`)."""
    return FileLogReader(folder / str(stream), files)


def _decode(frame: Frame, place: _Place) -> Stored:
    try:
        return decode(frame)
    except BadFrame as bad:
        raise LogDamaged(str(place.path), bad.offset, bad.why) from bad
