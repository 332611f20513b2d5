"""Parts on disk. Places are made of our own ids only: `<folder>/<upload id>/<part>`."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import shutil
from collections.abc import Generator, Sequence
from pathlib import Path

from belfry.errors import Conflict, InternalError, TooLarge, Unavailable
from belfry.uploads.model import Part
from belfry.uploads.rules import Piece

READ_BYTES = 1024 * 1024
SPACE_CHECK_EVERY_BYTES = 32 * 1024 * 1024
_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")


class UploadFiles:
    """The folder of all uploads.

    bytes_max       of one upload
    free_bytes_min  disk space that uploads leave alone
    """

    def __init__(self, folder: Path, *, bytes_max: int, free_bytes_min: int) -> None:
        self._folder = folder
        self.bytes_max = bytes_max
        self._free_bytes_min = free_bytes_min

    def receive(self, upload_id: str, part: int, nonce: str, piece: Piece | None) -> Incoming:
        """Begin to take a part, or a piece of it. Raises Conflict if the piece does not follow what is there."""
        folder = self._place(upload_id)
        folder.mkdir(parents=True, exist_ok=True)
        whole = folder / str(part)
        if piece is None:
            return Incoming(self, whole, folder / f"{part}.{nonce}.whole", None)
        incoming = Incoming(self, whole, folder / f"{part}.pieces", piece)
        held = self.held(upload_id, part)
        if piece.start != held:
            incoming.abandon()
            raise Conflict(
                f"Content-Range begins at {piece.start}, the next byte needed is {held}",
                field="Content-Range",
                limit=held,
                headers={"Range": range_text(held)} if held else {},
            )
        return incoming

    def held(self, upload_id: str, part: int) -> int:
        """Bytes of a part in pieces that are there."""
        path = self._place(upload_id) / f"{part}.pieces"
        return path.stat().st_size if path.exists() else 0

    def read(self, upload_id: str, parts: Sequence[Part]) -> io.BufferedReader:
        """The parts as one stream of bytes, in order."""
        return io.BufferedReader(_Joined([self._place(upload_id) / str(part.part) for part in parts]), READ_BYTES)

    def remove(self, upload_id: str) -> None:
        """Drop everything of an upload; what is gone already does no harm."""
        shutil.rmtree(self._place(upload_id), ignore_errors=True)

    def check_space(self, more_bytes: int) -> None:
        """Raises Unavailable if so much more would leave too little disk."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._folder).free - more_bytes < self._free_bytes_min:
            raise Unavailable("There is not enough disk space for this upload now", retry_after_s=60)

    def check_size(self, bytes_count: int) -> None:
        """Raises TooLarge."""
        if bytes_count > self.bytes_max:
            raise TooLarge(
                f"An upload has at most {self.bytes_max} bytes, got {bytes_count}", field="body", limit=self.bytes_max
            )

    def _place(self, upload_id: str) -> Path:
        if not _UPLOAD_ID.fullmatch(upload_id):
            raise InternalError(f"{upload_id!r} is not an id of an upload")
        return self._folder / upload_id


class Incoming:
    """One request's bytes on their way to disk; used by one thread at a time."""

    def __init__(self, files: UploadFiles, whole: Path, path: Path, piece: Piece | None) -> None:
        self._files = files
        self._whole = whole
        self._path = path
        self._piece = piece
        self._start = 0 if piece is None else piece.start
        self._size = self._start
        self._checked_at = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._file = path.open("ab" if piece is not None else "wb")
        if piece is not None:
            self._lock()

    def _lock(self) -> None:
        """Pieces follow each other: two requests that append at once would make a file that nobody sent."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise Conflict("another request is sending a piece of this part", field="Content-Range") from None

    def write(self, chunk: bytes) -> None:
        """Append bytes. Raises TooLarge, Unavailable (disk), Conflict (more than the piece announced)."""
        self._size += len(chunk)
        self._files.check_size(self._size)
        if self._piece is not None and self._size > self._piece.end + 1:
            raise Conflict("the body is longer than its Content-Range", field="Content-Range")
        if self._size - self._checked_at >= SPACE_CHECK_EVERY_BYTES:
            self._files.check_space(0)
            self._checked_at = self._size
        self._file.write(chunk)
        self._md5.update(chunk)

    def finish(self, part: int) -> Part | None:
        """Have it on disk when this returns: the part, now whole and in its place; None: more pieces are to come."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        piece = self._piece
        if piece is not None and (self._size != piece.end + 1 or not piece.is_last):
            return None
        etag = self._md5.hexdigest() if self._start == 0 else md5_of(self._path)
        self._path.replace(self._whole)
        folder = os.open(self._whole.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return Part(part, self._size, etag)

    @property
    def size(self) -> int:
        """Bytes that are there, earlier pieces included."""
        return self._size

    def abandon(self) -> None:
        """Stop half-way: what came of a piece stays, to be continued; what came of a whole part is dropped."""
        self._file.close()
        if self._piece is None:
            self._path.unlink(missing_ok=True)
        elif self._size > self._piece.end + 1:
            os.truncate(self._path, self._start)


class _Joined(io.RawIOBase):
    """Files read one after the other."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._chunks = _chunks(paths)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = next(self._chunks, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._chunks.close()
        super().close()


def _chunks(paths: Sequence[Path]) -> Generator[bytes, None, None]:
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(READ_BYTES):
                yield chunk


def md5_of(path: Path) -> str:
    """The MD5 of a file's bytes, in hex."""
    md5 = hashlib.md5(usedforsecurity=False)
    for chunk in _chunks([path]):
        md5.update(chunk)
    return md5.hexdigest()


def range_text(held: int) -> str:
    """The header `Range` for what is there."""
    return f"bytes=0-{held - 1}"
