"""How fast events are counted, their top values found and their trends drawn, beside hand-written SQL for the same.

    python -m bench.bench_counts [--events 20000000] [--rounds 11] [--folder DIR]

Makes its data inside an embedded engine of its own: forty events a user over a year, six event names, one user in
fifty hidden. Prints for each question the median and 95th percentile with everything included (reading the query,
compiling, HTTP), the median of the bare statement over the same client in the same run, and the ratio. Bare statements
know nothing of hidden users, of values of other types, nor of the account's time zone.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from belfry.clock import ManualClock
from belfry.segments.actions import Segments
from belfry.segments.compiler.plan import Property
from belfry.segments.cql import Purpose, translate
from belfry.segments.model import EventQuery
from belfry.segments.parse import parse_event_query
from belfry.segments.reports.actions import Reports
from belfry.segments.reports.facets import facet_of
from belfry.segments.reports.periods import Period
from belfry.segments.reports.top import TopGroup
from belfry.segments.reports.trends import Figure, TrendMeasure
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database, metadata
from bench.bench_segments import ACCOUNT, EVENTS_PER_USER, NOW_MS, engine, timed

CHUNK = 2_500_000
TODAY = dt.date(2026, 11, 25)
YEAR = (dt.date(2025, 11, 26), TODAY)
CHARGED = "FROM events WHERE account_id = 'acme' AND name = 'charged'"
IN_MONTH = f"{CHARGED} AND day >= '2026-10-26' AND day <= '2026-11-25'"
IN_YEAR = f"{CHARGED} AND day >= '2025-11-26' AND day <= '2026-11-25'"


class Question(msgspec.Struct, frozen=True):
    """A question, the statement that someone would write by hand for it, and the time that it may take at 20 M."""

    name: str
    ask: Callable[[], object]
    bare: str
    limit_ms: int | None = None


def fill(columnar: Columnar, events_count: int) -> None:
    """Rows made by the engine itself."""
    users = max(1, events_count // EVENTS_PER_USER)
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
                - toIntervalSecond(intHash64(number + 5) % (364 * 86400)) AS happened
                FROM numbers({start}, {min(CHUNK, events_count - start)}))"""
        )
    columnar.command(
        f"""INSERT INTO profile_snapshots (account_id, profile_id, version, hidden, bucket, created_at, identified,
            identity, email, phone, reachable, props)
        SELECT 'acme', 1 + number, 1, number % 50 = 0, number % 1000, now64(3), 1, '', '', '', ['email'],
            concat('{{"plan":"', arrayElement(['gold', 'silver', 'free'], 1 + number % 3), '"}}')
                ::JSON(max_dynamic_paths = 512)
        FROM numbers({users})"""
    )


def query(first: dt.date, **more: Any) -> EventQuery:
    body = {"event_name": "Charged", "from": f"{first:%Y%m%d}", "to": f"{TODAY:%Y%m%d}", **more}
    found = translate(body, Purpose.EVENTS, TODAY)
    return parse_event_query(found.occurrences, found.others)


def questions(segments: Segments, reports: Reports) -> list[Question]:
    month = dt.date(2026, 10, 26)
    over_100 = {"name": "Amount", "operator": "greater_than", "value": 100}

    def top(kind: str, name: str) -> Callable[[], object]:
        return lambda: reports.top(ACCOUNT, query(YEAR[0]), {"g": TopGroup(facet_of(kind, name, "g"))})

    def trend(measure: TrendMeasure, *periods: Period) -> Callable[[], object]:
        return lambda: reports.trends(ACCOUNT, query(YEAR[0]), periods, measure, YEAR)

    return [
        Question(
            "event count, one month, one filter",
            lambda: segments.count_events(ACCOUNT, query(month, event_properties=[over_100])),
            f"SELECT count() {IN_MONTH} AND props.Amount.:Int64 > 100",
            150,
        ),
        Question(
            "top 10 values of a text, one year",
            top("event_properties", "Product name"),
            f"SELECT props.`Product name`.:String AS v, count() AS n {IN_YEAR} GROUP BY v ORDER BY n DESC LIMIT 10",
            500,
        ),
        Question(
            "ranges of a number, one year",
            top("event_properties", "Amount"),
            f"SELECT intDiv(props.Amount.:Int64, 50) AS v, count() AS n {IN_YEAR} GROUP BY v",
        ),
        Question(
            "top values of a user's property, one year",
            top("profile_fields", "plan"),
            "SELECT v, sum(n) FROM (SELECT profile_id, count() AS n "
            f"{IN_YEAR} GROUP BY profile_id) AS e INNER JOIN (SELECT profile_id, props.plan.:String AS v "
            "FROM profile_snapshots WHERE account_id = 'acme') AS p ON p.profile_id = e.profile_id GROUP BY v",
        ),
        Question(
            "daily trend, one year",
            trend(TrendMeasure(), Period.DAILY),
            f"SELECT day, count() {IN_YEAR} GROUP BY day",
            300,
        ),
        Question(
            "daily, weekly, monthly sums, one year",
            trend(TrendMeasure(Figure.SUM, Property(("Amount",))), *Period),
            f"SELECT day, sum(props.Amount.:Int64) {IN_YEAR} GROUP BY day",
        ),
        Question(
            "daily users, one year",
            trend(TrendMeasure(Figure.USERS), Period.DAILY),
            f"SELECT day, uniqExact(profile_id) {IN_YEAR} GROUP BY day",
        ),
        Question(
            "users active now",
            lambda: reports.active_users(ACCOUNT),
            "SELECT uniqExact(profile_id) FROM events WHERE account_id = 'acme' AND day = '2026-11-25' "
            "AND ts > '2026-11-25 11:55:00'",
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--folder", type=Path, help="keep the data here; reused when it is there already")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="belfry-bench-"))
    try:
        with engine(folder) as columnar:
            run(columnar, folder, arguments.events, arguments.rounds)
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


def run(columnar: Columnar, folder: Path, events_count: int, rounds: int) -> None:
    start = time.perf_counter()
    columnar.create_tables()
    if columnar.value("SELECT count() FROM events") == 0:
        fill(columnar, events_count)
    print(f"{columnar.value('SELECT count() FROM events'):,} events ready in {time.perf_counter() - start:.0f} s")
    database = Database(f"sqlite:///{folder}/bench.db")
    with database.begin() as connection:
        metadata.create_all(connection)
    clock = ManualClock(NOW_MS)
    for question in questions(Segments(database, columnar, clock), Reports(database, columnar, clock)):
        ours, slowest = timed(question.ask, rounds)
        bare, _ = timed(lambda q=question: columnar.rows(q.bare), rounds)
        limit = "" if question.limit_ms is None else f"   to reach at 20 M: {question.limit_ms} ms"
        print(
            f"{question.name:42s} {ours:7.1f} ms  p95 {slowest:7.1f} ms   bare {bare:7.1f} ms   "
            f"ratio {ours / bare:5.2f}{limit}",
            flush=True,
        )


if __name__ == "__main__":
    main()
