"""Applying the log: one pipeline, a log that is filled beforehand, both stores.

    python -m bench.bench_apply [--entries 200] [--users 100000]

Raw limits below it, in the same run: inserting the same rows through the client, with nothing else to do, and
overwriting the same activity rows in SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import random
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial

import msgspec
import sqlalchemy as sa

from belfry.accounts.model import Account, AccountSettings, AccountState
from belfry.clock import SystemClock
from belfry.config import Settings
from belfry.ids import AccountId, SystemIds
from belfry.intake import PartnerPolicy
from belfry.main.stores import open_columnar, open_migrated
from belfry.pipeline.apply import BlockApplier
from belfry.pipeline.loop import Pipeline
from belfry.pipeline.rows import EVENT_COLUMNS
from belfry.profiles import tables
from belfry.storage.columnar import Columnar
from belfry.storage.columnar.embedded import run_embedded
from belfry.storage.log import Entry, FileLog, open_log, open_reader
from belfry.storage.relational import Database, bulk, upsert

ACCOUNT = AccountId("BENCH-000-1")
NAMES = ("Bought", "Product Viewed", "Opened", "Searched")
WAITING = 50


def body(chance: random.Random, users: int, ts_s: int) -> bytes:
    return msgspec.json.encode({"d": [_record(chance, users, ts_s) for _ in range(1000)]})


def _record(chance: random.Random, users: int, ts_s: int) -> dict[str, object]:
    return {
        "type": "event",
        "identity": f"user-{chance.randrange(users)}",
        "ts": ts_s,
        "evtName": chance.choice(NAMES),
        "evtData": {
            "Amount": round(chance.random() * 100, 2),
            "City": "Lisbon",
            "qty": chance.randrange(9),
            "SKU": f"K9-{chance.randrange(500)}",
        },
    }


async def fill(log: FileLog, bodies: Iterator[bytes], clock: SystemClock) -> None:
    waiting = []
    for data in bodies:
        waiting.append(log.append(Entry(ACCOUNT, "upload", clock.now_ms(), "bench", {"refused": []}, data)))
        if len(waiting) == WAITING:
            await asyncio.gather(*waiting)
            waiting.clear()
    await asyncio.gather(*waiting)


@contextlib.contextmanager
def engine(settings: Settings) -> Iterator[Columnar]:
    """The columnar process, and a client of it."""
    process = multiprocessing.get_context("spawn").Process(target=partial(run_embedded, settings, 0, _nothing))
    process.start()
    columnar = open_columnar(settings)
    try:
        deadline = time.monotonic() + 30
        while not columnar.ping() and time.monotonic() < deadline:
            time.sleep(0.05)
        columnar.create_tables()
        yield columnar
    finally:
        columnar.close()
        process.terminate()
        process.join()


def _nothing() -> None:
    """Whoever starts the engine here finds it by asking."""


def build(settings: Settings, database: Database, columnar: Columnar) -> Pipeline:
    account = Account(ACCOUNT, "Bench", "UTC", "eu1", AccountState.ACTIVE, AccountSettings(), 0)
    applier = BlockApplier(
        database=database,
        columnar=columnar,
        accounts=lambda _: account,
        partners=lambda _: PartnerPolicy(),
        clock=SystemClock(),
        secret=b"bench" * 8,
        profiles_cached_max=settings.profiles_cached_max,
    )
    return Pipeline(
        reader=open_reader(settings.path("log")),
        stream=0,
        database=database,
        columnar=columnar,
        applier=applier,
        clock=SystemClock(),
        settings=settings,
    )


def drain(pipeline: Pipeline, end: int) -> tuple[float, float]:
    """Apply everything; seconds of wall and of this process's CPU."""
    began, cpu = time.perf_counter(), time.process_time()
    stop = threading.Event()
    thread = threading.Thread(target=pipeline.run, args=(stop,))
    thread.start()
    while pipeline.position < end:
        time.sleep(0.01)
    stop.set()
    thread.join()
    return time.perf_counter() - began, time.process_time() - cpu


def raw_inserts(columnar: Columnar, rows: int) -> float:
    """Rows a second of inserting a block like the pipeline's, over and over."""
    columns = ", ".join(EVENT_COLUMNS)
    columnar.command("CREATE TABLE IF NOT EXISTS raw_events AS events")
    began = time.perf_counter()
    for number in range(5):
        columnar.command(
            f"INSERT INTO raw_events ({columns}) SELECT {columns} FROM events ORDER BY seq LIMIT {{rows:UInt32}}"
            " OFFSET {offset:UInt32}",
            {"rows": rows, "offset": number * rows},
            async_insert=0,
        )
    return 5 * rows / (time.perf_counter() - began)


def raw_upserts(database: Database) -> float:
    """Activity rows a second of overwriting what the pipeline wrote."""
    with database.read() as connection:
        statement = sa.select(tables.activity).order_by(tables.activity.c.profile_id).limit(20_000)
        rows = [dict(row) for row in connection.execute(statement).mappings()]
    began = time.perf_counter()
    for _ in range(5):
        with database.begin() as connection:
            bulk(connection, upsert(tables.activity, connection), rows)
    return 5 * len(rows) / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=200, help="bodies of 1 000 events each")
    parser.add_argument("--users", type=int, default=100_000)
    arguments = parser.parse_args()
    chance, clock = random.Random(1), SystemClock()
    with tempfile.TemporaryDirectory(prefix="belfry-bench-") as folder:
        settings = Settings(data_dir=folder)
        with engine(settings) as columnar, contextlib.closing(open_migrated(settings)) as database:
            log = open_log(settings, clock=clock, ids=SystemIds())
            pipeline = build(settings, database, columnar)
            now_s = clock.now_ms() // 1000
            for title, entries, ago_s in (("every user new", 120, 7200), ("users known", arguments.entries, 3600)):
                bodies = (body(chance, arguments.users, now_s - ago_s + n) for n in range(entries))
                asyncio.run(fill(log, bodies, clock))
                seconds, cpu = drain(pipeline, log.end())
                events = entries * 1000
                print(f"{title}: {events / seconds:,.0f} events/s, {cpu / events * 1e6:.1f} us CPU an event")
            print(f"   raw columnar inserts {raw_inserts(columnar, 20_000):,.0f} rows/s")
            print(f"   raw SQLite upserts of activity {raw_upserts(database):,.0f} rows/s")
            print(f"   resident {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB at most")
            log.close()


if __name__ == "__main__":
    main()
