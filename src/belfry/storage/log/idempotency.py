"""Answers by Idempotency-Key: who repeats a request within a day gets the first answer, and no second effect.

The log is the truth: an entry carries its key and answer in its meta. This index only makes them quick to find. What is
durable in the log is in memory here before its sender is answered, and in a SQLite file soon after; what the
file has not got yet at a crash is read from the log at the next start. Deleting the file loses nothing.

Source: server-api 1.6, "idempotency keys".
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from belfry.clock import Clock
from belfry.ids import AccountId
from belfry.storage.log.model import LogReader, LogUnavailable, Stored

FILE_NAME = "idempotency.db"
HOUR_MS = 3600 * 1000
PENDING_BYTES_MAX = 64 * 1024 * 1024
"""Answers that may wait in memory for the SQLite file; above, keys cannot be checked until it can be written."""
LAG_BYTES_MAX = 64 * 1024 * 1024
"""Bodies after which the file's position moves on even if none had a key: bounds what a start reads again."""
GATHER_S = 0.05
RETRY_S = 1.0
PURGE_EVERY_MS = 60 * 1000
PURGE_ROWS = 5_000
CATCH_UP_BYTES = 16 * 1024 * 1024
PENDING_OVERHEAD_BYTES = 300

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    account_id TEXT NOT NULL,
    key TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    status INTEGER NOT NULL,
    answer BLOB NOT NULL,
    received_at_ms INTEGER NOT NULL,
    UNIQUE (account_id, key)
);
CREATE INDEX IF NOT EXISTS answers_by_age ON answers (received_at_ms);
CREATE TABLE IF NOT EXISTS indexed (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), position INTEGER NOT NULL);
INSERT OR IGNORE INTO indexed VALUES (1, 0);
"""

# The first answer to a key stays until it has expired.
_REMEMBER = """
INSERT INTO answers (account_id, key, body_hash, status, answer, received_at_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, key) DO UPDATE SET body_hash = excluded.body_hash, status = excluded.status,
    answer = excluded.answer, received_at_ms = excluded.received_at_ms
WHERE answers.received_at_ms < ?
"""
_LOOK_UP = """
SELECT body_hash, status, answer, received_at_ms FROM answers
WHERE account_id = ? AND key = ? AND received_at_ms >= ?
"""
_PURGE = "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE received_at_ms < ? LIMIT ?)"

_logger = structlog.get_logger(__name__)

_Key = tuple[AccountId, str]


class Remembered(msgspec.Struct, frozen=True, gc=False):
    """The first answer to a key.

    body_hash   of the request that was answered; another body under the same key is a conflict
    answer      the body of the answer, UTF-8
    """

    body_hash: str
    status: int
    answer: bytes
    received_at_ms: int


def hash_of(body: bytes) -> str:
    """The hash by which two bodies are told apart: 32 hex digits of BLAKE2b."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


class IdempotencyIndex:
    """Exact memory of the answers of one stream, for `hours`.

    Wire it as `FileLog(on_durable=index.on_durable)`, then `catch_up(log)` before the first append.
    `lookup` may be called from any thread. Invariant: a key is in the pending answers or in the file from the moment
    that its entry is durable.
    """

    def __init__(self, file: Path, *, hours: int, clock: Clock) -> None:
        self._window_ms = hours * HOUR_MS
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: dict[_Key, Remembered] = {}
        self._pending_bytes = 0
        self._lag_bytes = 0
        self._purged_at_ms: int | None = None
        file.parent.mkdir(parents=True, exist_ok=True)
        self._writer = _open(file)
        self._position: int = self._writer.execute("SELECT position FROM indexed").fetchone()[0]
        self._reader = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._writer_lock = threading.Lock()
        self._reader_lock = threading.Lock()
        self._due = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="idempotency-writer", daemon=True)
        self._thread.start()

    def lookup(self, account_id: AccountId, key: str) -> Remembered | None:
        """The answer that was given to this key of this account, if it was within the window.

        Raises LogUnavailable if that cannot be told now: then the request must not be accepted either.
        """
        oldest_ms = self._oldest_ms()
        if self._pending_bytes > PENDING_BYTES_MAX:
            raise LogUnavailable("the idempotency index cannot be written; keys cannot be checked")
        pending = self._pending.get((account_id, key))
        if pending is not None and pending.received_at_ms >= oldest_ms:
            return pending
        try:
            with self._reader_lock:
                row = self._reader.execute(_LOOK_UP, (account_id, key, oldest_ms)).fetchone()
        except sqlite3.Error as error:
            raise LogUnavailable(f"the idempotency index cannot be read: {error}") from error
        return None if row is None else Remembered(*row)

    def on_durable(self, batch: Sequence[Stored]) -> None:
        """Remember the answers of a batch that is on disk; no I/O."""
        found = [pair for stored in batch if (pair := _answer_in(stored)) is not None]
        with self._lock:
            self._remember(found)
            self._position = batch[-1].position
            self._lag_bytes += sum(len(stored.entry.body) for stored in batch)
            is_due = bool(found) or self._lag_bytes >= LAG_BYTES_MAX
        if is_due:
            self._due.set()

    def catch_up(self, log: LogReader) -> int:
        """Read what the file has not seen from the log; the number of entries read. Raises LogUnavailable."""
        # A position behind the log's end is that of another log: begin at the oldest entry.
        indexed = self._position if self._position <= log.end() else 0
        after = max(indexed, log.first() - 1)
        count = 0
        while batch := log.read(after, bytes_max=CATCH_UP_BYTES):
            self.on_durable(batch)
            self.flush()
            after = batch[-1].position
            count += len(batch)
        return count

    def flush(self) -> None:
        """Bring what is pending into the file. Raises sqlite3.Error; then it stays pending."""
        with self._writer_lock:
            with self._lock:
                pending, position = dict(self._pending), self._position
                self._lag_bytes = 0
            self._store(pending, position)
            with self._lock:
                for key, remembered in pending.items():
                    if self._pending.get(key) is remembered:
                        del self._pending[key]
                        self._pending_bytes -= _bytes_of(key, remembered)

    def close(self) -> None:
        """Write what is pending, if that is possible, and stop. Close the log first."""
        self._closing.set()
        self._due.set()
        self._thread.join()
        with contextlib.suppress(sqlite3.Error):
            self.flush()
        self._writer.close()
        self._reader.close()

    def _remember(self, found: Sequence[tuple[_Key, Remembered]]) -> None:
        oldest_ms = self._oldest_ms()
        for key, remembered in found:
            earlier = self._pending.get(key)
            if earlier is not None:
                if earlier.received_at_ms >= oldest_ms:
                    continue
                self._pending_bytes -= _bytes_of(key, earlier)
            self._pending[key] = remembered
            self._pending_bytes += _bytes_of(key, remembered)

    def _run(self) -> None:
        """The index's own thread: SQLite's checkpoints never keep the log waiting."""
        while not self._closing.is_set():
            self._due.wait()
            self._due.clear()
            try:
                self.flush()
                pause_s = GATHER_S
            except sqlite3.Error as error:
                _logger.error("idempotency.flush_failed", error=str(error))
                self._due.set()
                pause_s = RETRY_S
            self._closing.wait(pause_s)

    def _store(self, pending: dict[_Key, Remembered], position: int) -> None:
        oldest_ms = self._oldest_ms()
        rows = [
            (*key, item.body_hash, item.status, item.answer, item.received_at_ms, oldest_ms)
            for key, item in pending.items()
            if item.received_at_ms >= oldest_ms
        ]
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            self._writer.executemany(_REMEMBER, rows)
            self._writer.execute("UPDATE indexed SET position = ?", (position,))
            self._purge(oldest_ms)
            self._writer.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("ROLLBACK")
            raise

    def _purge(self, oldest_ms: int) -> None:
        """Forget some of what has expired; more at once would hold the file for long."""
        now_ms = self._clock.now_ms()
        if self._purged_at_ms is not None and now_ms - self._purged_at_ms < PURGE_EVERY_MS:
            return
        purged = self._writer.execute(_PURGE, (oldest_ms, PURGE_ROWS)).rowcount
        self._purged_at_ms = now_ms if purged < PURGE_ROWS else None

    def _oldest_ms(self) -> int:
        return self._clock.now_ms() - self._window_ms


def _answer_in(stored: Stored) -> tuple[_Key, Remembered] | None:
    """The key and answer that an entry carries, if it does."""
    meta = stored.entry.meta
    key, answer = meta.get("idempotency_key"), meta.get("answer")
    if key is None or answer is None:
        return None
    body_hash = meta.get("body_hash") or hash_of(stored.entry.body)
    remembered = Remembered(body_hash, meta.get("status", 200), answer.encode(), stored.entry.received_at_ms)
    return (stored.entry.account_id, key), remembered


def _bytes_of(key: _Key, remembered: Remembered) -> int:
    return len(key[1]) + len(remembered.answer) + PENDING_OVERHEAD_BYTES


def _open(file: Path) -> sqlite3.Connection:
    """The file's connection for writing; a file that is no database any more is made anew from the log."""
    try:
        return _connect(file)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        _logger.warning("idempotency.rebuilt", error=str(error), file=str(file))
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        return _connect(file)


def _connect(file: Path) -> sqlite3.Connection:
    # NORMAL does not sync at each commit: after a power cut the last commits are missing, rows and position
    # alike, and the log gives them again.
    connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
