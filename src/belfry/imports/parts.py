"""The files of imports: parts as they came in, read as one; and the rows that were refused.

`<data folder>/imports/<account>/<import>/`: every name in it is ours (an account's id, hex digits, numbers), so that
nothing that somebody sends can name a place outside (trial S15).
"""

from __future__ import annotations

import bisect
import contextlib
import io
import itertools
import os
import re
import shutil
from pathlib import Path
from typing import BinaryIO

from belfry.errors import BadRequest, Conflict, TooLarge, Unavailable
from belfry.ids import AccountId
from belfry.imports.model import FILE_BYTES_MAX, PART_BYTES_MAX, PARTS_MAX

_SAFE = re.compile(r"[A-Za-z0-9-]{1,64}")
_PART = re.compile(r"([0-9]{4})\.part")
REFUSED_FILE = "refused.jsonl"
SEEN_FILE = "seen.db"
READ_BYTES = 256 * 1024


class ImportFolder:
    """The files of one import. Several threads may use it."""

    def __init__(self, root: Path, account_id: AccountId, import_id: str) -> None:
        if not (_SAFE.fullmatch(account_id) and _SAFE.fullmatch(import_id)):
            raise ValueError(f"no folder for the import {import_id!r} of the account {account_id!r}")
        self.path = root / account_id / import_id

    def put(self, number: int, data: bytes) -> tuple[int, int]:
        """Have a part on disk when this returns; again replaces it. The number of parts, and their bytes.

        Raises BadRequest for an empty part or a number out of range, TooLarge, Unavailable if the disk refuses.
        """
        if not 0 <= number < PARTS_MAX:
            raise BadRequest(f"part needs to be 0 to {PARTS_MAX - 1}, got {number}", field="part", limit=PARTS_MAX)
        if not data:
            raise BadRequest("The part is empty", field="body")
        if len(data) > PART_BYTES_MAX:
            raise TooLarge(
                f"A part has {len(data)} bytes, at most {PART_BYTES_MAX}", field="body", limit=PART_BYTES_MAX
            )
        others = sum(size for other, size in self.sizes().items() if other != number)
        if others + len(data) > FILE_BYTES_MAX:
            raise TooLarge(f"The file has more than {FILE_BYTES_MAX} bytes", field="body", limit=FILE_BYTES_MAX)
        try:
            self._write(f"{number:04d}.part", data)
        except OSError as error:
            raise Unavailable(f"The part cannot be kept: {error.strerror}", retry_after_s=5) from error
        sizes = self.sizes()
        return len(sizes), sum(sizes.values())

    def sizes(self) -> dict[int, int]:
        """Number and bytes of every part that is here."""
        found = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self.path) as entries:
            for entry in entries:
                name = _PART.fullmatch(entry.name)
                if name is not None:
                    found[int(name[1])] = entry.stat(follow_symlinks=False).st_size
        return found

    def complete(self) -> int:
        """Bytes of the whole file. Raises Conflict if there is no part or one is missing between others."""
        sizes = self.sizes()
        missing = next((number for number in range(max(sizes, default=0) + 1) if number not in sizes), None)
        if missing is not None:
            raise Conflict(f"Part {missing} is missing", field="parts")
        return sum(sizes.values())

    def open(self) -> BinaryIO:
        """The parts as one file, at its beginning."""
        sizes = self.sizes()
        parts = _Parts([(self.path / f"{number:04d}.part", sizes[number]) for number in sorted(sizes)])
        return io.BufferedReader(parts, READ_BYTES)  # a read that ends at a part's end goes on in the next

    def append_refused(self, valid_bytes: int, lines: bytes) -> int:
        """Add lines behind the first `valid_bytes` of the file of refused rows; its bytes then, all on disk."""
        if not lines:
            return valid_bytes
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path / REFUSED_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            file.truncate(valid_bytes)  # what a crash left behind was never counted
            file.seek(valid_bytes)
            file.write(lines)
            file.flush()
            os.fsync(descriptor)
        return valid_bytes + len(lines)

    def refused(self, offset: int, valid_bytes: int, lines_max: int) -> tuple[list[bytes], int]:
        """Lines of refused rows from a byte on, at most `lines_max`, and where the next ones begin."""
        try:
            file = (self.path / REFUSED_FILE).open("rb")
        except FileNotFoundError:
            return [], offset
        with file:
            file.seek(offset)
            lines = []
            for line in itertools.islice(file, lines_max):
                if offset + len(line) > valid_bytes:
                    break
                lines.append(line)
                offset += len(line)
        return lines, offset

    def drop_parts(self) -> None:
        """Delete the file itself; what was refused stays."""
        for number in self.sizes():
            (self.path / f"{number:04d}.part").unlink(missing_ok=True)
        (self.path / SEEN_FILE).unlink(missing_ok=True)

    def drop(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _write(self, name: str, data: bytes) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        fresh = self.path / f"{name}.{os.getpid()}.new"
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path / name)
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class _Parts(io.RawIOBase):
    """Files one after another, read as one. Parquet needs to seek; only one of them is open at a time."""

    def __init__(self, parts: list[tuple[Path, int]]) -> None:
        super().__init__()
        self._paths = [path for path, _ in parts]
        self._starts = list(itertools.accumulate((size for _, size in parts), initial=0))
        self._at = 0
        self._open: tuple[int, BinaryIO] | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._starts[-1]}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        if self._at >= self._starts[-1]:
            return 0
        number = bisect.bisect_right(self._starts, self._at) - 1
        file = self._file(number)
        file.seek(self._at - self._starts[number])
        data = file.read(min(len(buffer), self._starts[number + 1] - self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None
        super().close()

    def _file(self, number: int) -> BinaryIO:
        if self._open is None or self._open[0] != number:
            if self._open is not None:
                self._open[1].close()
            self._open = (number, self._paths[number].open("rb"))
        return self._open[1]
