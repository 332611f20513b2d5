"""Entries for tests of the log, and short ways to put them in and get them out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from belfry.clock import Clock, ManualClock
from belfry.ids import AccountId, Ids, SequentialIds
from belfry.storage.log import Entry, FileLog, Log, LogReader, LogUnavailable
from belfry.storage.log.file_log import OnDurable
from belfry.storage.log.files import Files

NOON_MS = 1_795_608_000_000
ACCOUNT = AccountId("K7P-22M-9Q4Z")
BYTES_MAX = 1 << 30


def entry_of(body: bytes, *, at_ms: int = NOON_MS, **meta: Any) -> Entry:
    return Entry(ACCOUNT, "upload", at_ms, "request-1", meta, body)


def open_test_log(
    folder: Path,
    *,
    files: Files | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
    queue_bytes_max: int = 1 << 24,
    segment_bytes: int = 1 << 20,
    free_bytes_min: int = 0,
    on_durable: OnDurable | None = None,
    stall_s: float = 30.0,
) -> FileLog:
    return FileLog(
        folder,
        clock=clock or ManualClock(NOON_MS),
        ids=ids or SequentialIds(),
        queue_bytes_max=queue_bytes_max,
        segment_bytes=segment_bytes,
        free_bytes_min=free_bytes_min,
        on_durable=on_durable,
        files=files,
        stall_s=stall_s,
    )


async def append_each(log: Log, bodies: Iterable[bytes]) -> list[int]:
    """Append one after the other: each is a batch of its own."""
    return [await log.append(entry_of(body)) for body in bodies]


async def append_together(log: Log, bodies: Iterable[bytes]) -> list[int]:
    """Append all at once."""
    return list(await asyncio.gather(*(log.append(entry_of(body)) for body in bodies)))


async def outcome_of(log: Log, body: bytes) -> int | LogUnavailable:
    """The position of a new entry, or why there is none."""
    try:
        return await log.append(entry_of(body))
    except LogUnavailable as error:
        return error


def bodies_in(reader: LogReader, after: int = 0, bytes_max: int = BYTES_MAX) -> list[bytes]:
    """All bodies behind a position, read to the end."""
    found: list[bytes] = []
    while batch := reader.read(after, bytes_max=bytes_max):
        found.extend(stored.entry.body for stored in batch)
        assert_consecutive(after, [stored.position for stored in batch])
        after = batch[-1].position
    return found


def assert_consecutive(after: int, positions: Sequence[int]) -> None:
    assert list(positions) == list(range(after + 1, after + 1 + len(positions)))
