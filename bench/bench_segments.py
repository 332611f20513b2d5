"""How fast segments are counted, listed and exported, beside hand-written SQL for the same question.

    python bench/bench_segments.py [--events 5000000] [--rounds 15] [--folder DIR]

Makes its data inside an embedded engine of its own (forty events a user, three months, profile snapshots in several
versions, one user in fifty hidden). Prints for each question the median and 95th percentile with everything
included (reading the tree, compiling, HTTP), the median of the bare statement over the same client in the same run,
and the ratio. Bare statements know nothing of hidden users.
"""

from __future__ import annotations

import argparse
import datetime as dt
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import msgspec

from belfry.accounts.model import Account, AccountSettings, AccountState
from belfry.clock import ManualClock
from belfry.config import Settings
from belfry.error_stream import tables as error_tables
from belfry.events import tables as event_tables
from belfry.ids import AccountId, SystemIds
from belfry.pipeline import tables as pipeline_tables
from belfry.segments.actions import Segments
from belfry.segments.cql import Purpose, translate
from belfry.segments.exports import ExportKind, Exports
from belfry.segments.parse import parse, parse_event_query
from belfry.storage.columnar import Columnar
from belfry.storage.columnar.address import embedded_dsn
from belfry.storage.columnar.embedded import run_embedded
from belfry.storage.relational import Database, metadata

TABLES = (error_tables, event_tables, pipeline_tables)
"""Imported for what they declare."""
NOW_MS = 1_795_608_000_000
ACCOUNT = Account(
    AccountId("acme"), "Acme", "Europe/Lisbon", "eu1", AccountState.ACTIVE, AccountSettings(), created_at_ms=0
)
EVENTS_PER_USER = 40
CHUNK = 2_500_000
MONTH = (
    "account_id = 'acme' AND name = 'charged' AND day >= '2026-10-26' AND day <= '2026-11-25' "
    "AND ts >= '2026-10-26 23:00:00' AND ts <= '2026-11-25 12:00:00'"
)
CHARGED = {"type": "event", "event": "Charged", "when": {"range": {"last": 30, "unit": "day"}}}


class Question(msgspec.Struct, frozen=True):
    """A rule and the statement that someone would write by hand for it."""

    name: str
    rule: dict[str, Any]
    bare: str


QUESTIONS = (
    Question(
        "did Charged, last 30 days",
        CHARGED,
        f"SELECT uniqExact(profile_id) FROM events WHERE {MONTH}",
    ),
    Question(
        "did Charged at least 3 times",
        {**CHARGED, "measure": {"fn": "count", "cmp": "gte", "value": 3}},
        f"SELECT count() FROM (SELECT profile_id FROM events WHERE {MONTH} GROUP BY profile_id HAVING count() >= 3)",
    ),
    Question(
        "did Charged with Amount > 100",
        {**CHARGED, "where": {"prop": "Amount", "cmp": "gt", "value": 100}},
        f"SELECT uniqExact(profile_id) FROM events WHERE {MONTH} AND props.Amount.:Int64 > 100",
    ),
    Question(
        "first Charged ever in the last 30 days",
        {**CHARGED, "occurrence": "first"},
        "SELECT count() FROM (SELECT profile_id FROM events WHERE account_id = 'acme' AND name = 'charged' "
        "GROUP BY profile_id HAVING min(ts) >= '2026-10-26 23:00:00')",
    ),
    Question(
        "plan is gold",
        {"type": "user", "prop": "plan", "cmp": "eq", "value": "gold"},
        "SELECT count() FROM profile_snapshots FINAL WHERE account_id = 'acme' AND hidden = 0 "
        "AND props.plan.:String = 'gold'",
    ),
    Question(
        "did not do Charged",
        {**CHARGED, "did": False},
        "SELECT count() FROM profile_snapshots FINAL WHERE account_id = 'acme' AND hidden = 0 "
        f"AND profile_id NOT IN (SELECT profile_id FROM events WHERE {MONTH})",
    ),
    Question(
        "five leaves, events and users",
        {
            "op": "and",
            "rules": [
                {**CHARGED, "measure": {"fn": "count", "cmp": "gte", "value": 2}},
                {"op": "or", "rules": [
                    {"type": "user", "prop": "plan", "cmp": "eq", "value": "gold"},
                    {"type": "event", "event": "Search", "when": {"range": {"last": 7, "unit": "day"}}},
                ]},
                {"not": {"type": "event", "event": "Login", "when": {"range": {"last": 3, "unit": "day"}}}},
                {"type": "user", "prop": "age", "cmp": "between", "value": [18, 60]},
            ],
        },
        "SELECT count() FROM profile_snapshots FINAL WHERE account_id = 'acme' AND hidden = 0 "
        f"AND profile_id IN (SELECT profile_id FROM events WHERE {MONTH} GROUP BY profile_id HAVING count() >= 2) "
        "AND (props.plan.:String = 'gold' OR profile_id IN (SELECT profile_id FROM events WHERE account_id = 'acme' "
        "AND name = 'search' AND day >= '2026-11-18' AND ts >= '2026-11-19 00:00:00')) "
        "AND profile_id NOT IN (SELECT profile_id FROM events WHERE account_id = 'acme' AND name = 'login' "
        "AND day >= '2026-11-22' AND ts >= '2026-11-23 00:00:00') AND props.age.:Int64 BETWEEN 18 AND 60",
    ),
)  # fmt: skip


def serve(settings: Settings, ready: Event) -> None:
    run_embedded(settings, 0, ready.set)


@contextmanager
def engine(folder: Path) -> Iterator[Columnar]:
    """An embedded engine in a process of its own."""
    settings = Settings(data_dir=str(folder))
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=serve, args=(settings, ready))
    process.start()
    try:
        if not ready.wait(30):
            raise SystemExit("the embedded engine did not start")
        yield Columnar(embedded_dsn(settings))
    finally:
        process.terminate()
        process.join(30)


def fill(columnar: Columnar, events_count: int) -> None:
    """Rows made by the engine itself."""
    columnar.create_tables()
    users = events_count // EVENTS_PER_USER
    for start in range(0, events_count, CHUNK):
        columnar.command(
            f"""INSERT INTO events (account_id, name, day, profile_id, ts, seq, recorded_profile_id, device_id, source,
                key_hash, received_at, props)
            SELECT 'acme', arrayElement(['charged', 'applaunched', 'search', 'addtocart', 'login', 'productviewed'],
                    1 + intHash64(number + 11) % 6),
                toDate(happened), 1 + intHash64(number) % {users}, happened, number, 1 + intHash64(number) % {users},
                concat('d', toString(number % {users})), 'API', number, happened,
                concat('{{"Amount":', toString(number % 500), ',"Category":"c', toString(number % 13),
                    '","Product name":"p', toString(number % 1000), '"}}')::JSON(max_dynamic_paths = 512)
            FROM (SELECT number, toDateTime64('2026-11-25 12:00:00', 3, 'UTC')
                - toIntervalSecond(intHash64(number + 5) % (90 * 86400)) AS happened
                FROM numbers({start}, {min(CHUNK, events_count - start)}))"""
        )
    for version in range(1, 6):
        rows = f"number % 5 = {version - 1}" if version > 1 else "1"
        columnar.command(
            f"""INSERT INTO profile_snapshots (account_id, profile_id, version, hidden, bucket, created_at, identified,
                identity, email, phone, reachable, props)
            SELECT 'acme', 1 + number, {version}, number % 50 = 0, number % 1000, now64(3), 1,
                concat('u', toString(number)), '', '', ['email'],
                concat('{{"plan":"', arrayElement(['gold', 'silver', 'free'], 1 + number % 3), '","age":',
                    toString(number % 80), '}}')::JSON(max_dynamic_paths = 512)
            FROM numbers({users}) WHERE {rows}"""
        )


def timed(call: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median and 95th percentile in milliseconds, after one call to warm up."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times), sorted(times)[int(0.95 * (rounds - 1))]


def report(name: str, ours: tuple[float, float], bare: float) -> None:
    print(f"{name:42s} {ours[0]:8.1f} ms  p95 {ours[1]:8.1f} ms   bare {bare:8.1f} ms   ratio {ours[0] / bare:5.2f}")


def ask(segments: Segments, columnar: Columnar, rounds: int) -> None:
    for question in QUESTIONS:
        ours = timed(lambda q=question: segments.count(ACCOUNT, parse(q.rule)), rounds)
        bare, _ = timed(lambda q=question: columnar.value(q.bare), rounds)
        report(question.name, ours, bare)
    query = parse_event_query({**CHARGED, "where": {"prop": "Amount", "cmp": "gt", "value": 100}}, None)
    ours = timed(lambda: segments.count_events(ACCOUNT, query), rounds)
    bare, _ = timed(
        lambda: columnar.value(f"SELECT count() FROM events WHERE {MONTH} AND props.Amount.:Int64 > 100"), 5
    )
    report("events: Charged with Amount > 100", ours, bare)


def stream(segments: Segments) -> None:
    start = time.perf_counter()
    count = sum(len(block) for block in segments.stream_profile_ids(ACCOUNT, parse({"type": "everyone"})))
    took = time.perf_counter() - start
    print(f"streamed {count} members: {count / took:,.0f}/s")


def export(exports: Exports, kind: ExportKind, pages_max: int) -> None:
    today = dt.date(2026, 11, 25)
    purpose = Purpose.EVENTS if kind is ExportKind.EVENTS else Purpose.PROFILE_EXPORT
    query = translate({"event_name": "Charged", "from": 20260901, "to": 20261125}, purpose, today)
    cursor: str | None = exports.start(ACCOUNT, kind, query, {}, 5000)
    records, times = 0, []
    while cursor is not None and len(times) < pages_max:
        start = time.perf_counter()
        page = exports.page(ACCOUNT, kind, cursor)
        times.append((time.perf_counter() - start) * 1000)
        records += len(page.events) + len(page.profile_ids)
        cursor = page.next_cursor
    rate = records / sum(times) * 1000
    print(
        f"export of {kind}: {len(times)} pages of 5000, median {statistics.median(times):.1f} ms, {rate:,.0f} records/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--pages", type=int, default=60, help="most pages of an export")
    parser.add_argument("--folder", type=Path, help="keep the data here; reused when it is there already")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="belfry-bench-"))
    try:
        with engine(folder) as columnar:
            run(columnar, folder, arguments)
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


def run(columnar: Columnar, folder: Path, arguments: argparse.Namespace) -> None:
    start = time.perf_counter()
    columnar.create_tables()
    if columnar.value("SELECT count() FROM events") == 0:
        fill(columnar, arguments.events)
    print(f"{columnar.value('SELECT count() FROM events'):,} events ready in {time.perf_counter() - start:.0f} s")
    database = Database(f"sqlite:///{folder}/bench.db")
    with database.begin() as connection:
        metadata.create_all(connection)
    clock = ManualClock(NOW_MS)
    segments = Segments(database, columnar, clock)
    ask(segments, columnar, arguments.rounds)
    stream(segments)
    exports = Exports(database, columnar, clock, SystemIds(), b"bench")
    for kind in ExportKind:
        export(exports, kind, arguments.pages)


if __name__ == "__main__":
    main()
