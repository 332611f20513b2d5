"""The log: accepted request bodies, in order, on disk before anyone is told so.

`model.py` says what a log is; `file_log.py` is the embedded one, which writes (`write_queue.py` gathers what
waits, `segment.py` is the file, `frames.py` its bytes, `recovery.py` what happens at a start), `reader.py` reads it
from any process up to `watermark.py`, `idempotency.py` remembers answers by key, `files.py` is the only one
that touches the disk. Each engine passes `tests/conformance/log_suite.py`. Nothing here knows what a body means.
"""

from belfry.storage.log.file_log import FileLog, open_log
from belfry.storage.log.idempotency import IdempotencyIndex, Remembered, hash_of
from belfry.storage.log.model import (
    Entry,
    Log,
    LogBusy,
    LogDamaged,
    LogDropped,
    LogLocked,
    LogReader,
    LogUnavailable,
    Stored,
)
from belfry.storage.log.reader import FileLogReader, open_reader

__all__ = [
    "Entry",
    "FileLog",
    "FileLogReader",
    "IdempotencyIndex",
    "Log",
    "LogBusy",
    "LogDamaged",
    "LogDropped",
    "LogLocked",
    "LogReader",
    "LogUnavailable",
    "Remembered",
    "Stored",
    "hash_of",
    "open_log",
    "open_reader",
]
