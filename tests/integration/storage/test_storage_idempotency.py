"""The idempotency index: who repeats a request finds the first answer, whatever happened in between."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from belfry.clock import ManualClock
from belfry.ids import AccountId
from belfry.storage.log import Entry, FileLog, IdempotencyIndex, LogUnavailable, Remembered, Stored, hash_of
from belfry.storage.log import idempotency as module
from support.log_entries import ACCOUNT, NOON_MS, append_each, entry_of, open_test_log

HOUR_MS = 3_600_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log" / "0" / "idempotency.db"


@pytest.fixture
def open_index(file: Path, clock: ManualClock) -> Iterator[Callable[[], IdempotencyIndex]]:
    opened: list[IdempotencyIndex] = []

    def open_one() -> IdempotencyIndex:
        opened.append(IdempotencyIndex(file, hours=24, clock=clock))
        return opened[-1]

    yield open_one
    for index in opened:
        index.close()


@pytest.fixture
def index(open_index: Callable[[], IdempotencyIndex]) -> IdempotencyIndex:
    return open_index()


def keyed(key: str, *, at_ms: int = NOON_MS, body: bytes = b"body", **meta: object) -> Entry:
    return entry_of(body, at_ms=at_ms, idempotency_key=key, **{"answer": f"answer to {key}", **meta})


def log_with(tmp_path: Path, index: IdempotencyIndex, clock: ManualClock) -> FileLog:
    return open_test_log(tmp_path / "log", on_durable=index.on_durable, clock=clock, segment_bytes=2_000)


def answer_to(index: IdempotencyIndex, key: str) -> bytes | None:
    remembered = index.lookup(ACCOUNT, key)
    return None if remembered is None else remembered.answer


async def test_whoever_has_an_answer_finds_it_again_at_once_and_later(
    tmp_path: Path, index: IdempotencyIndex, clock: ManualClock
) -> None:
    log = log_with(tmp_path, index, clock)
    for number in range(50):
        await log.append(keyed(f"key-{number}", body=b"x", status=200))
        expected = Remembered(hash_of(b"x"), 200, f"answer to key-{number}".encode(), NOON_MS)
        assert index.lookup(ACCOUNT, f"key-{number}") == expected
    index.flush()
    assert all(answer_to(index, f"key-{number}") == f"answer to key-{number}".encode() for number in range(50))
    log.close()


def test_what_is_given_with_the_entry_wins_over_what_is_computed(index: IdempotencyIndex) -> None:
    index.on_durable([Stored(1, keyed("k", body_hash="ab" * 16, status=202))])
    assert index.lookup(ACCOUNT, "k") == Remembered("ab" * 16, 202, b"answer to k", NOON_MS)


def test_a_key_is_its_account_s_own(index: IdempotencyIndex) -> None:
    index.on_durable([Stored(1, keyed("shared"))])
    for _ in range(2):
        assert index.lookup(AccountId("OTHER"), "shared") is None
        assert answer_to(index, "shared") is not None
        index.flush()


def test_entries_without_a_key_are_not_remembered(index: IdempotencyIndex) -> None:
    index.on_durable([Stored(1, entry_of(b"plain")), Stored(2, entry_of(b"no answer", idempotency_key="k"))])
    index.flush()
    assert index.lookup(ACCOUNT, "k") is None


@pytest.mark.parametrize("is_flushed", [False, True], ids=["in memory", "in the file"])
def test_an_answer_is_repeated_for_a_day_and_then_forgotten(
    index: IdempotencyIndex, clock: ManualClock, is_flushed: bool
) -> None:
    index.on_durable([Stored(1, keyed("k"))])
    if is_flushed:
        index.flush()
    clock.advance_ms(24 * HOUR_MS)
    assert answer_to(index, "k") == b"answer to k"
    clock.advance_ms(1)
    assert answer_to(index, "k") is None


def test_the_first_answer_stays_until_it_expires_and_then_the_key_is_free(
    index: IdempotencyIndex, clock: ManualClock
) -> None:
    index.on_durable([Stored(1, keyed("k", answer="first")), Stored(2, keyed("k", answer="second"))])
    index.flush()
    index.on_durable([Stored(3, keyed("k", answer="third"))])
    index.flush()
    assert answer_to(index, "k") == b"first"
    clock.advance_ms(25 * HOUR_MS)
    index.on_durable([Stored(4, keyed("k", answer="next day", at_ms=clock.now_ms()))])
    assert answer_to(index, "k") == b"next day"
    index.flush()
    assert answer_to(index, "k") == b"next day"


def test_expired_answers_leave_the_file(index: IdempotencyIndex, clock: ManualClock, file: Path) -> None:
    index.on_durable([Stored(number, keyed(f"k{number}")) for number in range(1, 101)])
    index.flush()
    clock.advance_ms(25 * HOUR_MS)
    index.on_durable([Stored(101, keyed("new", at_ms=clock.now_ms()))])
    index.flush()
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT key FROM answers").fetchall() == [("new",)]
    connection.close()


async def test_what_the_file_has_not_got_is_read_from_the_log(
    tmp_path: Path, open_index: Callable[[], IdempotencyIndex], clock: ManualClock
) -> None:
    """A process that dies between the log's fsync and the index's write: here the index never hears of half."""
    index = open_index()
    log = log_with(tmp_path, index, clock)
    await asyncio.gather(*(log.append(keyed(f"heard {number}")) for number in range(30)))
    log.close()
    index.close()
    log = open_test_log(tmp_path / "log", segment_bytes=2_000)
    await asyncio.gather(*(log.append(keyed(f"missed {number}")) for number in range(30)))
    restarted = open_index()
    assert restarted.catch_up(log) == 30
    assert all(answer_to(restarted, f"{word} {number}") for word in ("heard", "missed") for number in range(30))
    assert restarted.catch_up(log) == 0
    log.close()


@pytest.mark.parametrize("damage", [b"", b"this is no database" * 500], ids=["deleted", "overwritten"])
async def test_an_index_that_is_gone_is_made_anew_from_the_log(
    tmp_path: Path, open_index: Callable[[], IdempotencyIndex], clock: ManualClock, file: Path, damage: bytes
) -> None:
    index = open_index()
    log = log_with(tmp_path, index, clock)
    for number in range(20):
        await log.append(keyed(f"k{number}"))
    log.drop(applied=10, older_than_ms=NOON_MS + 1)
    oldest = log.first()
    log.close()
    index.close()
    file.unlink()
    if damage:
        file.write_bytes(damage)
    log = open_test_log(tmp_path / "log")
    again = open_index()
    assert again.catch_up(log) == 21 - oldest
    assert all(answer_to(again, f"k{number}") for number in range(oldest - 1, 20))
    log.close()


async def test_a_start_reads_little_again_although_no_request_had_a_key(
    tmp_path: Path,
    open_index: Callable[[], IdempotencyIndex],
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LAG_BYTES_MAX", 1_000)
    index = open_index()
    log = log_with(tmp_path, index, clock)
    await append_each(log, [bytes(100)] * 40)
    log.close()
    index.close()
    log = open_test_log(tmp_path / "log")
    assert open_index().catch_up(log) == 0
    log.close()


def test_keys_that_cannot_be_written_are_still_known_and_too_many_stop_the_check(
    index: IdempotencyIndex, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Could not check is not no: the request must not be accepted."""
    monkeypatch.setattr(module, "PENDING_BYTES_MAX", 2_000)
    blocker = sqlite3.connect(file, isolation_level=None)
    index._writer.execute("PRAGMA busy_timeout=1")
    blocker.execute("BEGIN IMMEDIATE")
    index.on_durable([Stored(1, keyed("k1"))])
    with pytest.raises(sqlite3.OperationalError):
        index.flush()
    assert answer_to(index, "k1") == b"answer to k1"
    index.on_durable([Stored(number, keyed(f"k{number}")) for number in range(2, 12)])
    with pytest.raises(LogUnavailable, match="keys cannot be checked"):
        index.lookup(ACCOUNT, "k1")
    blocker.execute("ROLLBACK")
    blocker.close()
    index.flush()
    assert all(answer_to(index, f"k{number}") for number in range(1, 12))


def test_an_index_of_another_log_is_filled_from_the_oldest_entry(
    tmp_path: Path, index: IdempotencyIndex, clock: ManualClock
) -> None:
    index.on_durable([Stored(1_000, keyed("of another log"))])
    index.flush()
    log = open_test_log(tmp_path / "log", clock=clock)

    async def append() -> None:
        await log.append(keyed("k"))

    asyncio.run(append())
    assert index.catch_up(log) == 1
    assert answer_to(index, "k") == b"answer to k"
    log.close()
