"""What a log is, whichever engine keeps it."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

import msgspec

from belfry.errors import BelfryError
from belfry.ids import AccountId


class LogBusy(BelfryError):
    """Too many bytes wait for the disk; nothing of this entry was kept. Come back in a second."""


class LogUnavailable(BelfryError):
    """The log cannot be written now (disk full, read-only, I/O error); nothing of this entry was kept."""


class LogDropped(LogUnavailable):
    """The entries asked for are older than the retention and gone. Read on from `oldest - 1`."""

    def __init__(self, text: str, *, oldest: int) -> None:
        super().__init__(text)
        self.oldest = oldest


class LogDamaged(LogUnavailable):
    """Bytes that were once on disk are not what was written. Never skipped: somebody has to decide.

    file, offset    where the first bad byte range begins
    """

    def __init__(self, file: str, offset: int, why: str) -> None:
        super().__init__(f"the log is damaged: {file} at byte {offset}: {why}; restore this file from a backup")
        self.file = file
        self.offset = offset


class LogLocked(BelfryError):
    """Another process writes this stream. Stop it first, or use another data folder."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One accepted request.

    kind            what the body is: `upload`, `command`
    received_at_ms  when the edge took it, epoch milliseconds: records without a time of their own get this one
    meta            small facts that the edge found out and a replay must not ask again (refused records, partner,
                    passcode id, the answer to repeat for an Idempotency-Key); values of JSON types.
                    `idempotency_key`, with `answer` (text), `status` (default 200) and `body_hash` (default:
                    `hash_of(body)`), is what the idempotency index remembers
    body            the bytes as they came, after decompression
    """

    account_id: AccountId
    kind: str
    received_at_ms: int
    request_id: str
    meta: dict[str, Any]
    body: bytes


class Stored(msgspec.Struct, frozen=True, gc=False):
    """An entry in its place. Positions begin at 1 and grow by 1 within a stream."""

    position: int
    entry: Entry


class LogReader(Protocol):
    """Reads one stream in order; only entries that are surely on disk."""

    def read(self, after: int, *, bytes_max: int, entries_max: int = 10_000) -> Sequence[Stored]:
        """Entries that follow position `after`, in order, at least one if there is any.

        bytes_max counts entries as they are on disk. Good entries before a damaged one are still given.
        Raises LogDropped if entries after `after` were dropped by retention, LogDamaged, or LogUnavailable
        if the disk cannot be read now.
        """
        ...

    def first(self) -> int:
        """The position of the oldest entry that is kept; `end() + 1` if there is none."""
        ...

    def end(self) -> int:
        """The position of the last durable entry; 0 for an empty log."""
        ...


class Log(LogReader, Protocol):
    """The writing side of one stream. One writer at a time; a second is refused when it opens."""

    def append(self, entry: Entry) -> Awaitable[int]:
        """Keep the entry; the awaitable gives its position once it is on disk.

        Entries that wait together share one fsync. Raises LogBusy, LogUnavailable (from the call or the
        awaitable): then nothing of the entry is in the log, now or after a restart. Call it on an event loop.
        """
        ...

    def drop(self, *, applied: int, older_than_ms: int) -> int:
        """Drop whole files whose entries are all at or before `applied` and older; the number dropped.

        older_than_ms   epoch milliseconds: only entries appended before this moment go
        """
        ...

    def close(self) -> None:
        """Write what waits, then stop taking entries."""
        ...
