"""Looking at an installation from outside: what `belfry doctor` prints."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import msgspec
import sqlalchemy as sa

from belfry.clock import SystemClock
from belfry.config import MIB, Settings
from belfry.errors import BelfryError
from belfry.main.stores import open_columnar, open_database, secret_of
from belfry.pipeline.operations import Heartbeats
from belfry.pipeline.position import committed_position
from belfry.storage.log import open_reader
from belfry.storage.relational.migrations import pending

EARLIEST_CLOCK_MS = 1_764_000_000_000
"""November 2025: a clock before that was never set."""
ENGINE_SILENT_MS = 15_000
BEHIND_ENTRIES_MAX = 10_000


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. advice: what to do if it is not well."""

    subject: str
    is_well: bool
    text: str
    advice: str = ""


def check_up(settings: Settings) -> list[Finding]:
    """Look at everything; a look that fails is a finding too."""
    looks: list[tuple[str, Callable[[Settings], Finding]]] = [
        ("data folder", _folder),
        ("disk", _disk),
        ("clock", _clock),
        ("secret", _secret),
        ("relational", _relational),
        ("columnar", _columnar),
        ("log", _log),
        ("engine", _engine),
    ]
    return [_guarded(subject, look, settings) for subject, look in looks]


def _guarded(subject: str, look: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return look(settings)
    except (BelfryError, sa.exc.SQLAlchemyError, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Finding(subject, False, text, _ADVICE.get(subject, ""))


_ADVICE = {
    "relational": "check relational_dsn; for PostgreSQL: is the server running and may this user connect?",
    "columnar": "is `belfry serve` running? With a server of your own: check columnar_dsn",
    "log": "is the data folder the right one, and readable by this user?",
    "engine": "start `belfry serve`",
}


def _folder(settings: Settings) -> Finding:
    path = settings.path()
    if not path.is_dir():
        return Finding("data folder", False, f"{path} does not exist", "start `belfry serve` once, it is made then")
    if not os.access(path, os.W_OK):
        return Finding("data folder", False, f"{path} is not writable", "give this user the folder")
    return Finding("data folder", True, str(path))


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.path() if settings.path().exists() else "/").free
    text = f"{free // MIB:,} MiB free"
    if free < 4 * max(settings.log_free_bytes_min, 256 * MIB):
        return Finding("disk", False, text, "make room: below log_free_bytes_min uploads are answered with 503")
    return Finding("disk", True, text)


def _clock(_settings: Settings) -> Finding:
    now_ms = SystemClock().now_ms()
    if now_ms < EARLIEST_CLOCK_MS:
        return Finding("clock", False, f"it says {now_ms // 1000}", "set the machine's clock (NTP)")
    return Finding("clock", True, "plausible")


def _secret(settings: Settings) -> Finding:
    if not settings.path("secret").exists():
        return Finding("secret", False, "there is none yet", "start `belfry serve` once, it is made then")
    secret_of(settings)
    return Finding("secret", True, "readable")


def _relational(settings: Settings) -> Finding:
    database = open_database(settings)
    try:
        waiting = pending(database)
    finally:
        database.close()
    if waiting:
        return Finding("relational", False, f"migrations wait: {', '.join(waiting)}", "restart Belfry, it applies them")
    return Finding("relational", True, "SQLite" if database.is_sqlite else "PostgreSQL")


def _columnar(settings: Settings) -> Finding:
    columnar = open_columnar(settings)
    try:
        version = columnar.value("SELECT version()")
    finally:
        columnar.close()
    return Finding("columnar", True, f"ClickHouse {version}")


def _log(settings: Settings) -> Finding:
    reader, database = open_reader(settings.path("log")), open_database(settings)
    try:
        behind = reader.end() - committed_position(database, 0)
    finally:
        reader.close()
        database.close()
    if behind > BEHIND_ENTRIES_MAX:
        return Finding("log", False, f"{behind:,} entries wait", "is the engine running? Look at its log lines")
    return Finding("log", True, f"{behind:,} entries wait to be applied")


def _engine(settings: Settings) -> Finding:
    database = open_database(settings)
    try:
        newest_ms = Heartbeats(database).newest_ms("engine")
    finally:
        database.close()
    silent_ms = None if newest_ms is None else SystemClock().now_ms() - newest_ms
    if silent_ms is None or silent_ms > ENGINE_SILENT_MS:
        return Finding("engine", False, "no sign of life", "start `belfry serve`")
    return Finding("engine", True, f"alive {max(silent_ms, 0) / 1000:.0f} s ago")
